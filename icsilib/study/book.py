"""The book put together from prose, executed notebooks and results, ready for Jupyter Book."""

import re
import shutil
import subprocess
import sys
from itertools import count
from pathlib import Path

import yaml

from icsilib.errors import IcsiError
from icsilib.files import write_text_atomic
from icsilib.study.evidence import CELL_ANCHOR, study_results
from icsilib.study.order import chapters
from icsilib.study.provenance import ROOT, ResultsFile, code_revision, read_results

PROSE = ROOT / "book"
_CELL = re.compile(r'<div class="cell((?: tag_[\w-]+)* docutils container)">')
_RESULT = re.compile(r"\{result\}`([\w.-]+):([\w./-]+?)(?::([^`:]+))?`")


def assemble(notebooks: Path, results: Path, source: Path) -> Path:
    """Write the book's sources to `source`: prose with results inserted, notebooks, results files, footer.

    `notebooks` holds executed notebooks; a page of the table of contents that has neither notebook nor prose
    takes the text of `book/missing/<page>.md`, which says why it is missing and what would bring it.
    """
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(PROSE, source, ignore=shutil.ignore_patterns("missing", "reference"))
    (source / "notebooks").mkdir()
    sources = {name: chapter.notebook for name, chapter in chapters().items()}
    for notebook in sorted(notebooks.glob("*.ipynb")):
        if not notebook.name.endswith(".failed.ipynb"):
            text = notebook.read_text(encoding="utf-8")
            if sources.get(notebook.stem, notebook.stem) != notebook.stem:
                text = with_own_labels(text, notebook.stem)
            write_text_atomic(source / "notebooks" / notebook.name, text)
    for page in sorted((PROSE / "missing").glob("*.md")):
        if not (source / "notebooks" / page.with_suffix(".ipynb").name).exists():
            shutil.copy(page, source / "notebooks")
    for page in source.glob("*.md"):
        write_text_atomic(page, insert_results(page.read_text(encoding="utf-8"), results))
    copied = source / "notebooks" / "results"
    _copy([results / f"{name}.json" for name in study_results(results)], copied)
    _copy(sorted((PROSE / "reference").glob("*.json")), copied / "reference")
    _write_config(source)
    return source


def with_own_labels(notebook: str, prefix: str) -> str:
    """A notebook's text with `prefix` before each of its labels, for a second chapter made from one notebook.

    >>> with_own_labels("(table)= see [it](#table)", "bu-bil")
    '(bu-bil-table)= see [it](#bu-bil-table)'
    """
    for label in re.findall(r"\(([a-z0-9-]+)\)=", notebook):
        notebook = re.sub(rf"(\(|\]\(#|`|<){label}(\)=|\)|`|>)", rf"\g<1>{prefix}-{label}\g<2>", notebook)
    return notebook


def _copy(files: list[Path], target: Path) -> None:
    target.mkdir()
    for file in files:
        shutil.copy(file, target)


def _write_config(source: Path) -> None:
    """Add the code revision to the footer of every page."""
    config = yaml.safe_load((source / "_config.yml").read_text(encoding="utf-8"))
    revision, clean = code_revision()
    state = "" if clean else " with uncommitted changes"
    config["html"]["extra_footer"] = f"<p>Built from code revision <code>{revision[:12]}</code>{state}.</p>"
    write_text_atomic(source / "_config.yml", yaml.safe_dump(config, sort_keys=False, allow_unicode=True))


def insert_results(text: str, results: Path) -> str:
    """Replace ``{result}`notebook:key:.3f` `` by that number; "not run" where the results file is missing."""

    def insert(match: re.Match[str]) -> str:
        name, key, form = match.groups()
        file = results / f"{name}.json"
        if not file.exists():
            return "*not run*"
        return format(_value(read_results(file), key), form or "")

    return _RESULT.sub(insert, text)


def _value(results: ResultsFile, key: str) -> float | int | bool | str | None:
    if key not in results.values:
        raise KeyError(f"results/{results.notebook}.json has no {key!r}; correct the page that asks for it")
    return results.values[key].value


def build(source: Path, html: Path) -> Path:
    """Run Jupyter Book on the assembled `source`, warnings as errors; returns the first page of `html`."""
    output = html.parent / "jupyter-book"
    shutil.rmtree(output, ignore_errors=True)  # Sphinx would find labels of earlier sources twice
    program = Path(sys.executable).with_name("jupyter-book")
    command = [program, "build", source, "--path-output", output, "-W", "-n", "--keep-going", "-q"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode:
        raise IcsiError(f"Jupyter Book stopped:\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}")
    shutil.rmtree(html, ignore_errors=True)
    shutil.copytree(output / "_build" / "html", html)
    shutil.copytree(source / "notebooks" / "results", html / "notebooks" / "results", dirs_exist_ok=True)
    for module in (ROOT / "icsilib").rglob("*.py"):  # a chapter's last cell leads to them
        copied = html / module.relative_to(ROOT)
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(module, copied)
    for page in html.rglob("*.html"):
        write_text_atomic(page, with_cell_anchors(without_network(page.read_text(encoding="utf-8"))))
    return html / "index.html"


def with_cell_anchors(page: str) -> str:
    """Give each code cell of a chapter's page an anchor by its number, to which the ledger's rows lead."""
    numbers = count(1)
    return _CELL.sub(lambda cell: f'<div id="{CELL_ANCHOR}{next(numbers)}" class="cell{cell[1]}">', page)


def without_network(page: str) -> str:
    """Drop from a page what Jupyter Book adds for a server and what fails or asks the network without one.

    Thebe's set-up names a CDN and stands twice, which is an error; font preloads are refused for pages opened
    from the file system, where the icons come from a script anyway.
    """
    page = re.sub(r"<script[^>]*>(?:(?!</script>).)*(?:THEBE_JS_URL|kernelName)(?:(?!</script>).)*</script>", "", page)
    page = re.sub(r'<script type="text/x-thebe-config">.*?</script>', "", page, flags=re.DOTALL)
    page = re.sub(r'<script[^>]*src="[^"]*sphinx-thebe\.js[^"]*"[^>]*></script>', "", page)
    return re.sub(r'<link rel="preload" as="font"[^>]*>', "", page)

# The study in order: each notebook runs once what it needs is there, and again only when that changed.
#   snakemake --cores 2 --config profile=quick
# For a cluster, add `--executor slurm` or `--executor kubernetes`; nothing below changes.
import os
from pathlib import Path

from icsilib.data.manifest import available
from icsilib.study.order import chapters

PROFILE = config.get("profile", "quick")
OUT = Path("build") / PROFILE
CHAPTERS = {name: c for name, c in chapters().items() if c.needs_data is None or available(c.needs_data)}
PROSE = [path for path in Path("book").rglob("*") if path.is_file()]
os.environ.setdefault("PYTHONHASHSEED", "0")


def executed(name):
    return str(OUT / "notebooks" / f"{name}.ipynb")


rule book:
    input:
        [executed(name) for name in CHAPTERS],
        PROSE,
        "icsilib/study/book.py",
    output:
        OUT / "html" / "index.html",
    params:
        notebooks=OUT / "notebooks",
        results=OUT / "results",
        html=OUT / "html",
    shell:
        "icsi study book --notebooks {params.notebooks} --results {params.results} --html {params.html}"


for name, chapter in CHAPTERS.items():

    rule:
        name:
            name
        input:
            source=chapter.source,
            library=chapter.library,
            files=chapter.files,
            earlier=[executed(other) for other in chapter.after if other in CHAPTERS],
        output:
            notebook=executed(name),
            results=OUT / "results" / f"{chapter.results}.json",
        params:
            words=" ".join(
                f"-p '{key}={value}'"
                for key, value in {"profile": PROFILE, "build": "../build", **chapter.parameters}.items()
            ),
        threads: max(1, workflow.cores // 2) if chapter.trains else 1
        shell:
            "icsi study run {input.source} {output.notebook} {params.words}"

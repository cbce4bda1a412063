# The study in order: each notebook runs once what it needs is there, and again only when that changed.
#   snakemake --cores 2 --config profile=quick
# For a cluster, add `--executor slurm` or `--executor kubernetes`; nothing below changes.
# Paths are relative and sources are known by their digest: a moved folder runs nothing again, a changed source does,
# whatever its time stamp is.
import os
from pathlib import Path

from icsilib.data.manifest import available
from icsilib.study.order import ROOT, chapter_digests, chapters, digest_of, module_sources, relative

PROFILE = config.get("profile", "quick")
OUT = Path("build") / PROFILE
CHAPTERS = {name: c for name, c in chapters().items() if c.needs_data is None or available(c.needs_data)}
DIGESTS = chapter_digests()
PROSE = [path for path in sorted((ROOT / "book").rglob("*")) if path.is_file()]
os.environ.setdefault("PYTHONHASHSEED", "0")


def made(names):
    """What the chapters leave: executed notebooks and results."""
    notebooks = [f"{OUT}/notebooks/{name}.ipynb" for name in names if name in CHAPTERS]
    return notebooks + [f"{OUT}/results/{CHAPTERS[name].results}.json" for name in names if name in CHAPTERS]


rule book:
    input:
        made(CHAPTERS),
        relative(PROSE),
    output:
        OUT / "html" / "index.html",
    params:
        notebooks=OUT / "notebooks",
        results=OUT / "results",
        html=OUT / "html",
        digest=digest_of([*PROSE, *module_sources("icsilib.study.book", "icsilib.study.crate")]),
    shell:
        "icsi study book --notebooks {params.notebooks:q} --results {params.results:q} --html {params.html:q}"


for name, chapter in CHAPTERS.items():

    rule:
        name:
            name
        input:
            source=relative([chapter.source]),
            library=relative(chapter.library),
            files=relative(chapter.files),
            earlier=made(chapter.after),
        output:
            notebook=made([name])[0],
            results=made([name])[1],
        params:
            words=[
                word
                for key, value in {"profile": PROFILE, "build": "../build", **chapter.parameters}.items()
                for word in ("-p", f"{key}={value}")
            ],
            digest=DIGESTS[name],
        threads: max(1, workflow.cores // 2) if chapter.trains else 1
        shell:
            "icsi study run {input.source:q} {output.notebook:q} {params.words:q}"

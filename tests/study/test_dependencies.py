import json
from pathlib import Path

from icsilib.study.order import ROOT, notebook_sources


def names(files: list[Path]) -> set[str]:
    return {file.relative_to(ROOT).as_posix() for file in files}


def test_a_notebook_depends_on_what_it_imports_and_what_that_imports(tmp_path: Path) -> None:
    code = "%matplotlib inline\nfrom icsilib.study.notebooks import say\nimport numpy"
    notebook = {"cells": [{"cell_type": "code", "source": code}, {"cell_type": "markdown", "source": "import x"}]}
    (tmp_path / "a.ipynb").write_text(json.dumps(notebook))
    found = names(notebook_sources(tmp_path / "a.ipynb"))
    assert {"icsilib/study/notebooks.py", "icsilib/study/provenance.py", "icsilib/files.py"} <= found
    assert "icsilib/__init__.py" in found
    assert not any(name.startswith(("icsilib/segmentation", "icsilib/data")) for name in found)


def test_a_module_imported_from_a_package_counts(tmp_path: Path) -> None:
    notebook = {"cells": [{"cell_type": "code", "source": "from icsilib.data import annotations"}]}
    (tmp_path / "a.ipynb").write_text(json.dumps(notebook))
    assert "icsilib/data/annotations.py" in names(notebook_sources(tmp_path / "a.ipynb"))

from pathlib import Path

import pytest

from icsilib.study.book import assemble, build
from icsilib.study.order import ROOT


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Every page of a book built from the stored notebooks, without running anything."""
    folder = tmp_path_factory.mktemp("book")
    (folder / "results").mkdir()
    source = assemble(ROOT / "notebooks", folder / "results", folder / "source")
    index = build(source, folder / "html")
    return sorted(page for page in index.parent.rglob("*.html") if "_static" not in page.parts)

"""Order of the tests: files that take long begin first, so that no core is left alone with one of them at the end."""

import pytest

LONG = ("test_train.py", "test_pages.py", "test_annotators.py", "test_detector.py", "test_bu_bil_chapter.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in LONG)

"""The system's Chromium, headless, driven by Playwright, for tests of pages opened from the file system."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Error, Page, sync_playwright

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
QUIET += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
TYPESET = "window.MathJax && MathJax.startup ? MathJax.startup.promise.then(() => true) : true"
needs_browser = pytest.mark.skipif(BROWSER is None, reason="needs Chromium or Chrome on the PATH")


class Tab:
    """One tab; it keeps what the last page asked for outside the file system, and what it complained of."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.requested: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self._note_request(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)

    def _note_request(self, url: str) -> None:
        if not url.startswith(("file:", "data:", "blob:")):
            self.requested.append(url)

    def evaluate(self, script: str) -> Any:
        """The value of an expression, awaited; an exception in the page fails the test."""
        return self.page.evaluate(script)

    def open(self, address: Path | str) -> None:
        """Load a page, and wait until its formulas are typeset and a moment more."""
        self.requested.clear()
        self.complaints.clear()
        self.page.goto(address.as_uri() if isinstance(address, Path) else address)
        for _ in range(20):  # a page that leads on to another, as the book's first does, is left while one asks
            try:
                self.page.evaluate(TYPESET)
                self.page.wait_for_timeout(300)
                return
            except Error as error:
                if "navigation" not in str(error):
                    raise
                self.page.wait_for_load_state()
        raise TimeoutError(f"{address} leads on and on")


@contextmanager
def browser() -> Iterator[Tab]:
    """A browser with fresh settings, ended on leaving."""
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=BROWSER, args=QUIET)
        try:
            yield Tab(chromium.new_page())
        finally:
            chromium.close()

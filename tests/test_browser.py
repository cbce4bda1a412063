"""A real browser opens every page from the file system: no request leaves, nothing fails, formulas are typeset."""

import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import websocket

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs Chromium or Chrome on the PATH")


class Tab:
    """One tab of a headless browser, driven over the DevTools protocol."""

    def __init__(self, address: str) -> None:
        self.socket = websocket.create_connection(address, timeout=30, suppress_origin=True)
        self.number = 0
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self.number += 1
        self.events: list[dict[str, Any]] = []
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == self.number:
                return message.get("result", {})
            self.events.append(message)

    def open(self, page: Path) -> list[dict[str, Any]]:
        """Everything that happened while `page` loaded and half a second after."""
        self.call("Page.navigate", url=page.as_uri())
        events = list(self.events)
        for _ in range(60):
            state = self.evaluate("document.readyState + String(!window.MathJax || !!document.querySelector('html'))")
            events += self.events
            if state.startswith("complete"):
                break
            time.sleep(0.1)
        # A busy machine typesets late: wait for MathJax to say that it is done, then for whatever comes after it.
        self.evaluate("window.MathJax && MathJax.startup ? MathJax.startup.promise.then(() => 0) : 0")
        self.evaluate("new Promise(done => setTimeout(done, 700))")
        return events + self.events

    def evaluate(self, script: str) -> Any:
        result = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        return result["result"].get("value")


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    home = tmp_path_factory.mktemp("browser")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", f"--user-data-dir={home}"]
    process = subprocess.Popen([str(BROWSER), *options, *QUIET], stderr=subprocess.DEVNULL)
    try:
        yield Tab(_address(home / "DevToolsActivePort"))
    finally:
        process.terminate()
        process.wait(10)


def _address(port_file: Path) -> str:
    for _ in range(200):
        if port_file.exists() and len(port_file.read_text().splitlines()) == 2:
            break
        time.sleep(0.1)
    port = port_file.read_text().splitlines()[0]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as answer:
        return next(target["webSocketDebuggerUrl"] for target in json.load(answer) if target["type"] == "page")


def requested(events: list[dict[str, Any]]) -> list[str]:
    urls = [e["params"]["request"]["url"] for e in events if e.get("method") == "Network.requestWillBeSent"]
    return [url for url in urls if not url.startswith(("file:", "data:", "blob:"))]


def complaints(events: list[dict[str, Any]]) -> list[str]:
    thrown = [str(e["params"]) for e in events if e.get("method") == "Runtime.exceptionThrown"]
    logged = [e["params"]["entry"] for e in events if e.get("method") == "Log.entryAdded"]
    return thrown + [entry["text"] for entry in logged if entry["level"] == "error"]


def test_pages_work_without_a_network(tab: Tab, pages: list[Path]) -> None:
    found = {}
    for page in pages:
        events = tab.open(page)
        raw = tab.evaluate(
            "[...document.querySelectorAll('.math')].filter(m => !m.querySelector('mjx-container')).length"
        )
        found[page.name] = (requested(events), complaints(events), f"{raw or 0} formulas not typeset")
    assert found == {page.name: ([], [], "0 formulas not typeset") for page in pages}


def test_no_page_is_wider_than_a_phone(tab: Tab, pages: list[Path]) -> None:
    tab.call("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=1, mobile=True)
    wide = {}
    for page in pages:
        tab.open(page)
        width = tab.evaluate("document.documentElement.scrollWidth")
        if width > 390 + 1:
            wide[page.name] = width
    tab.call("Emulation.clearDeviceMetricsOverride")
    assert wide == {}

"""A headless browser driven over the DevTools protocol, for tests of pages opened from the file system."""

import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import websocket

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
TYPESET = "(window.MathJax && MathJax.startup ? MathJax.startup.promise.then(() => true) : true)"
needs_browser = pytest.mark.skipif(BROWSER is None, reason="needs Chromium or Chrome on the PATH")


class Refused(RuntimeError):
    """The browser could not do what it was asked, such as to evaluate in a page that it is just leaving."""


class Tab:
    """One tab; `events` are those that came while the last call was answered."""

    def __init__(self, address: str) -> None:
        self.socket = websocket.create_connection(address, timeout=60, suppress_origin=True)
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
                if "error" in message:
                    raise Refused(f"{method}: {message['error']['message']}")
                return message.get("result", {})
            self.events.append(message)

    def evaluate(self, script: str) -> Any:
        """The value of an expression, awaited; an exception in the page fails the test."""
        result = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def open(self, address: Path | str) -> list[dict[str, Any]]:
        """Everything that happened while a page loaded, its formulas were typeset, and a moment after."""
        self.call("Page.navigate", url=address.as_uri() if isinstance(address, Path) else address)
        return list(self.events) + self.settle()

    def follow(self, link: str) -> list[dict[str, Any]]:
        """Click the link that an expression gives, wait until the browser has left for it, and `settle` there."""
        goal = self.evaluate(f"{link}.href")
        self.evaluate(f"{link}.click()")
        for _ in range(200):
            try:
                if self.evaluate("location.href") == goal:
                    break
            except Refused:
                pass  # on the way
            time.sleep(0.05)
        return self.settle()

    def settle(self) -> list[dict[str, Any]]:
        """Wait until the page that is being opened is complete; what happened meanwhile."""
        events = []
        for _ in range(200):
            try:  # A busy machine typesets late: wait for MathJax to say that it is done, then for what comes after it.
                complete = self.evaluate(f"document.readyState === 'complete' && {TYPESET}")
            except Refused:  # the page before is only now being left
                complete = False
            events += self.events
            if complete:
                break
            time.sleep(0.05)
        self.evaluate("new Promise(done => setTimeout(done, 300))")
        return events + self.events

    def press(self, key: str, times: int = 1) -> None:
        """Press and release a key, such as "Tab" or "ArrowRight"."""
        codes = {"Tab": 9, "Enter": 13, "End": 35, "Home": 36, "ArrowLeft": 37, "ArrowRight": 39}
        for _ in range(times):
            for kind in ("keyDown", "keyUp"):
                about = {"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": codes[key]}
                self.call("Input.dispatchKeyEvent", **about, **({"text": "\r"} if key == "Enter" else {}))


@contextmanager
def browser(home: Path) -> Iterator[Tab]:
    """A browser with its settings in `home`, ended on leaving."""
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", f"--user-data-dir={home}"]
    # An empty first page: the browser's own one would go on loading its parts while the first tested page opens.
    process = subprocess.Popen([str(BROWSER), *options, *QUIET, "about:blank"], stderr=subprocess.DEVNULL)
    try:
        yield Tab(_address(home / "DevToolsActivePort"))
    finally:
        process.terminate()
        process.wait(10)


def _address(port_file: Path) -> str:
    for _ in range(300):
        if port_file.exists() and len(port_file.read_text().splitlines()) == 2:
            break
        time.sleep(0.1)
    port = port_file.read_text().splitlines()[0]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as answer:
        return next(target["webSocketDebuggerUrl"] for target in json.load(answer) if target["type"] == "page")


def requested(events: list[dict[str, Any]]) -> list[str]:
    """Addresses asked for outside the file system."""
    urls = [e["params"]["request"]["url"] for e in events if e.get("method") == "Network.requestWillBeSent"]
    return [url for url in urls if not url.startswith(("file:", "data:", "blob:"))]


def complaints(events: list[dict[str, Any]]) -> list[str]:
    """Exceptions and errors that the page's console shows."""
    thrown = [str(e["params"]) for e in events if e.get("method") == "Runtime.exceptionThrown"]
    logged = [e["params"]["entry"] for e in events if e.get("method") == "Log.entryAdded"]
    return thrown + [entry["text"] for entry in logged if entry["level"] == "error"]

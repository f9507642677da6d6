"""A real browser without a screen, asked over its debugging pipe: the standard library can speak that."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ANSWER_S = 60.0
"""A busy machine may need as long for what takes a second on a free one."""
ON_DESCRIPTORS_3_AND_4 = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execv(sys.argv[3], sys.argv[3:])"
)


class Browser:
    """One page of a Chromium, spoken to in the Chrome DevTools Protocol (`--remote-debugging-pipe`)."""

    def __init__(self, program: str, profile: Path) -> None:
        commands, self._commands = os.pipe()
        self._answers, answers = os.pipe()
        options = [
            "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--mute-audio", "--hide-scrollbars",
            "--disable-dev-shm-usage", "--disable-background-networking", "--remote-debugging-pipe",
            f"--user-data-dir={profile}", "about:blank",
        ]  # fmt: skip
        self._process = subprocess.Popen(
            [sys.executable, "-c", ON_DESCRIPTORS_3_AND_4, str(commands), str(answers), program, *options],
            pass_fds=(commands, answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"HOME": str(profile)},
        )
        os.close(commands)
        os.close(answers)
        self._received = b""
        self._last_id = 0
        self._session: dict[str, str] = {}
        self.events: list[dict[str, Any]] = []
        """What the page did since it was opened: console, exceptions, requests, as the protocol names them."""
        self._attach()

    def open(self, path: Path) -> None:
        """Load a file and wait until it and its images are there."""
        self.events.clear()
        self.ask("Page.navigate", url=path.as_uri())
        deadline_s = time.monotonic() + ANSWER_S
        while not self.events_of("Page.loadEventFired"):
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"not loaded within {ANSWER_S:g} s: {path}")
            time.sleep(0.02)

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol, and its answer. Raises RuntimeError with the browser's error."""
        self._last_id += 1
        command = {"id": self._last_id, "method": method, "params": parameters, **self._session}
        os.write(self._commands, json.dumps(command).encode() + b"\0")
        while True:
            message = self._receive()
            if message.get("id") == self._last_id:
                break
            self.events.append(message)
        if "error" in message:
            raise RuntimeError(f"{method}: {message['error']}")
        return dict(message["result"])

    def value(self, expression: str) -> Any:
        """What a JavaScript expression, or its promise, is. Raises RuntimeError where it throws."""
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait_for(self, expression: str) -> None:
        """Until an expression is true. Raises TimeoutError."""
        deadline_s = time.monotonic() + ANSWER_S
        while not self.value(expression):
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"not true within {ANSWER_S:g} s: {expression}")
            time.sleep(0.05)

    def click(self, selector: str) -> None:
        """Press the mouse in the middle of an element, as a person does."""
        find = f"document.querySelector({json.dumps(selector)})"
        box = self.value(f"({find}.scrollIntoView({{block: 'center'}}), {find}.getBoundingClientRect().toJSON())")
        self.click_at(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)

    def click_at(self, x: float, y: float) -> None:
        """Press the mouse at a point of the window."""
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def press(self, key: str, text: str = "") -> None:
        """Press a key, such as `Tab`; with the `text` that it writes, such as a carriage return for Enter."""
        codes = {"Tab": 9, "Enter": 13, " ": 32}
        common = {"key": key, "windowsVirtualKeyCode": codes.get(key, 0)}
        self.ask("Input.dispatchKeyEvent", type="keyDown", text=text, **common)
        self.ask("Input.dispatchKeyEvent", type="keyUp", **common)

    def events_of(self, method: str) -> list[dict[str, Any]]:
        """What has happened of one kind up to now."""
        self.value("0")  # what happened before is told before this is answered
        return [event for event in self.events if event.get("method") == method]

    def close(self) -> None:
        """End the browser, and wait until it is gone."""
        try:
            self.ask("Browser.close")
            self._process.wait(timeout=20)
        except (RuntimeError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        os.close(self._commands)
        os.close(self._answers)

    def _attach(self) -> None:
        pages = self.ask("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in pages if target["type"] == "page")
        session = self.ask("Target.attachToTarget", targetId=page, flatten=True)
        self._session = {"sessionId": session["sessionId"]}
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._received:
            ready, _, _ = select.select([self._answers], [], [], ANSWER_S)
            piece = os.read(self._answers, 1 << 20) if ready else b""
            if not piece:
                raise RuntimeError(f"the browser does not answer; its exit status is {self._process.poll()}")
            self._received += piece
        message, _, self._received = self._received.partition(b"\0")
        return dict(json.loads(message))


def find_browser(environ: Mapping[str, str] = os.environ) -> str | None:
    """The path of an installed Chromium, or None."""
    return next((found for name in NAMES if (found := shutil.which(name, path=environ.get("PATH")))), None)


@contextmanager
def opened_browser(program: str) -> Iterator[Browser]:
    """A browser with an empty profile, ended afterwards."""
    # The browser goes on writing for a moment after it was told to end.
    with tempfile.TemporaryDirectory(prefix="respire-browser-", ignore_cleanup_errors=True) as profile:
        browser = Browser(program, Path(profile))
        try:
            yield browser
        finally:
            browser.close()

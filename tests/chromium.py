"""Drives a headless Chromium through its own debugging pipe."""

import base64
import fcntl
import json
import os
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    # Whatever the page asks the outside for fails at once.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--remote-debugging-pipe",
)


_KEY_CODES = {
    "Tab": 9,
    "Enter": 13,
    "Escape": 27,
    "ArrowLeft": 37,
    "ArrowUp": 38,
    "ArrowRight": 39,
    "ArrowDown": 40,
}


def _pipe() -> tuple[int, int]:
    """Both ends of a pipe, far above the two descriptors that the browser listens to."""
    ends = os.pipe()
    reading, writing = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends)
    for end in ends:
        os.close(end)
    return reading, writing


class Chromium:
    """One browser with one page.

    Commands go to the browser's file descriptor 3 and answers come from 4, as JSON that ends
    with a zero byte.
    """

    def __init__(self, binary: str, profile: Path, size: tuple[int, int] = (1600, 1000)) -> None:
        to_browser, self._commands = _pipe()
        self._answers, from_browser = _pipe()
        # bash, since sh may know no descriptor above 9.
        script = f'exec "$0" "$@" 3<&{to_browser} 4>&{from_browser}'
        self._process = subprocess.Popen(
            [
                *("bash", "-c", script, binary, *_FLAGS),
                *(f"--user-data-dir={profile}", f"--window-size={size[0]},{size[1]}"),
            ],
            pass_fds=(to_browser, from_browser),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._buffer = b""
        self._count = 0
        self._session: str | None = None
        self.requested: list[str] = []
        self.complaints: list[str] = []
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        attached = self._call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Network", "Page", "Runtime", "Log"):
            self._call(f"{domain}.enable")

    def __enter__(self) -> "Chromium":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait()
        os.close(self._commands)
        os.close(self._answers)

    def open(self, url: str) -> None:
        self._call("Page.navigate", url=url)

    def visit(self, url: str, limit_s: float = 30) -> None:
        """Opens a page and waits until it has loaded."""
        self.open("about:blank")
        self.open(url)
        end = time.monotonic() + limit_s
        loaded = "document.readyState === 'complete' && location.protocol !== 'about:'"
        while not self.evaluate(loaded):
            if time.monotonic() > end:
                raise RuntimeError(f"{url} does not load")
            time.sleep(0.05)

    def evaluate(self, expression: str) -> Any:
        """The value of an expression, or of what it promises."""
        answer = self._call(
            "Runtime.evaluate",
            expression=expression,
            returnByValue=True,
            awaitPromise=True,
            userGesture=True,
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def text(self) -> str:
        """All that the page shows."""
        return self.evaluate("document.body ? document.body.innerText : ''")

    def wait_for(self, *texts: str, limit_s: float = 60) -> str:
        """Waits until the page shows all of these; returns what it shows then, or at last."""
        end = time.monotonic() + limit_s
        while True:
            shown = self.text()
            if all(text in shown for text in texts) or time.monotonic() > end:
                return shown
            time.sleep(0.2)

    def resize(self, width: int, height: int, *, is_phone: bool = False) -> None:
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=is_phone,
        )

    def prefer(self, scheme: str, media: str = "") -> None:
        """Asks for a colour scheme, and for the rules of a medium such as ``print``."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._call("Emulation.setEmulatedMedia", media=media, features=features)

    def press(self, *keys: str) -> None:
        """Presses keys by their names, such as ``Tab``, ``Enter`` and ``ArrowRight``."""
        for key in keys:
            typed = {"text": "\r"} if key == "Enter" else {}
            code = _KEY_CODES.get(key, 0)
            for kind in ("keyDown", "keyUp"):
                self._call(
                    "Input.dispatchKeyEvent",
                    type=kind,
                    key=key,
                    code=key,
                    windowsVirtualKeyCode=code,
                    **(typed if kind == "keyDown" else {}),
                )

    def screenshot(self, path: Path, *, is_whole: bool = False) -> None:
        """Takes a picture of what is seen, or of the whole page."""
        taken = self._call("Page.captureScreenshot", captureBeyondViewport=is_whole)
        path.write_bytes(base64.b64decode(taken["data"]))

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        self._count += 1
        message: dict[str, Any] = {"id": self._count, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            self._note(answer)
            if answer.get("id") == self._count:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def _note(self, message: dict[str, Any]) -> None:
        """Remembers requests, and what the page or the browser complains of."""
        method, params = message.get("method"), message.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requested.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(str(params["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning"):
            self.complaints.append(str(params["args"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.complaints.append(str(params["entry"]))

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            piece = os.read(self._answers, 1 << 20)
            if not piece:
                raise RuntimeError("Chromium has ended")
            self._buffer += piece
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

"""A headless Chromium, driven through its debugging pipe: no driver program and no package is needed."""

import base64
import itertools
import json
import os
import shutil
import subprocess
import threading
import time
from pathlib import Path
from queue import Empty, Queue
from types import TracebackType
from typing import Any

from tests.eventually import eventually

RESPONSE_SECONDS = 20
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = (
    "--headless",
    "--no-sandbox",  # root runs it here, and in a container
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)


def program() -> str | None:
    """The path of a browser on this machine, or None."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


class Browser:
    """One page of a browser of its own; a `with` block ends it. `profile` is an empty folder."""

    def __init__(self, profile: Path) -> None:
        # The pipe's ends have fixed numbers in the browser: it reads commands from 3 and writes responses to 4.
        commands, self._commands = os.pipe()
        self._responses, responses = os.pipe()
        self._process = subprocess.Popen(
            # Through a shell, because Python cannot choose the number under which a child gets a file.
            [
                "bash",
                "-c",
                f'exec 3<&{commands} 4>&{responses}; exec "$@"',
                "-",
                str(program()),
                *OPTIONS,
                f"--user-data-dir={profile}",
            ],
            pass_fds=(commands, responses),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(commands)
        os.close(responses)
        self.errors: list[str | None] = []  # what the page wrote to its console, or threw
        self.requests: list[tuple[float, str]] = []  # when the page sent which request: monotonic seconds, URL
        self._numbers = itertools.count(1)
        self._received: Queue[dict[str, Any]] = Queue()
        self._session: str | None = None
        threading.Thread(target=self._listen, daemon=True).start()

    def __enter__(self) -> "Browser":
        self._target = self._command("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._command("Target.attachToTarget", targetId=self._target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._command(f"{domain}.enable")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._commands)

    def open(self, url: str) -> None:
        self._command("Page.navigate", url=url)
        eventually(lambda: self.run("document.readyState") == "complete")

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression in the page."""
        response = self._command("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in response, response
        return response["result"].get("value")

    def text(self, selector: str) -> str:
        return str(self.run(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''"))

    def visible(self, selector: str) -> bool:
        return bool(self.run(f"document.querySelector({json.dumps(selector)})?.checkVisibility() ?? false"))

    def fill(self, selector: str, value: str) -> None:
        """Type `value` into a field, or choose it in a list, as a person would: the page gets the event."""
        self.run(
            f"(field => {{ field.value = {json.dumps(value)};"
            " field.dispatchEvent(new Event('input', {bubbles: true})); })"
            f"(document.querySelector({json.dumps(selector)}))"
        )

    def click(self, selector: str) -> None:
        """Press the left button in the middle of the element."""
        box = self.run(
            f"(element => {{ element.scrollIntoView({{block: 'center'}}); const box = element.getBoundingClientRect();"
            " return {x: box.x + box.width / 2, y: box.y + box.height / 2}; })"
            f"(document.querySelector({json.dumps(selector)}))"
        )
        for event in ("mousePressed", "mouseReleased"):
            self._command("Input.dispatchMouseEvent", type=event, button="left", clickCount=1, **box)

    def resize(self, width: int, height: int, scale: int = 1, dark: bool = False) -> None:
        self._command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=width < 600,
        )
        feature = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._command("Emulation.setEmulatedMedia", features=[feature])

    def prefer(self, languages: str) -> None:
        """Set the languages that the browser asks for: "pt-BR,en". The next page that is opened gets them."""
        agent = self.run("navigator.userAgent")
        self._command("Emulation.setUserAgentOverride", userAgent=agent, acceptLanguage=languages)

    def scripts(self, enabled: bool = True) -> None:
        """Switch JavaScript off or on; the next page that is opened gets it."""
        self._command("Emulation.setScriptExecutionDisabled", value=not enabled)

    def disconnect(self, offline: bool = True) -> None:
        """Cut the page off from its service, or connect it again."""
        self._command(
            "Network.emulateNetworkConditions", offline=offline, latency=0, downloadThroughput=-1, uploadThroughput=-1
        )

    def hide(self) -> str:
        """Open another tab in front of the page; `show` with the result closes the tab."""
        return str(self._command("Target.createTarget", url="about:blank")["targetId"])

    def show(self, other: str) -> None:
        self._command("Target.closeTarget", targetId=other)
        self._command("Target.activateTarget", targetId=self._target)

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self._command("Page.captureScreenshot", format="png")["data"]))

    def _command(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            try:
                response = self._received.get(timeout=RESPONSE_SECONDS)
            except Empty:
                raise AssertionError(f"the browser does not answer {method}") from None
            if response.get("id") == number:
                assert "error" not in response, response["error"]
                return dict(response["result"])

    def _listen(self) -> None:
        with open(self._responses, "rb") as responses:
            received = b""
            while chunk := responses.read1(1 << 16):
                *messages, received = (received + chunk).split(b"\0")
                for message in map(json.loads, messages):
                    self._receive(message)

    def _receive(self, message: dict[str, Any]) -> None:
        method, parameters = message.get("method"), message.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.errors.append(parameters["exceptionDetails"]["exception"].get("description"))
        elif method == "Log.entryAdded":
            self.errors.append(parameters["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requests.append((time.monotonic(), parameters["request"]["url"]))
        elif "id" in message:
            self._received.put(message)

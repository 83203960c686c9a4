"""A headless Chromium, driven over its own debugging pipe: no driver program and no package is needed for it."""

import base64
import itertools
import json
import os
import shutil
import subprocess
import threading
from queue import Empty, Queue

from tests.eventually import eventually

ANSWER_SECONDS = 20
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = (
    "--headless",
    "--no-sandbox",  # it runs as root here, and in a container
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


def program():
    """The path of a browser on this machine, or None."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


class Browser:
    """One page of a browser of its own; a `with` block ends it. `profile` is an empty folder."""

    def __init__(self, profile):
        # The pipe's ends have fixed numbers in the browser: it reads commands from 3 and writes answers to 4.
        commands, self._commands = os.pipe()
        self._answers, answers = os.pipe()
        self._process = subprocess.Popen(
            # Through a shell, for Python cannot say under which number a child gets a file.
            [
                "bash",
                "-c",
                f'exec 3<&{commands} 4>&{answers}; exec "$@"',
                "-",
                program(),
                *OPTIONS,
                f"--user-data-dir={profile}",
            ],
            pass_fds=(commands, answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(commands)
        os.close(answers)
        self.complaints = []  # what the page wrote to its console, or threw
        self._numbers = itertools.count(1)
        self._received = Queue()
        self._session = None
        threading.Thread(target=self._listen, daemon=True).start()

    def __enter__(self):
        target = self._command("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._command("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._command(f"{domain}.enable")
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        os.close(self._commands)

    def open(self, url):
        self._command("Page.navigate", url=url)
        eventually(lambda: self.run("document.readyState") == "complete")

    def run(self, script):
        """The value of a JavaScript expression in the page."""
        answer = self._command("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def text(self, selector):
        return self.run(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''")

    def visible(self, selector):
        return self.run(f"document.querySelector({json.dumps(selector)})?.checkVisibility() ?? false")

    def fill(self, selector, value):
        """Type `value` into a field, or choose it in a list, as a person would: the page hears of it."""
        self.run(
            f"(field => {{ field.value = {json.dumps(value)};"
            " field.dispatchEvent(new Event('input', {bubbles: true})); })"
            f"(document.querySelector({json.dumps(selector)}))"
        )

    def click(self, selector):
        """Press the left button in the middle of the element."""
        box = self.run(
            f"(element => {{ element.scrollIntoView({{block: 'center'}}); const box = element.getBoundingClientRect();"
            " return {x: box.x + box.width / 2, y: box.y + box.height / 2}; })"
            f"(document.querySelector({json.dumps(selector)}))"
        )
        for event in ("mousePressed", "mouseReleased"):
            self._command("Input.dispatchMouseEvent", type=event, button="left", clickCount=1, **box)

    def resize(self, width, height, scale=1, dark=False):
        self._command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=width < 600,
        )
        feature = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._command("Emulation.setEmulatedMedia", features=[feature])

    def disconnect(self, away=True):
        """Cut the page off from its service, or connect it again."""
        self._command(
            "Network.emulateNetworkConditions", offline=away, latency=0, downloadThroughput=-1, uploadThroughput=-1
        )

    def screenshot(self, path):
        path.write_bytes(base64.b64decode(self._command("Page.captureScreenshot", format="png")["data"]))

    def _command(self, method, **parameters):
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            try:
                answer = self._received.get(timeout=ANSWER_SECONDS)
            except Empty:
                raise AssertionError(f"the browser does not answer {method}") from None
            if answer.get("id") == number:
                assert "error" not in answer, answer["error"]
                return answer["result"]

    def _listen(self):
        with open(self._answers, "rb") as answers:
            received = b""
            while chunk := answers.read1(1 << 16):
                *messages, received = (received + chunk).split(b"\0")
                for message in map(json.loads, messages):
                    self._hear(message)

    def _hear(self, message):
        if message.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(message["params"]["exceptionDetails"]["exception"].get("description"))
        elif message.get("method") == "Log.entryAdded":
            self.complaints.append(message["params"]["entry"]["text"])
        elif "id" in message:
            self._received.put(message)

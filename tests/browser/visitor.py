"""A person's browser: tabs that are really hidden, pages that are really kept or prerendered.

Playwright makes each page believe that it is looked at, and forbids prerendering; so this speaks
the DevTools protocol itself, over two pipes, and is attached to a tab only while it asks something.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any, Self

from tests.browser.conftest import ARGUMENTS
from tests.require import program
from tests.servers.up import BROWSER

_LEFT_OUT = ("--headless", "--disable-background-networking")
_ARGUMENTS = [
    *(flag for flag in ARGUMENTS if flag not in _LEFT_OUT),
    "--headless=new",
    "--remote-debugging-pipe",
    f"--user-agent={BROWSER}",
]


class VisitorError(Exception):
    """The browser refused a command, for example because the page is on its way to another."""


class Visitor:
    """A browser without a past. Tabs are named by a string."""

    def __init__(self, folder: Path, *more: str) -> None:
        """Start the browser; `more` are arguments, which win over those that all tests have."""
        read_commands, commands = os.pipe()
        answers, write_answers = os.pipe()
        # The browser takes commands at descriptor 3 and answers at 4.
        self._process = subprocess.Popen(
            [
                *("bash", "-c", f'exec "$0" "$@" 3<&{read_commands} 4>&{write_answers}'),
                *(program("chromium"), *_ARGUMENTS, *more),
                *(f"--user-data-dir={folder}", "about:blank"),
            ],
            pass_fds=(read_commands, write_answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read_commands)
        os.close(write_answers)
        self._commands = os.fdopen(commands, "wb", buffering=0)
        self._answers = os.fdopen(answers, "rb", buffering=0)
        self._unread = b""
        self._sent = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(120)
        self._commands.close()
        self._answers.close()

    def open(self, url: str, *, behind: bool = False, profile: str = "") -> str:
        """Open a tab, behind the one that is looked at or in front of it; return the tab."""
        of = {"browserContextId": profile} if profile else {}
        made = self._command("Target.createTarget", url=url, background=behind, **of)
        return str(made["targetId"])

    def new_profile(self) -> str:
        """Return a profile without a past, beside that of the first tabs."""
        return str(self._command("Target.createBrowserContext")["browserContextId"])

    def drop_profile(self, profile: str) -> None:
        """Close the tabs of a profile, and forget it."""
        self._command("Target.disposeBrowserContext", browserContextId=profile)

    def show(self, tab: str) -> None:
        """Bring a tab to the front."""
        self._command("Target.activateTarget", targetId=tab)

    def close(self, tab: str) -> None:
        """Close a tab."""
        self._command("Target.closeTarget", targetId=tab)

    def evaluate(self, tab: str, expression: str) -> Any:
        """Return what an expression is in a tab; raises VisitorError where it cannot be told."""
        attached = self._command("Target.attachToTarget", targetId=tab, flatten=True)
        session = attached["sessionId"]
        try:
            told = self._command(
                "Runtime.evaluate", session, expression=expression, returnByValue=True
            )
        finally:
            self._command("Target.detachFromTarget", sessionId=session)
        if "exceptionDetails" in told:
            raise VisitorError(f"{expression}: {told['exceptionDetails']}")
        return told["result"].get("value")

    def ask(self, tab: str, expression: str) -> Any:
        """Return what an expression is, or None where it cannot be told: a page may be on its way.

        This is what a test asks until something comes true.
        """
        try:
            return self.evaluate(tab, expression)
        except VisitorError:
            return None

    def _command(self, method: str, session: str | None = None, **parameters: Any) -> Any:
        self._sent += 1
        command = {"id": self._sent, "method": method, "params": parameters}
        if session is not None:
            command["sessionId"] = session
        self._commands.write(json.dumps(command).encode() + b"\0")
        while (answer := self._next()).get("id") != self._sent:
            pass
        if "error" in answer:
            raise VisitorError(f"{method}: {answer['error']}")
        return answer["result"]

    def _next(self) -> Any:
        while b"\0" not in self._unread:
            received = self._answers.read(1 << 16)
            if not received:
                raise VisitorError("the browser has ended")
            self._unread += received
        message, _, self._unread = self._unread.partition(b"\0")
        return json.loads(message)

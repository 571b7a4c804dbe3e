"""Firefox, over Marionette: the protocol that geckodriver, which Debian has not, speaks to it."""

import json
import socket
from pathlib import Path
from typing import Any

from tests.browser.engines.blocker import extension
from tests.browser.engines.engine import (
    WAIT_SECONDS,
    Engine,
    EngineError,
    Silence,
    appears,
    end,
    start,
)
from tests.require import program

_ASKS = {
    Silence.DNT: ["privacy.donottrackheader.enabled"],
    Silence.GPC: [
        "privacy.globalprivacycontrol.enabled",
        "privacy.globalprivacycontrol.functionality.enabled",
    ],
}

# Tells what could not be cleared, as flags of nsIClearDataService.
_FORGET = """
    const done = arguments[arguments.length - 1];
    Services.obs.notifyObservers(null, "net:cancel-all-connections");
    Services.clearData.deleteData(Ci.nsIClearDataService.CLEAR_ALL, { onDataDeleted: done });
"""


class Firefox(Engine):
    """Debian's Firefox ESR."""

    asks = (Silence.DNT, Silence.GPC)
    twice = True

    def __init__(
        self, folder: Path, *, silence: Silence | None = None, blocking: bool = False
    ) -> None:
        profile = folder / "profile"
        profile.mkdir()
        chosen: dict[str, Any] = {
            "marionette.port": 0,
            # Nothing is asked of the world outside.
            "remote.prefs.recommended": True,
            "network.dns.forceResolve": "127.0.0.1",
        }
        for asks, names in _ASKS.items():
            chosen |= dict.fromkeys(names, asks is silence)
        lines = (
            f"user_pref({json.dumps(name)}, {json.dumps(value)});\n"
            for name, value in chosen.items()
        )
        (profile / "user.js").write_text("".join(lines))
        arguments = ["--headless", "--marionette", "--no-remote", "--profile", str(profile)]
        # What forgets a visitor is no script of a page.
        arguments.append("--remote-allow-system-access")
        environ = {"HOME": str(folder)}
        self._process = start([program("firefox-esr"), *arguments, "about:blank"], environ)
        self._sent = 0
        try:
            port = int(appears(profile / "MarionetteActivePort", self._process))
            self._socket = socket.create_connection(("127.0.0.1", port), WAIT_SECONDS)
        except BaseException:
            end(self._process)
            raise
        self._stream = self._socket.makefile("rwb")
        self._message()
        self._command("WebDriver:NewSession")
        if blocking:
            path = str(extension(folder / "blocker"))
            self._command("Addon:Install", path=path, temporary=True)

    def open(self, url: str) -> None:
        self._command("WebDriver:Navigate", url=url)

    def evaluate(self, expression: str) -> Any:
        told = self._command("WebDriver:ExecuteScript", script=f"return {expression}", args=[])
        return told["value"]

    def forget(self) -> None:
        """Leave the tab for a new one, and clear whatever a profile keeps, connections included."""
        new = self._command("WebDriver:NewWindow", type="tab")["handle"]
        self._command("WebDriver:CloseWindow")
        self._command("WebDriver:SwitchToWindow", handle=new)
        self._command("Marionette:SetContext", value="chrome")
        told = self._command("WebDriver:ExecuteAsyncScript", script=_FORGET, args=[])
        assert told["value"] == 0
        self._command("Marionette:SetContext", value="content")

    def close(self) -> None:
        self._stream.close()
        self._socket.close()
        end(self._process)

    def _command(self, name: str, **parameters: Any) -> Any:
        """Send a command; return its result.

        See https://firefox-source-docs.mozilla.org/testing/marionette/Protocol.html.
        """
        self._sent += 1
        command = json.dumps([0, self._sent, name, parameters]).encode()
        self._stream.write(b"%d:%b" % (len(command), command))
        self._stream.flush()
        _, number, error, result = self._message()
        assert number == self._sent
        if error:
            raise EngineError(f"{name}: {error['message']}")
        return result

    def _message(self) -> Any:
        length = b""
        while (digit := self._stream.read(1)) != b":":
            if not digit:
                raise EngineError("the browser has ended")
            length += digit
        return json.loads(self._stream.read(int(length)))

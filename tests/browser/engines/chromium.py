"""Chromium, over the DevTools protocol."""

import json
from pathlib import Path
from typing import Any

from tests.browser.engines.blocker import extension
from tests.browser.engines.engine import Engine, EngineError, Silence
from tests.browser.visitor import Visitor, VisitorError

# Its own would say that it is headless.
_AGENT = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/142.0.0.0 Safari/537.36"
)


class Chromium(Engine):
    """Debian's Chromium."""

    asks = (Silence.DNT,)
    cuts = False

    def __init__(
        self, folder: Path, *, silence: Silence | None = None, blocking: bool = False
    ) -> None:
        settings = folder / "profile" / "Default"
        settings.mkdir(parents=True)
        asks = {"enable_do_not_track": silence is Silence.DNT}
        (settings / "Preferences").write_text(json.dumps(asks))
        more = [f"--user-agent={_AGENT}"]
        if blocking:
            more.append(f"--load-extension={extension(folder / 'blocker')}")
        self._visitor = Visitor(folder / "profile", *more)
        self._profile = ""
        self._tab = self._visitor.open("about:blank")

    def open(self, url: str) -> None:
        tab = self._visitor.open(url, profile=self._profile)
        self._visitor.close(self._tab)
        self._tab = tab
        self.wait(f"location.href === {url!r} && document.readyState === 'complete'")

    def evaluate(self, expression: str) -> Any:
        try:
            return self._visitor.evaluate(self._tab, expression)
        except VisitorError as error:
            raise EngineError(str(error)) from error

    def forget(self) -> None:
        """Leave the profile, as a private window would, for a new one."""
        last, self._profile = self._profile, self._visitor.new_profile()
        tab = self._visitor.open("about:blank", profile=self._profile)
        self._visitor.close(self._tab)
        self._tab = tab
        if last:
            self._visitor.drop_profile(last)

    def close(self) -> None:
        self._visitor.__exit__()

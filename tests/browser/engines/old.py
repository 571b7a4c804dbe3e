"""An engine of 2016, which does not know modules: the WebKit of Qt, in wkhtmltoimage."""

import os
import subprocess
from pathlib import Path

from tests.browser.engines.engine import WAIT_SECONDS
from tests.browser.engines.names import known_names
from tests.require import program

_AGENT = "Mozilla/5.0 (Windows NT 6.1; Trident/7.0; rv:11.0) like Gecko"


def open_in_old_engine(url: str, folder: Path) -> None:
    """Open a page as a reader with Internet Explorer 11; return when it was loaded and drawn."""
    picture = folder / "page.png"
    subprocess.run(
        [
            *(program("wkhtmltoimage"), "--quiet", "--custom-header", "User-Agent", _AGENT),
            *("--custom-header-propagation", "--javascript-delay", "500", url, str(picture)),
        ],
        env={
            **os.environ,
            **known_names(folder),
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
            "QT_QPA_PLATFORM": "offscreen",
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=WAIT_SECONDS,
        check=True,
    )
    assert picture.stat().st_size

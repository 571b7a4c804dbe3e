"""What a portal puts into its pages, as text: `luot snippet`."""

import base64
import html
import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from math import ceil
from typing import Any, NamedTuple
from urllib.parse import quote

from services.model.display import DEFAULT_LINES, HEADINGS, Lang, Line

# The height of a letter in the page for an iframe.
FRAME_EM_PX = 14


class Scripts(NamedTuple):
    """The script of one version: where it is, and its hash."""

    version: str
    path: str
    integrity: str


class Snippet:
    """The ways to embed the counter of one site."""

    def __init__(
        self, url: str, site: str, scripts: Scripts, display: Mapping[str, Any] | None = None
    ) -> None:
        """`url` is where browsers reach Luot; `display` is what the site's admin has set."""
        self._url = url.rstrip("/")
        self._site = site
        self._scripts = scripts
        self._display = display or {}

    def ways(self) -> dict[str, str]:
        """Return each way by its name."""
        site, url = quote(self._site), self._url
        lang = Lang(self._display.get("lang") or Lang.VI)
        alt = self._display.get("heading") or HEADINGS[lang]
        policy = "no-referrer-when-downgrade"
        return {
            "script": _tag("script", "async", src=f"{url}/counter.js", data_site=self._site),
            "pinned": _tag(
                "script",
                "async",
                src=url + self._scripts.path,
                integrity=self._scripts.integrity,
                crossorigin="anonymous",
                data_site=self._site,
            ),
            "late": f"<script>{self._late()}</script>",
            "block": _tag("visitor-counter", **self._frame()),
            "style": f"visitor-counter {{ display: block; min-height: {self._height():g}em }}",
            "views": "<span data-luot-views></span>",
            "image": "<noscript>"
            + _open(
                "img",
                src=f"{url}/hit.gif?d={site}",
                width="1",
                height="1",
                alt="",
                referrerpolicy=policy,
            )
            + "</noscript>",
            "badge": _open("img", src=f"{url}/counter/{site}.svg", alt=alt),
            "frame": _tag(
                "iframe",
                src=f"{url}/counter/{site}.html",
                title=alt,
                width="220",
                height=str(ceil(self._height() * FRAME_EM_PX)),
            ),
            "include": f'<!--#include virtual="/counter/{site}.txt" -->',
        }

    def _late(self) -> str:
        src, site = (
            json.dumps(value).replace("<", "\\u003c")
            for value in (f"{self._url}/counter.js", self._site)
        )
        return f"""
addEventListener("load", () => {{
  const luot = document.createElement("script");
  luot.src = {src};
  luot.dataset.site = {site};
  document.head.append(luot);
}});
"""

    def late_source(self) -> str:
        """Return what allows the way `late` in a `script-src` (CSP level 3, section 2.3.1)."""
        return f"'sha256-{base64.b64encode(sha256(self._late().encode()).digest()).decode()}'"

    def policy(self) -> dict[str, str]:
        """Return what to add to each line of a Content-Security-Policy."""
        return dict.fromkeys(("script-src", "connect-src", "img-src", "frame-src"), self._url) | {
            "trusted-types": "luot"
        }

    def text(self) -> str:
        """Return everything for a person, as HTML with comments."""
        given = {"version": self._scripts.version, "late": self.late_source()}
        titles = {name: title.format(**given) for name, title in _TITLES.items()}
        told = "\n\n".join(f"<!-- {titles[name]} -->\n{way}" for name, way in self.ways().items())
        lines = "\n".join(f"     {name} {value}" for name, value in self.policy().items())
        return f"{told}\n\n<!-- {_POLICY}\n{lines} -->"

    def json(self) -> str:
        """Return everything for a program."""
        told = {
            "site": self._site,
            "url": self._url,
            "version": self._scripts.version,
            "ways": self.ways(),
            "content_security_policy": self.policy(),
        }
        return json.dumps(told, ensure_ascii=False, indent=2)

    def _frame(self) -> dict[str, str]:
        """Return the options that the element's size depends on, to be known before the answer."""
        told = {}
        for name in ("lines", "digits", "heading", "preset"):
            value = self._display.get(name)
            if value is not None:
                told[name] = ",".join(value) if isinstance(value, list) else str(value)
        return told

    def _height(self) -> float:
        """Return a height that the block fits into, in its own letter height."""
        digits = int(self._display.get("digits") or 0)
        lines: Sequence[str] | None = self._display.get("lines")
        if lines is None:
            lines = [line for line in DEFAULT_LINES if not (digits and line is Line.TOTAL)]
        heading = self._display.get("heading") != ""
        return 1 + 2.1 * len(lines) + 2.7 * heading + 3 * bool(digits)


_TITLES = {
    "script": "the script, in the head of every page",
    "pinned": "or the script of this version ({version}), which never changes unnoticed",
    "late": "or the script after everything else: a page does not wait for it even where Luot"
    " hangs;\n     under a policy add {late} to script-src,"
    "\n     or put what is inside the tags into a script file of the portal's own",
    "block": "the block, where it is to be seen",
    "style": "keeps its place before the script is there: into the portal's style sheet",
    "views": "the views of the article on this page",
    "image": "counts where scripts are off",
    "badge": "the block as a picture: shows, does not count",
    "frame": "the block as a frame: shows, does not count",
    "include": "the block as text, where the portal's web server passes /counter/ on to Luot",
}
_POLICY = "Content-Security-Policy: add to the lines that the portal sends"


def _open(name: str, *flags: str, **attributes: str) -> str:
    told = [name, *flags]
    for attribute, value in attributes.items():
        told.append(f'{attribute.replace("_", "-")}="{html.escape(value)}"')
    return f"<{' '.join(told)}>"


def _tag(name: str, *flags: str, **attributes: str) -> str:
    return f"{_open(name, *flags, **attributes)}</{name}>"

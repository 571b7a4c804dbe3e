"""What a portal puts into its pages, as text for `luot snippet` and the dashboard."""

import html
import json
from collections.abc import Callable, Mapping
from textwrap import fill
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec

from services.http import csp
from services.model.display import HEADINGS, Display, Lang, Look
from services.widget.heights import Size, element_height, frame
from services.widget.page_address import PAGE_ADDRESS, explained


class PinnedScript(NamedTuple):
    """The script of one version: its path, and its hash for `integrity`."""

    version: str
    path: str
    integrity: str


class Snippet:
    """The snippets that embed the counter of one site."""

    def __init__(
        self,
        url: str,
        site: str,
        script: PinnedScript,
        display: Mapping[str, Any] | None = None,
        badge: Size | None = None,
    ) -> None:
        """Prepare the snippets of a site.

        `url` is the address at which browsers reach Luot, `display` the site's display settings,
        `badge` the current size of its badge. Raises msgspec.ValidationError for an unknown display
        option.
        """
        self._url = url.rstrip("/")
        self._site = site
        self._script = script
        chosen = msgspec.convert(display or {}, Display)
        self._look, self._theme = Look.of(chosen), chosen.theme
        self._badge = badge

    def ways(self) -> dict[str, str]:
        """Return the snippets by name, in the order in which a portal needs them."""
        url = self._url
        return {
            "script": _tag("script", "async", src=f"{url}/counter.js", data_site=self._site),
            "block": _tag("visitor-counter"),
            "style": "visitor-counter { display: block;"
            f" min-height: {element_height(self._look, self._theme):g}em }}",
            "views": "<span data-luot-views></span>",
            "image": f"<noscript>{self._image()}</noscript>",
            "old": f"<script nomodule>{self._old()}</script>",
            "image_alone": self._image(),
            **self._shown(),
            "pinned": _tag(
                "script",
                "async",
                src=url + self._script.path,
                integrity=self._script.integrity,
                crossorigin="anonymous",
                data_site=self._site,
            ),
            "late": f"<script>{self._late()}</script>",
        }

    def late_source(self) -> str:
        """Return the `script-src` source that allows `late` (CSP level 3, section 2.3.1)."""
        return csp.of_text(self._late())

    def policy(self) -> dict[str, str]:
        """Return, by directive, the source to add to the portal's Content-Security-Policy."""
        return dict.fromkeys(("script-src", "connect-src", "img-src", "frame-src"), self._url) | {
            "trusted-types": "luot"
        }

    def text(self, say: Callable[[str], str] = str) -> str:
        """Return everything for people, as HTML with comments; `say` translates the comments."""
        ways, descriptions = self.ways(), self._descriptions(say)
        parts = []
        for title, names in _PARTS:
            if title:
                parts.append(f"<!-- {say(title)} -->")
            parts += [
                f"{_wrapped(f'<!-- {descriptions[name]} -->')}\n{ways[name]}" for name in names
            ]
        lines = "\n".join(f"{_MARGIN}{name} {value}" for name, value in self.policy().items())
        parts += [
            _wrapped(f"<!-- {say(_POLICY)}"),
            lines,
            _wrapped(f"{say(_POLICY_LINES)} -->", _MARGIN),
        ]
        return "\n\n".join(parts)

    def json(self) -> str:
        """Return everything for programs, as JSON."""
        ways, descriptions = self.ways(), self._descriptions()
        answer = {
            "site": self._site,
            "url": self._url,
            "version": self._script.version,
            "ways": ways,
            "what_for": {name: descriptions[name] for name in ways},
            "content_security_policy": self.policy(),
            "content_security_policy_what_for": f"{_POLICY} {_POLICY_LINES}",
        }
        return json.dumps(answer, ensure_ascii=False, indent=2)

    def _descriptions(self, say: Callable[[str], str] = str) -> dict[str, str]:
        given = {
            "version": self._script.version,
            "late": self.late_source(),
            "page": say(explained(self._look.preset)),
        }
        return {name: say(title).format(**given) for name, title in _TITLES.items()}

    def _image(self) -> str:
        # Without the policy, no browser tells another host the page's path; some never do.
        image = _open(
            "img",
            src=f"{self._url}/hit.gif?d={quote(self._site)}",
            width="1",
            height="1",
            alt="",
            referrerpolicy="no-referrer-when-downgrade",
        )
        if page := PAGE_ADDRESS.get(self._look.preset):
            # Template code, which must not be escaped.
            return image.replace('" width', f'&amp;u={page}" width', 1)
        return image

    def _old(self) -> str:
        # For browsers from before 2017, which run it because they do not know `nomodule`. The flag
        # is for those that could also run the script. Internet Explorer loads no URL longer than
        # 2,083 characters.
        image = json.dumps(f"{self._url}/hit.gif?d={quote(self._site)}&k=").replace("<", "\\u003c")
        return (
            f"window.__luot||(window.__luot=1,new Image().src=({image}+Math.random()"
            '+"&u="+encodeURIComponent(location.href)'
            '+"&r="+encodeURIComponent(document.referrer)).slice(0,2000))'
        )

    def _shown(self) -> dict[str, str]:
        """Return the snippets that show the block without a script."""
        site, lang = quote(self._site), self._look.lang
        name = self._look.heading or HEADINGS[lang]
        page = f"{self._url}/counter/{site}.html"
        size = frame(self._look)
        drawn = {}
        if self._badge:
            drawn = {"width": str(self._badge.width), "height": str(self._badge.height)}
        badge = _open(
            "img", src=f"{self._url}/counter/{site}.svg", **drawn, alt=f"{name}: {_OPEN[lang]}"
        )
        return {
            "badge": f"{_open('a', href=page)}{badge}</a>",
            "frame": _tag(
                "iframe",
                src=page,
                title=name,
                width=str(size.width),
                height=str(size.height),
                frameborder="0",
            ),
            "include": f'<pre><!--#include virtual="/counter/{site}.txt" --></pre>',
        }

    def _late(self) -> str:
        src, site = (
            json.dumps(value).replace("<", "\\u003c")
            for value in (f"{self._url}/counter.js", self._site)
        )
        return f"""
(function luot() {{
  if (document.readyState !== "complete") return addEventListener("load", luot);
  const script = document.createElement("script");
  script.src = {src};
  script.dataset.site = {site};
  document.head.append(script);
}})();
"""


# The image's alt text: screen readers cannot read the numbers inside an image.
_OPEN = {Lang.VI: "xem các con số", Lang.EN: "see the numbers"}

_PARTS = (
    ("", ("script", "block", "style", "views", "image", "old")),
    (
        "Without a script: for a portal that allows none, use these instead of everything above",
        ("image_alone", "badge", "frame", "include"),
    ),
    ("Variants: for those who need them", ("pinned", "late")),
)
_TITLES = {
    "script": "1. The script, in the head of every page: counts, and fills in the numbers",
    "block": "2. The block, where it should appear",
    "style": "3. In the portal's style sheet: reserves the space of the block until it appears",
    "views": "4. The views of an article, in the article's template",
    "image": "5. In addition to the script, in the body of every page: counts readers with"
    " JavaScript turned off. {page}",
    "old": "6. Before the script, in the head of every page: counts readers whose browser is too"
    " old for the script, such as Internet Explorer 11. Other browsers skip this line",
    "image_alone": "Counts, on every page. {page}",
    "badge": "Shows the block as an image, does not count. The link leads to the numbers as text,"
    " for readers who cannot see an image",
    "frame": "Shows the block in a frame, does not count",
    "include": "Shows the block as text, does not count. The portal's web server must proxy"
    " /counter/ to Luot",
    "pinned": "Instead of 1: the script of this version ({version}), which never changes",
    "late": "Instead of 1: the script after everything else, for a page that must not wait for it"
    " even if Luot hangs. Under a Content-Security-Policy, add {late} to script-src, or"
    " put the code inside the tags into a script file of the portal's own",
}
_POLICY = (
    "Content-Security-Policy: only for a portal that sends one. Add to those of these directives"
    " that the portal has already (frame-src is for the frame only):"
)
_POLICY_LINES = (
    "If the portal has no such directive but has default-src, first create the directive as a"
    " copy of default-src: a directive of its own replaces default-src, and what is not in it is"
    " blocked. Add trusted-types only if the portal sends require-trusted-types-for and has this"
    " directive."
)
_MARGIN = " " * 5


def _wrapped(text: str, margin: str = "") -> str:
    return fill(
        text,
        96,
        initial_indent=margin,
        subsequent_indent=_MARGIN,
        break_on_hyphens=False,
        break_long_words=False,
    )


def _open(name: str, *flags: str, **attributes: str) -> str:
    parts = [name, *flags]
    for attribute, value in attributes.items():
        parts.append(f'{attribute.replace("_", "-")}="{html.escape(value)}"')
    return f"<{' '.join(parts)}>"


def _tag(name: str, *flags: str, **attributes: str) -> str:
    return f"{_open(name, *flags, **attributes)}</{name}>"

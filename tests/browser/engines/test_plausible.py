"""Portals that come from Plausible: its script's names and calls, and the packages made for it."""

from pathlib import Path

import pytest

from tests.browser.engines.engine import Engine
from tests.browser.engines.npm import bundled
from tests.browser.engines.place import Place

# What is no matter of engines is tested in one.
IN_ONE = pytest.mark.parametrize("name", ["chromium"], indirect=True)
QUEUE = (
    "<script>window.plausible=window.plausible||function(){"
    "(plausible.q=plausible.q||[]).push(arguments)}</script>"
)
MOVED = "void history.pushState({}, '', '?tabid=2')"


def tag(place: Place, name: str, attributes: str = "") -> str:
    return f'<script defer {attributes} src="{place.luot()}/js/{name}"></script>'


def inline(code: str) -> str:
    return f"<script>{code}</script>"


def test_plausibles_tag_counts_views_and_calls_that_waited(engine: Engine, place: Place) -> None:
    calls = (
        'plausible("Signup");'
        'plausible("pageview", {u: "/don/nop"});'
        'plausible("404", {props: {path: "/"}});'
        'plausible("File Download", {props: {url: "/a.pdf"}, callback: () => (self.called = 1)})'
    )
    body = (
        '<b data-luot="online"></b><i data-luot-downloads="/a.pdf"></i>'
        '<a href="https://foreign.example/" onclick="return false">x</a>'
    )
    name = "script.file-downloads.hash.outbound-links.js"
    head = QUEUE + inline(calls) + tag(place, name, f'data-domain="{place.site}"')
    engine.open(place.page("/", body, head=head))
    assert place.sent(posts=4)
    engine.wait("self.called === 1 && plausible.l")
    engine.evaluate("void history.pushState({}, '', '/bai-2')")
    engine.evaluate("document.querySelector('a').click()")
    assert place.sent(posts=6)
    # What says again that the page which is open was counted is no view.
    engine.evaluate("void plausible('pageview')")
    assert place.pages() == {"/": 1, "/don/nop": 1, "/bai-2": 1}
    engine.wait("document.querySelector('b').textContent > 0")
    assert {asked.path for asked in place.between.posts()} == {"/api/event"}
    assert place.apart("not_found") == {"/": 1}
    assert place.apart("outbound_links") == {"foreign.example": 1}
    assert place.sent(posts=6)


@IN_ONE
def test_a_manual_script_counts_what_it_is_told_and_a_host_names_its_site(
    engine: Engine, place: Place
) -> None:
    head = QUEUE + tag(place, "script.manual.js", f'data-domain="{place.site}"')
    engine.open(place.page("/", head=head))
    engine.wait("plausible.l")
    engine.evaluate("void plausible('pageview', {u: location.origin + '/don'})")
    engine.evaluate("void plausible('pageview')")
    assert place.sent(posts=2)
    assert place.pages() == {"/": 1, "/don": 1}
    # A script of one site says nothing of it: the host of the page does.
    engine.open(place.page("/so", '<b data-luot="total"></b>', head=tag(place, "pa-Q1w2_e3.js")))
    assert place.sent(posts=3)
    engine.wait("/\\d/.test(document.querySelector('b').textContent)")


RENDER = """
// As little of React as draws what these components are: no hooks, no state.
const render = (element, parent = document.head) => {
  if (!element || typeof element !== "object") return;
  if (Array.isArray(element)) return element.forEach((each) => render(each, parent));
  const { type, props } = element;
  if (typeof type === "function") return render(type(props), parent);
  if (typeof type !== "string") return render(props.children, parent);
  const made = document.createElement(type);
  for (const [name, value] of Object.entries(props)) {
    if (name === "dangerouslySetInnerHTML") made.textContent = value.__html;
    // Luot has no certificate in these tests.
    else if (value) made.setAttribute(name, `${value}`.replace("https://", "http://"));
  }
  parent.append(made);
};
"""


def tracker(place: Place, folder: Path) -> str:
    options = f'{{domain: "{place.site}", apiHost: "{place.luot()}"}}'
    return bundled(
        folder,
        f"""
        import Plausible from "plausible-tracker";
        import VuePlausible from "vue-plausible/lib/esm/vue-plugin.js";
        const tracker = Plausible({options});
        tracker.enableAutoPageviews();
        tracker.trackEvent("File Download", {{ props: {{ url: location.origin + "/a.pdf" }} }});
        function Vue() {{}}
        VuePlausible(Vue, {options});
        new Vue().$plausible.trackPageview({{ url: location.origin + "/vue" }});
        """,
        ["plausible-tracker@0.3.9", "vue-plausible@1.3.2"],
    )


def analytics_tracker(place: Place, folder: Path) -> str:
    return bundled(
        folder,
        f"""
        import {{ init, track }} from "@plausible-analytics/tracker";
        const endpoint = "{place.luot()}/api/event";
        init({{ domain: "{place.site}", endpoint, fileDownloads: true }});
        track("pageview", {{ url: location.origin + "/don" }});
        """,
        ["@plausible-analytics/tracker@0.4.6"],
    )


def next_plausible(place: Place, folder: Path) -> str:
    # next/script, of which this needs that it makes a script element, stands in.
    return bundled(
        folder,
        f"""
        import React from "react";
        import PlausibleProvider from "next-plausible";
        {RENDER}
        render(React.createElement(PlausibleProvider, {{
          src: "{place.luot()}/js/pa-A1b2.js",
          init: {{ domain: "{place.site}" }}
        }}));
        """,
        ["next-plausible@4.0.0", "react@19.3.1"],
        next_script='import React from "react";'
        'export default (props) => React.createElement("script", props);',
    )


def gatsby_plugin(place: Place, folder: Path) -> str:
    return bundled(
        folder,
        f"""
        import {{ onRenderBody }} from "gatsby-plugin-plausible/gatsby-ssr.js";
        import {{ onRouteUpdate }} from "gatsby-plugin-plausible/gatsby-browser.js";
        {RENDER}
        const options = {{ domain: "{place.site}", customDomain: "{place.luot()[7:]}" }};
        onRenderBody({{ setHeadComponents: (elements) => render(elements) }}, options);
        const push = history.pushState;
        history.pushState = (...given) => {{
          push.apply(history, given);
          onRouteUpdate({{ location }});
        }};
        """,
        [
            "gatsby-plugin-plausible@0.0.7",
            "react@19.3.1",
            "@babel/runtime@7.28.4",
            "minimatch@3.0.4",
            "brace-expansion@1.1.12",
            "balanced-match@1.0.2",
            "concat-map@0.0.1",
        ],
    )


@IN_ONE
@pytest.mark.parametrize("options", [{"significant": ["tabid"]}])
def test_the_packages_made_for_plausible_count(
    engine: Engine, place: Place, tmp_path: Path
) -> None:
    packages = {
        "/tracker": (tracker, ["/vue"]),
        "/analytics": (analytics_tracker, ["/don"]),
        "/next": (next_plausible, []),
        "/gatsby": (gatsby_plugin, []),
    }
    expected: dict[str, int] = {}
    link = '<a href="/b.pdf" onclick="return false"></a>'
    for path, (code, more) in packages.items():
        folder = tmp_path / path[1:]
        folder.mkdir()
        engine.open(place.page(path, link, head=inline(code(place, folder))))
        expected |= dict.fromkeys((path, *more), 1)
        assert place.comes(expected)
        engine.evaluate(f"document.querySelector('a').click(); {MOVED}")
        # A package that knows pages by their path alone does not see a change of the query.
        if path != "/analytics":
            expected[f"{path}?tabid=2"] = 1
        assert place.comes(expected)
    # The analytics package sends how long pages were looked at, too, which is not counted. The two
    # trackers have one event of their own and one click, and the last two our own script's clicks.
    assert place.downloads() == {"/a.pdf": 1, "/b.pdf": 3}

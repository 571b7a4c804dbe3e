"""Beside the national measurement and Matomo, whose snippets are alike, all count the same.

Their tracker is not at hand: the one here drains the queue, sends an image a view and puts itself
around the history, which are the parts of the page that Luot has to share with it.
"""

import pytest
from playwright.sync_api import Page

from tests.browser.portal import Portal
from tests.browser.test_views import TODAY, shows

TRACKER = """
for (const name of ["_govaq", "_paq"]) {
  const queue = window[name];
  if (!queue || !queue.splice || queue.taken) continue;
  let url, id;
  const act = ([what, value]) => {
    if (what === "setTrackerUrl") url = value;
    if (what === "setSiteId") id = value;
    if (what === "trackPageView") {
      new Image().src = url + "?idsite=" + id + "&url=" + encodeURIComponent(location.href);
    }
  };
  const calls = queue.splice(0);
  // As Matomo does: settings first, whatever their order.
  calls.filter(([what]) => what[0] === "s").concat(calls.filter(([what]) => what[0] !== "s"))
    .forEach(act);
  window[name] = { push: act, taken: true };
  const before = history.pushState;
  history.pushState = function (...given) {
    before.apply(this, given);
    act(["trackPageView"]);
  };
}
"""
SNIPPET = """<script>
  var {queue} = window.{queue} = window.{queue} || [];
  {queue}.push(['trackPageView']);
  {queue}.push(['enableLinkTracking']);
  (function() {{
    {queue}.push(['setTrackerUrl', '/{queue}.php']);
    {queue}.push(['setSiteId', '42']);
    var d = document, g = d.createElement('script'), s = d.getElementsByTagName('script')[0];
    g.async = true; g.src = '/tracker'; s.parentNode.insertBefore(g, s);
  }})();
</script>"""
QUEUES = ("_govaq", "_paq")


@pytest.mark.parametrize("first", [True, False], ids=["Luot first", "Luot last"])
@pytest.mark.parametrize("queues", [QUEUES[:1], QUEUES[1:], QUEUES])
def test_each_counts_what_it_counts_alone(
    portal: Portal, page: Page, queues: tuple[str, ...], first: bool
) -> None:
    portal.pages["/tracker"] = (TRACKER, {"Content-Type": "text/javascript"})
    for queue in queues:
        portal.pages[f"/{queue}.php"] = ("", {})
    others = "".join(SNIPPET.format(queue=queue) for queue in queues)
    head = portal.tag() + others if first else others + portal.tag()
    for path in ("/", "/tin-tuc"):
        portal.page(path, TODAY, head=head)

    page.goto(portal.url("/"))
    assert shows(page, "span", "6.325")
    page.wait_for_function(
        "queues => queues.every(queue => window[queue].taken)", arg=list(queues), timeout=30_000
    )
    page.evaluate("history.pushState({}, '', '/route')")
    portal.wait(views=2)
    page.goto(portal.url("/tin-tuc"))
    portal.wait(views=3)
    page.wait_for_load_state("networkidle")

    assert portal.paths() == ["/", "/route", "/tin-tuc"]
    for queue in queues:
        assert len(portal.of("GET", f"/{queue}.php")) == 3

"""The dashboard of one site: what its portal shows, and whether its hits come in."""

from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.board import Row, board, choice
from dashboards.panels import Query, graph, value

SITE = 'site="$site"'


def dashboard() -> Dashboard:
    """Return it."""
    return board(
        "luot-site",
        "Luot: one site",
        "What a portal shows, and when it was last read. Of the LUOT_SITE_METRICS sites with the"
        " most views; the dashboard of Luot itself, under /admin, has all of them.",
        [
            Row(
                "Now",
                [
                    value(
                        "Online",
                        "Visitors seen in the last five minutes, as the block on the page shows"
                        " them.",
                        units.Short,
                        Query(f"max(luot_site_online{{{SITE}}})"),
                        colour="blue",
                    ),
                    value(
                        "Since the last view",
                        "Time since the last view came into the log. Compare it with the same"
                        " hour of other days below: at night it is long on a small portal.",
                        units.Seconds,
                        Query(f"time() - max(luot_site_last_hit_timestamp_seconds{{{SITE}}})"),
                        colour="blue",
                        nothing="no view yet",
                    ),
                    *(
                        value(
                            title,
                            f"Views of the site {words}, as its page may show them: corrections"
                            " and the opening balance included.",
                            units.Short,
                            Query(f'max(luot_site_views{{period="{period}",{SITE}}})'),
                            colour="blue",
                        )
                        for title, period, words in (
                            ("Views today", "today", "since its midnight"),
                            ("Views yesterday", "yesterday", "on the day before"),
                            ("Views this month", "this_month", "since the first of the month"),
                            ("Views in all", "total", "since it was first counted"),
                        )
                    ),
                ],
            ),
            Row(
                "Over time",
                [
                    graph(
                        "Visitors online",
                        "Over the last days: a portal has its own shape of a day, and what is"
                        " missing in it is seen at once.",
                        units.Short,
                        Query(f"max(luot_site_online{{{SITE}}})", "online"),
                        Query(f"max(luot_site_online{{{SITE}}} offset 1w)", "a week before"),
                        span=24,
                    ),
                    graph(
                        "Views an hour",
                        "By how much the total grew within an hour. A correction takes views"
                        " away; that is not drawn.",
                        units.Short,
                        Query(
                            "clamp_min("
                            f'max(delta(luot_site_views{{period="total",{SITE}}}[1h])), 0)',
                            "views",
                        ),
                        span=12,
                    ),
                    graph(
                        "Views of the day so far",
                        "The number that the page shows as today's; it begins again at the site's"
                        " own midnight.",
                        units.Short,
                        Query(f'max(luot_site_views{{period="today",{SITE}}})', "today"),
                        span=12,
                    ),
                ],
            ),
        ],
        [choice("site", "Site", "label_values(luot_site_online, site)", several=False)],
        hours=72,
    )

"""The options of `luot site add` and `luot site edit`: the settings of a site."""

from typing import Annotated, Any

import typer

Name = Annotated[str | None, typer.Option(help="Display name.")]
Timezone = Annotated[
    str | None,
    typer.Option(
        help="IANA time zone, at whose midnight each day begins, for example Asia/Ho_Chi_Minh."
    ),
]
Hosts = Annotated[
    list[str] | None,
    typer.Option(
        "--host",
        help="Host name it may be counted from; *.x for all subdomains of x, * for any."
        " Repeatable.",
    ),
]
Metric = Annotated[
    str | None, typer.Option(help="Metric that it shows: views, visits or visitors.")
]
Significant = Annotated[
    list[str] | None,
    typer.Option(
        "--significant", help="Query parameter that identifies a page (tabid, nv). Repeatable."
    ),
]
FoldCase = Annotated[
    bool | None,
    typer.Option(
        "--fold-case/--keep-case",
        help="Count paths that differ only in case as one page, in lower case: for IIS and DNN."
        " Views already counted under a path with capitals are not merged.",
    ),
]
HashRoutes = Annotated[
    bool | None,
    typer.Option(
        "--hash-routes/--no-hash-routes",
        help="Count routes in the fragment as paths (/#/tin/1 as /tin/1): for single-page"
        " applications.",
    ),
]
ExcludedPages = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude",
        help="Path that is never counted; /quan-tri/** for everything below. Repeatable; '' for"
        " none.",
    ),
]
DownloadEndings = Annotated[
    list[str] | None,
    typer.Option(
        "--download-ending",
        help="File name extension whose downloads are counted (pdf). Repeatable; '' for the"
        " default list, none to count no downloads.",
    ),
]
SearchParameters = Annotated[
    list[str] | None,
    typer.Option(
        "--search-parameter",
        help="Query parameter with the terms of the site's own search (q). Repeatable; '' for"
        " none.",
    ),
]
HonourDnt = Annotated[
    bool | None,
    typer.Option(
        "--honour-dnt/--ignore-dnt",
        help="Compute no visitor hash for browsers that send DNT or GPC.",
    ),
]
ViewsOnly = Annotated[
    bool | None,
    typer.Option(
        "--views-only/--with-visits",
        help="Compute no visitor hash for anyone: everything shows views.",
    ),
]
PublicTop = Annotated[
    bool | None,
    typer.Option("--public-top/--private-top", help="Whether anyone may see its top pages."),
]

TopMinVisitors = Annotated[
    int | None,
    typer.Option(
        help="Visitors a page needs to appear among the public top pages; 0 for no minimum."
    ),
]

PublicDashboard = Annotated[
    bool | None,
    typer.Option(
        "--public-dashboard/--private-dashboard",
        help="Whether anyone may see the traffic behind its numbers.",
    ),
]

FrameHosts = Annotated[
    list[str] | None,
    typer.Option(
        "--frame-host",
        help="Host that may show its public pages in a frame. Repeatable; '' for none.",
    ),
]

DefaultPeriod = Annotated[
    str | None,
    typer.Option(help="Default period on its page: 30d, report_month…; '' for that of its group."),
]

PageAliases = Annotated[
    list[str] | None,
    typer.Option(
        "--page-alias",
        help="ADDRESS=PAGE: views of the address count for the page, including all earlier ones;"
        " /en/*=/* for everything below. Repeatable; '' for none.",
    ),
]

OPTIONS: dict[str, Any] = {
    "name": Name,
    "timezone": Timezone,
    "hosts": Hosts,
    "metric": Metric,
    "significant": Significant,
    "fold_case": FoldCase,
    "hash_routes": HashRoutes,
    "excluded_pages": ExcludedPages,
    "download_endings": DownloadEndings,
    "search_parameters": SearchParameters,
    "page_aliases": PageAliases,
    "honour_dnt": HonourDnt,
    "views_only": ViewsOnly,
    "public_top": PublicTop,
    "top_min_visitors": TopMinVisitors,
    "public_dashboard": PublicDashboard,
    "frame_hosts": FrameHosts,
    "default_period": DefaultPeriod,
}
"""By field name in the API; `add` and `edit` have all of them."""

"""The options of `luot site add` and `luot site edit`: the settings of a site."""

from typing import Annotated, Any

import typer

Name = Annotated[str | None, typer.Option(help="Name shown to people.")]
Timezone = Annotated[
    str | None, typer.Option(help="IANA name; days turn at its midnight. Asia/Ho_Chi_Minh.")
]
Hosts = Annotated[
    list[str] | None,
    typer.Option(
        "--host", help="Host name it may be counted from; *.x for all below x, * for any. Repeat."
    ),
]
Metric = Annotated[str | None, typer.Option(help="What it shows: views, visits or visitors.")]
Significant = Annotated[
    list[str] | None,
    typer.Option("--significant", help="Query parameter that names a page (tabid, nv). Repeat."),
]
FoldCase = Annotated[
    bool | None,
    typer.Option(
        "--fold-case/--keep-case",
        help="Count paths that differ only in capitals as one page, in lower case: for IIS and DNN."
        " Views that were counted in capitals before are not added.",
    ),
]
HashRoutes = Annotated[
    bool | None,
    typer.Option(
        "--hash-routes/--no-hash-routes",
        help="Count routes in the fragment as paths (/#/tin/1 as /tin/1): for applications.",
    ),
]
ExcludedPages = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude",
        help="Path that is never counted: /quan-tri/** for all below. Repeat; '' for none.",
    ),
]
DownloadEndings = Annotated[
    list[str] | None,
    typer.Option(
        "--download-ending",
        help="Ending of files whose downloads are counted (pdf). Repeat; '' for those of documents,"
        " none for no files.",
    ),
]
SearchParameters = Annotated[
    list[str] | None,
    typer.Option(
        "--search-parameter",
        help="Query parameter that holds what is searched on the site (q). Repeat; '' for none.",
    ),
]
HonourDnt = Annotated[
    bool | None,
    typer.Option("--honour-dnt/--ignore-dnt", help="No visitor hash for DNT and GPC browsers."),
]
ViewsOnly = Annotated[
    bool | None,
    typer.Option(
        "--views-only/--with-visits", help="No visitor hash for anybody: everything shows views."
    ),
]
PublicTop = Annotated[
    bool | None,
    typer.Option("--public-top/--private-top", help="Whether anyone may see its top pages."),
]

TopMinVisitors = Annotated[
    int | None,
    typer.Option(help="Visitors that a page needs to be among its public top pages; 0 is none."),
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
    typer.Option("--frame-host", help="Host that may frame its public pages. Repeat; '' for none."),
]

DefaultPeriod = Annotated[
    str | None, typer.Option(help="What its page opens with: 30d, report_month…; '' as its group.")
]

PageAliases = Annotated[
    list[str] | None,
    typer.Option(
        "--page-alias",
        help="ADDRESS=PAGE: views of the address are the page's, also all before; /en/*=/* for all"
        " below. Repeat; '' for none.",
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
"""By the name of the field in the API; `add` and `edit` have all of them."""

"""`luot doctor --page`: asks the page itself, and the Luot that its script names."""

import base64
import hashlib
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from services.cli.terminal import fail
from services.runtime.reasons import reason

if TYPE_CHECKING:
    import httpx

    from services.doctor.check import Check, Findings
    from services.doctor.page import Tag

MAX_BYTES = 5 << 20
SECONDS = 20.0
_CALLS_ITSELF = "Mozilla/5.0 (compatible; luot-doctor)"


def examine_page(url: str) -> "list[Check]":
    """Fetch a page and say whether it is counted. Ends the command if it cannot be fetched."""
    import httpx

    from services.doctor.check import Findings
    from services.doctor.page import look_at, read_page

    findings = Findings("page")
    headers = {"User-Agent": _CALLS_ITSELF}
    with httpx.Client(follow_redirects=True, timeout=SECONDS, headers=headers) as http:
        try:
            answer, text = _fetched(http, url)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            fail(f"{url} cannot be fetched: {reason(error)}")
        kind = answer.headers.get("content-type", "")
        findings.add(
            "answer",
            answer.is_success and "html" in kind,
            f"{answer.status_code}, {kind or 'no type'}, from {answer.url}",
            "expected an HTML page that anyone may see",
        )
        policies = answer.headers.get_list("content-security-policy", split_commas=True)
        tag = look_at(read_page(str(answer.url), text, policies), findings)
        if tag is not None:
            _ask_luot(http, tag, str(answer.url), findings)
    return findings.checks


def _fetched(http: "httpx.Client", url: str) -> "tuple[httpx.Response, str]":
    with http.stream("GET", url) as answer:
        body = b""
        for part in answer.iter_bytes():
            body += part
            if len(body) > MAX_BYTES:
                break
        try:
            return answer, body.decode(answer.encoding or "utf-8", "replace")
        except LookupError:
            # Python knows it, but not as the encoding of a text.
            return answer, body.decode("utf-8", "replace")


def _ask_luot(http: "httpx.Client", tag: "Tag", page: str, findings: "Findings") -> None:
    import httpx

    try:
        script = http.get(tag.url)
        # A prefetched view is never counted; the drop reason tells how far it got.
        hit = http.post(
            f"{tag.origin}/e",
            json={"n": "pageview", "d": tag.site or urlsplit(page).hostname, "u": page},
            headers={"Sec-Purpose": "prefetch"},
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        findings.add(
            "Luot",
            False,
            f"{tag.origin} cannot be reached from here: {reason(error)}",
            "check its address, certificate and firewall: browsers must reach it, too",
        )
        return
    body = script.content
    whole = not tag.integrity or tag.integrity in (
        f"{name}-{base64.b64encode(hashlib.new(name, body).digest()).decode()}"
        for name in ("sha256", "sha384", "sha512")
    )
    findings.add(
        "Luot",
        script.is_success and whole,
        f"the script answers {script.status_code}"
        + ("" if whole else ", but not with the bytes that `integrity` names"),
        "use the line that `luot snippet` prints",
    )
    dropped = hit.headers.get("x-luot-dropped", "") if hit.is_success else f"{hit.status_code}"
    site, host = tag.site or "the site of its host", urlsplit(page).hostname
    advice = {
        "unknown_site": "there is no such site: `luot site list` lists the sites",
        "foreign_host": f"`luot site edit {tag.site or 'SITE'} --host {host}`, together with its"
        " other hosts",
    }
    # Where nothing takes hits, there is no Luot, or its web server does not pass them on.
    known = {"prefetch": True, "unknown_site": False, "foreign_host": False, "404": False}
    ok = known.get(dropped)
    findings.add(
        "site",
        ok,
        f"pages of {host} are counted on {site}" if ok else f"{site}: Luot answers {dropped!r}",
        advice.get(dropped, "check /readyz of Luot"),
    )

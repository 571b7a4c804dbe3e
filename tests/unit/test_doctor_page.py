"""What `luot doctor --page` makes of a page: tags of Luot, policies, the national measurement."""

import pytest

from services.doctor.check import Findings
from services.doctor.page import look_at, read_page
from services.doctor.policy import Policy

PAGE = "https://www.mytho.example/tin"
LUOT = "https://thongke.example.vn"
TAG = f'<script async src="{LUOT}/counter.js" data-site="mytho"></script>'


def found(text: str, *policies: str) -> dict[str, bool | None]:
    findings = Findings("page")
    look_at(read_page(PAGE, text, policies), findings)
    assert all(check.ok or check.advice or check.ok is None for check in findings.checks)
    return {check.name: check.ok for check in findings.checks}


def test_a_page_with_the_script_once_and_the_measurement_beside_it() -> None:
    text = f"<head>{TAG}<script>var _govaq = window._govaq || [];</script></head>"
    names = ("script", "once", "policy", "national measurement")
    assert found(text) == dict.fromkeys(names, True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<p>counter.js</p>", {"script": False, "national measurement": None}),
        (f"<!-- {TAG} -->", {"script": False, "national measurement": None}),
        ('<script>script.src = "https://x/counter.js"</script>', {"script": None}),
        (TAG + TAG, {"script": True, "once": False}),
        ("<script src=/js/app.js></script>", {"script": False}),
        (f'<base href="//[">{TAG}<script src="//["></script>', {"script": True, "once": True}),
        ("<script src='https://x:y/counter.js'></script>", {"script": False}),
        ("<script src='//[%CDN%]/x.js'></script>" + TAG, {"script": True, "once": True}),
        ("<script src='//x:80a/counter.js'></script>", {"script": False}),
        ("<base href='http://[x'>" + TAG, {"script": True, "once": True}),
        ("<![gap[x]]>" + TAG, {"script": True, "once": True}),
        ("<script>var _paq = []</script>", {"national measurement": None}),
    ],
)
def test_what_is_wrong_is_named(text: str, expected: dict[str, bool | None]) -> None:
    assert expected.items() <= found(text).items()


@pytest.mark.parametrize(
    ("text", "url", "site"),
    [
        (TAG, f"{LUOT}/counter.js", "mytho"),
        (f'<script src="{LUOT}/v0.1.0/counter.js?site=a&amp;b=1">', None, "a"),
        (f'<base href="{LUOT}/x/"><script src="/counter.js">', f"{LUOT}/counter.js", ""),
        (f'<script data-domain="a.vn,b.vn" src="{LUOT}/js/script.js">', None, "a.vn"),
    ],
)
def test_the_tag_says_which_luot_and_which_site(text: str, url: str | None, site: str) -> None:
    (tag,) = read_page(PAGE, text, []).tags
    assert (tag.origin, tag.site) == (LUOT, site)
    assert url in (None, tag.url)


FOREIGN = {
    "plausible": '<script data-domain="a.vn" src="https://plausible.io/js/script.js"></script>',
    "statcounter": '<script src="https://www.statcounter.com/counter/counter.js"></script>',
}
AS_PLAUSIBLE = f'<script defer src="{LUOT}/js/script.js" data-domain="a.vn"></script>'


@pytest.mark.parametrize("foreign", FOREIGN.values(), ids=FOREIGN)
@pytest.mark.parametrize("of_luot", [TAG, AS_PLAUSIBLE])
def test_the_tag_of_another_counter_is_not_taken_for_that_of_luot(
    foreign: str, of_luot: str
) -> None:
    findings = Findings("page")
    tag = look_at(read_page(PAGE, foreign + of_luot, []), findings, LUOT.__eq__)
    assert tag is not None
    assert tag.origin == LUOT
    assert all(check.ok for check in findings.checks if check.name in ("script", "once"))
    findings = Findings("page")
    assert look_at(read_page(PAGE, foreign, []), findings, LUOT.__eq__) is None
    (check,) = (check for check in findings.checks if check.name == "script")
    assert (check.ok, "does not answer as Luot" in check.found) == (False, True)


@pytest.mark.parametrize(
    ("policy", "refusing"),
    [
        ("", []),
        ("frame-src 'none'", []),
        ("default-src 'self'", ["default-src"]),
        (f"default-src 'self' {LUOT}", []),
        ("default-src https:", []),
        ("default-src *", []),
        ("default-src 'none'; script-src *.example.vn; connect-src *; img-src *", []),
        (f"script-src {LUOT}:8443; connect-src {LUOT}/e; img-src {LUOT}/x/", ["script", "img"]),
        (f"connect-src {LUOT}/api/event", ["connect"]),
        ("script-src 'strict-dynamic' https:", ["script"]),
        ("script-src http://thongke.example.vn", []),
        ("img-src data:; IMG-SRC *", ["img"]),
    ],
)
def test_a_policy_that_forbids_luot_is_named(policy: str, refusing: list[str]) -> None:
    findings = Findings("page")
    look_at(read_page(PAGE, TAG, [policy]), findings)
    (check,) = (check for check in findings.checks if check.name == "policy")
    assert check.ok is not bool(refusing)
    for name in refusing:
        assert name in check.found
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    assert found(meta + TAG)["policy"] is not bool(refusing)


def test_a_nonce_allows_a_script() -> None:
    policy = Policy.read("script-src 'nonce-Abc' 'strict-dynamic'")
    assert policy.refuses("script-src-elem", f"{LUOT}/counter.js", PAGE, "Abc") == ""
    assert policy.refuses("script-src-elem", f"{LUOT}/counter.js", PAGE) == "script-src"

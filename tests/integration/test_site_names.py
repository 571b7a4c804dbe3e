"""A site that is renamed, merged or made anew, from the old snippet to the number."""

import time
from pathlib import Path

import httpx

from tests.integration.imports import world
from tests.patience import PATIENCE_SECONDS
from tests.servers.system import BROWSER, TOKEN, System, wait_until_known

ADMIN = {"Authorization": f"Bearer {TOKEN}"}


def admin(luot: System, method: str, path: str, body: object = None) -> None:
    answer = httpx.request(
        method, f"{luot.api.url}/api/admin/sites{path}", json=body, headers=ADMIN, timeout=60
    )
    assert answer.is_success, answer.text


def known(luot: System) -> None:
    """Return when ingest knows all sites as they are."""
    for _ in range(60):
        answer = httpx.get(
            f"{luot.api.url}/api/admin/sites/cu/ingest",
            params={"wait": 5},
            headers=ADMIN,
            timeout=60,
        ).json()
        if answer["processes"] == answer["knowing"] > 0:
            return
    raise AssertionError(answer)


def hit(luot: System, snippet: str, host: str, path: str = "/") -> str:
    """View a page of a host with the snippet of a site; return why it does not count."""
    event = {"n": "pageview", "d": snippet, "u": f"https://{host}{path}"}
    answer = httpx.post(f"{luot.ingest.url}/api/event", json=event, headers={"User-Agent": BROWSER})
    assert answer.status_code == 202
    return str(answer.headers.get("X-Luot-Dropped", ""))


def goes_to(luot: System, slug: str, total: int) -> None:
    """Return when a number is what it has to be, from whatever was shown before."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (shown := luot.counter(slug, metric="views")["total"]) != total:
        assert time.monotonic() < deadline, shown
        time.sleep(0.1)


def test_the_old_snippet_counts_into_what_became_of_the_site(luot: System) -> None:
    luot.add_site("cu")
    assert hit(luot, "cu", "cu.example") == ""
    luot.counter_when("cu", 1, metric="views")
    admin(luot, "POST", "/cu/rename", {"slug": "doi-ten"})
    known(luot)
    for snippet in ("cu", "doi-ten"):
        assert hit(luot, snippet, "cu.example") == ""
    luot.counter_when("doi-ten", 3, metric="views")
    luot.add_site("tinh-moi")
    assert hit(luot, "tinh-moi", "tinh-moi.example") == ""
    # Pages of another host have the old snippet, once the portals are one.
    assert hit(luot, "cu", "tinh-moi.example") == "foreign_host"
    admin(luot, "POST", "/cu/merge", {"into": "tinh-moi"})
    known(luot)
    for snippet, host in (
        ("cu", "cu.example"),
        ("cu", "tinh-moi.example"),
        ("tinh-moi", "cu.example"),
    ):
        assert hit(luot, snippet, host) == ""
    assert hit(luot, "cu", "elsewhere.example") == "foreign_host"
    for slug in ("tinh-moi", "doi-ten", "cu"):
        assert luot.counter_when(slug, 7, metric="views")["site"] == "tinh-moi"
    admin(luot, "DELETE", "/cu/merge")
    goes_to(luot, "cu", 5)
    goes_to(luot, "tinh-moi", 2)


def test_an_access_log_is_imported_into_a_site_that_was_made_anew(
    luot: System, tmp_path: Path
) -> None:
    luot.add_site("lam-moi")
    assert luot.hit("lam-moi", "/").status_code == 202
    luot.counter_when("lam-moi", 1, metric="views")
    admin(luot, "DELETE", "/lam-moi")
    luot.add_site("lam-moi")
    wait_until_known(luot.ingest.url, "lam-moi")
    log = tmp_path / "access.log"
    lines = [
        world.line("01/Mar/2024:10:00:00 +0700"),
        world.line("01/Mar/2024:10:01:00 +0700", "/tin"),
        world.line("01/Mar/2024:10:02:00 +0700", "/van-ban/1.pdf"),
    ]
    log.write_text("".join(f"{one}\n" for one in lines))
    world.imported(luot.api, log, "--site", "lam-moi", "--host", "lam-moi.example")
    assert luot.counter_when("lam-moi", 2, metric="views", path="/tin")["paths"] == {
        "/tin": {"views": 1, "today": 0}
    }
    file = luot.counter("lam-moi", download="/van-ban/1.pdf")["downloads"]
    assert file["/van-ban/1.pdf"]["downloads"] == 1
    undone = world.undone(luot.api, "lam-moi", "access.log")
    assert undone.returncode == 0, undone.stderr
    assert world.listed(luot.api, "lam-moi")[0]["state"] == "undone"

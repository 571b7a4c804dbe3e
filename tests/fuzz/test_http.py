"""Requests made up from the descriptions of API and ingest: no 5xx, and every answer is described.

The requests go to real processes with real stores.
"""

import contextlib
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable

from services.ingest.app import PATHS
from services.ingest.drops import DropReason
from tests.patience import PATIENCE_SECONDS
from tests.require import package
from tests.servers.system import TOKEN, System

INGEST = Path(__file__).parents[2] / "docs" / "ingest.openapi.json"
EXAMPLES = 8
MAX_GROWTH = 24 << 20
HASHING = 64 << 20
"""Two passwords at once take 32 MiB each, which the allocator may keep from any time on."""

fuzzed = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def resident(pid: int) -> int:
    """Return the bytes of memory that a process holds."""
    fields = Path(f"/proc/{pid}/statm").read_text().split()
    return int(fields[1]) * 4096


def answer(case: Any, url: str, headers: dict[str, str]) -> Any:
    """Send a made-up request, and return the answer; of a stream without an end, its head."""
    ask = case.as_transport_kwargs(base_url=url, headers=headers)
    with package("requests").request(**ask, stream=True, timeout=PATIENCE_SECONDS) as response:
        kind = response.headers.get("Content-Type", "")
        if not kind.startswith("text/event-stream"):
            response.content  # noqa: B018 - reads it
            return response
        asked = httpx.Request(response.request.method, response.url)
        head = httpx.Response(response.status_code, headers={"Content-Type": kind}, request=asked)
        head.elapsed = response.elapsed
        return head


def fuzz(description: dict[str, Any], url: str, headers: dict[str, str]) -> int:
    """Send made-up requests to every operation, good ones and bad ones; return how many."""
    schemathesis = package("schemathesis")
    checks = package("schemathesis.checks")
    modes = package("schemathesis.generation").GenerationMode
    sent = 0
    schema = schemathesis.openapi.from_dict(description)
    wanted = [
        checks.not_a_server_error,
        *checks.CHECKS.get_by_names(
            ["status_code_conformance", "content_type_conformance", "response_schema_conformance"]
        ),
    ]
    for result in schema.get_all_operations():
        operation = result.ok()
        for mode in (modes.POSITIVE, modes.NEGATIVE):

            @fuzzed
            @given(case=operation.as_strategy(generation_mode=mode))
            def ask(case: Any) -> None:
                nonlocal sent
                sent += 1
                case.validate_response(answer(case, url, headers), checks=wanted)

            with contextlib.suppress(Unsatisfiable):  # nothing can be wrong with no input
                ask()
    return sent


def about_sites_that_exist(description: dict[str, Any]) -> dict[str, Any]:
    """Let made-up requests ask for a site that there is, where that can do no harm."""
    for path, methods in description["paths"].items():
        known = {"site": "fuzz", "site_id": "fuzz"} | (
            {"slug": "ledger"} if path.endswith("/balances") else {}
        )
        for operation in methods.values():
            for parameter in operation.get("parameters", []):
                if parameter["name"] in known:
                    parameter["schema"]["enum"] = [known[parameter["name"]]]
    return description


@pytest.mark.timeout(1800)
def test_the_api_answers_made_up_requests_as_described(luot: System) -> None:
    admin = {"Authorization": f"Bearer {TOKEN}"}
    ledger = httpx.post(f"{luot.api.url}/api/admin/sites", json={"slug": "ledger"}, headers=admin)
    assert ledger.status_code == 201
    description = about_sites_that_exist(httpx.get(f"{luot.api.url}/openapi.json").json())
    for address in ("counter/fuzz.svg", "counter/fuzz.html", "counter/fuzz.txt", "api/top/fuzz"):
        assert httpx.get(f"{luot.api.url}/{address}").status_code == 200
    # These take memory that stays, with the first threads that they need, or, for a password,
    # 32 MiB that the allocator keeps.
    at_first = {f"/api/admin/{name}" for name in ("backup", "doctor", "sign-in", "users")}
    at_first.add("/api/v1/stats/aggregate")
    paths = {path: about for path, about in description["paths"].items() if path in at_first}
    fuzz({**description, "paths": paths}, luot.api.url, admin)
    before = resident(luot.api.pid)

    sent = fuzz(description, luot.api.url, admin)

    assert sent > EXAMPLES * len(description["paths"])
    assert resident(luot.api.pid) - before < MAX_GROWTH + HASHING
    assert luot.counter("fuzz")["total"] == 0


def test_the_api_tells_strangers_nothing(luot: System) -> None:
    description = httpx.get(f"{luot.api.url}/openapi.json").json()
    doors = {f"/api/admin/{name}" for name in ("sign-in", "sign-out")}
    paths = description["paths"]
    assert doors < set(paths)
    closed = {
        path: paths[path]
        for path in paths
        if path.startswith(("/api/admin/", "/api/v1/stats/")) and path not in doors
    }
    assert "/api/v1/stats/breakdown" in closed
    for path, methods in closed.items():
        for method in methods:
            answer = httpx.request(method, f"{luot.api.url}{path.replace('{slug}', 'fuzz')}")
            assert (answer.status_code, list(answer.json()["errors"])) == (401, ["authorization"])


def test_ingest_answers_made_up_requests_as_described(luot: System) -> None:
    before = resident(luot.ingest.pid)

    sent = fuzz(json.loads(INGEST.read_text()), luot.ingest.url, {})

    assert sent > EXAMPLES * 6
    assert resident(luot.ingest.pid) - before < MAX_GROWTH


def test_the_description_of_ingest_names_what_the_code_has() -> None:
    description = json.loads(INGEST.read_text())
    event = description["paths"]["/api/event"]["post"]["responses"]["202"]

    assert set(description["paths"]) == PATHS | {"/healthz", "/readyz", "/metrics"}
    assert event["headers"]["X-Luot-Dropped"]["schema"]["enum"] == list(DropReason)


@pytest.mark.parametrize("service", ["api", "ingest"])
def test_invented_addresses_leave_nothing_behind(luot: System, service: str) -> None:
    """Memory settles: the last 500 invented requests costs next to nothing."""
    at = getattr(luot, service)
    held = []
    with httpx.Client(base_url=at.url) as client, luot.redis.client() as redis:
        keys = redis.dbsize()
        for turn in range(3):
            for i in range(500):
                name = f"{turn}-{i}-" + "x" * 300
                if service == "api":
                    client.get("/api/counter/fuzz", params={"path": f"/{name}"})
                    client.get(f"/api/counter/{name}")
                else:
                    client.get("/hit.gif", params={"d": name, "u": f"https://{name}/{name}"})
            held.append(resident(at.pid))
        left = redis.dbsize() - keys

    assert held[2] - held[1] < 4 << 20
    assert left <= 2  # the numbers of the site, not of its guests

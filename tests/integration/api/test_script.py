"""The scripts at their addresses: renewed, or of one version for ever."""

import httpx
import pytest

from services import __version__
from services.widget import scripts

pytestmark = pytest.mark.asyncio(loop_scope="module")

VERSIONED = f"/v{__version__}"


@pytest.mark.parametrize("name", ["counter.js", "blocks.js"])
async def test_a_pinned_script_never_changes_and_has_the_hash_that_is_told(
    client: httpx.AsyncClient, name: str
) -> None:
    told = (await client.get("/api/script")).json()
    assert told["version"] == __version__
    pinned = await client.get(told["scripts"][name]["path"])
    assert pinned.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert pinned.headers["access-control-allow-origin"] == "*"
    assert scripts.integrity(pinned.content) == told["scripts"][name]["integrity"]
    assert told["scripts"][name]["path"] == f"{VERSIONED}/{name}"

    for folder in ("", "/v1"):
        renewed = await client.get(f"{folder}/{name}")
        assert renewed.content == pinned.content
        assert renewed.headers["cache-control"].startswith("public, max-age=3600")


@pytest.mark.parametrize("folder", ["", "/v1", VERSIONED])
async def test_the_source_map_is_where_the_script_says(
    client: httpx.AsyncClient, folder: str
) -> None:
    text = (await client.get(f"{folder}/counter.js")).text
    name = text.rpartition("sourceMappingURL=")[2].strip()
    answer = await client.get(f"{folder}/{name}")
    assert answer.headers["content-type"] == "application/json"
    assert "widget/views.js" in answer.json()["sources"]


@pytest.mark.parametrize("version", ["v0.0.1", "v99.0.0", "v", "v1.0", "vhttps:"])
@pytest.mark.parametrize("name", ["counter.js", "blocks.js", "counter.js.map"])
async def test_another_version_is_refused_with_what_to_do(
    client: httpx.AsyncClient, version: str, name: str
) -> None:
    answer = await client.get(f"/{version}/{name}")
    assert answer.status_code == 404
    assert answer.headers["cache-control"] == "no-store"
    (said,) = answer.json()["errors"].values()
    if version != "v":
        assert repr(version[1:]) in said[0]
        assert VERSIONED in said[0]
        assert "luot snippet" in said[0]

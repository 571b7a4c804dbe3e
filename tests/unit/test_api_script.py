"""The scripts are small enough for every page of a portal, and are what their sources make."""

import gzip
import json
import re
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from services import __version__
from services.model.display import DEFAULT_LINES, HEADINGS, LABELS, Lang, Line
from services.widget import build, scripts
from tests import require

MOST_BYTES = {scripts.COUNTER: 2_000, scripts.BLOCKS: 4_096}
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("name", "most"), MOST_BYTES.items())
def test_a_script_is_small(name: str, most: int) -> None:
    assert len(scripts.compressed(scripts.built(name))) < most


@pytest.mark.parametrize("name", MOST_BYTES)
def test_the_readme_states_the_size_plain_and_compressed(name: str) -> None:
    plain = scripts.built(name)
    text = (ROOT / "README.md").read_text("utf-8")
    packed = len(gzip.compress(plain, 9))
    assert f"{packed:,} bytes over the wire ({len(plain):,} unpacked)" in text


@pytest.mark.parametrize("name", MOST_BYTES)
def test_a_source_map_has_the_sources_as_they_are(name: str) -> None:
    told = json.loads(scripts.built(f"{name}.map"))
    assert f"sourceMappingURL={name}.map" in scripts.built(name).decode()
    assert len(told["sources"]) == len(told["sourcesContent"]) > 2
    for source, content in zip(told["sources"], told["sourcesContent"], strict=True):
        assert (build.SOURCES / Path(source).name).read_text("utf-8") == content


def test_the_scripts_that_are_served_are_built_from_the_sources(tmp_path: Path) -> None:
    esbuild = require.program("esbuild")
    version = subprocess.run([esbuild, "--version"], capture_output=True, text=True, check=True)
    if version.stdout.strip() != build.ESBUILD:
        pytest.skip(f"esbuild is {version.stdout.strip()}; the scripts are built by another")
    build.build(tmp_path, esbuild)
    for name in scripts.FILES:
        assert (tmp_path / name).read_bytes() == scripts.built(name), f"run make widget: {name}"


def test_a_builder_that_is_missing_or_another_is_named(tmp_path: Path) -> None:
    with pytest.raises(build.BuildError, match="no-such-esbuild is not installed"):
        build.build(tmp_path, "no-such-esbuild")
    other = tmp_path / "esbuild"
    other.write_text("#!/bin/sh\necho 9.9.9\n")
    other.chmod(0o755)
    with pytest.raises(build.BuildError, match=r"'9\.9\.9'; expected 0\.17\.0"):
        build.build(tmp_path, str(other))


def test_what_is_released_is_not_built_again_and_is_here() -> None:
    changes = (
        "# Changes\n\n## Unreleased: 0.3.0\n\n## 0.2.0 - 2026-12-01\n\n## 0.1.0 - 2026-11-30\n"
    )
    assert build.released(changes) == ["0.2.0", "0.1.0"]
    released = build.released(build.CHANGES.read_text("utf-8"))
    assert {*released, __version__} == {*scripts.versions()}


async def test_every_version_that_was_built_stays_at_its_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(build.BUILT, tmp_path / build.BUILT.name)
    for older in ("0.0.9", "0.0.10"):
        folder = tmp_path / f"v{older}"
        shutil.copytree(build.BUILT, folder)
        (folder / scripts.COUNTER).write_text(f"/* {older} */")
    monkeypatch.setattr(scripts, "STATIC", tmp_path)
    assert scripts.versions() == ["0.0.9", "0.0.10", __version__]
    transport = httpx.ASGITransport(Starlette(routes=scripts.routes()))
    async with httpx.AsyncClient(transport=transport, base_url="http://luot") as client:
        for older in ("0.0.9", "0.0.10"):
            answer = await client.get(f"/v{older}/counter.js")
            assert answer.text == f"/* {older} */"
            assert answer.headers["cache-control"] == scripts.IMMUTABLE
        assert (await client.get("/counter.js")).content == scripts.built(scripts.COUNTER)


def test_what_else_lies_beside_the_versions_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("v0.2.0", "v0.10.0", "__pycache__", "v0.3.0.bak", "v", "@eaDir", "v0.²"):
        (tmp_path / name).mkdir()
    (tmp_path / ".DS_Store").write_bytes(b"")
    monkeypatch.setattr(scripts, "STATIC", tmp_path)
    assert scripts.versions() == ["0.2.0", "0.10.0"]


def test_the_words_of_the_script_are_those_of_badge_and_page() -> None:
    source = (build.SOURCES / "words.js").read_text("utf-8")
    lines, *words = re.findall(r"\"([^\"]*)\"\.split", source)
    assert lines.split(",") == list(Line)
    for lang, listed in zip(Lang, words, strict=True):
        labels = [LABELS[lang][line] for line in Line]
        assert listed.split(",")[:-1] == [*labels, HEADINGS[lang]]
    assert f'DEFAULT_LINES = "{",".join(DEFAULT_LINES)}"' in source


def test_nothing_is_kept_in_the_browser() -> None:
    for name in MOST_BYTES:
        text = scripts.built(name).decode()
        assert not re.search(r"cookie|localStorage|sessionStorage|indexedDB|caches\b", text)

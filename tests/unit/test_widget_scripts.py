"""The scripts are small enough for every page of a portal, and are what their sources make."""

import base64
import gzip
import hashlib
import io
import json
import re
import shutil
import tarfile
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from services import __version__
from services.model.display import HEADINGS, LABELS, MOST_READ, Lang, Preset
from services.model.lines import DEFAULT_LINES, Line
from services.widget import build, esbuild, scripts
from services.widget.looks import PRESETS
from services.widget.style import style_sheet
from tests import require

MOST_BYTES = {scripts.COUNTER: 2_048, scripts.BLOCKS: 8_192, scripts.PLAUSIBLE: 2_560}
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
    try:
        program = esbuild.find()
    except esbuild.EsbuildError as error:
        require.missing(f"esbuild ({error})")
    build.build(tmp_path, program)
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


def packed(name: str, content: bytes) -> tuple[bytes, str]:
    """Return a package with one file, and its hash."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    digest = base64.b64encode(hashlib.sha512(file.getvalue()).digest()).decode()
    return file.getvalue(), f"sha512-{digest}"


def test_a_fetched_builder_is_taken_only_with_its_hash() -> None:
    package, integrity = packed("package/bin/esbuild", b"#!/bin/sh\n")
    assert esbuild.unpacked(package, integrity) == b"#!/bin/sh\n"
    with pytest.raises(esbuild.EsbuildError, match="expected sha512-other"):
        esbuild.unpacked(package, "sha512-other")
    with pytest.raises(esbuild.EsbuildError, match="has no file package/bin/esbuild"):
        esbuild.unpacked(*packed("package/bin/other", b""))


def test_a_builder_that_was_fetched_is_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(esbuild.EsbuildError, match=r"neither esbuild 0\.17\.0 nor npm"):
        esbuild.find(tmp_path / "cache")
    # An npm that fetches a package which is not the one whose hash is known.
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\n: > package.tgz\n")
    npm.chmod(0o755)
    with pytest.raises(esbuild.EsbuildError, match="the package has the hash sha512-"):
        esbuild.find(tmp_path / "cache")
    fetched = tmp_path / "cache" / f"esbuild-{esbuild.VERSION}"
    fetched.parent.mkdir()
    fetched.touch()
    assert esbuild.find(tmp_path / "cache") == str(fetched)


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


async def test_plausibles_script_is_served_under_its_names() -> None:
    transport = httpx.ASGITransport(Starlette(routes=scripts.routes()))
    names = {
        **dict.fromkeys(
            ["script.js", "plausible.js", "plausible.hash.outbound-links.js", "script.manual.js"],
            scripts.PLAUSIBLE,
        ),
        **dict.fromkeys(["index.js", "pa-A1_b-2.js", "pa.js"], scripts.PLAUSIBLE),
        "plausible.js.map": "plausible.js.map",
    }
    async with httpx.AsyncClient(transport=transport, base_url="http://luot") as client:
        for name, built in names.items():
            answer = await client.get(f"/js/{name}")
            assert answer.content == scripts.built(built), name
            assert answer.headers["cache-control"] == scripts.RENEWED
    handler = scripts._PLAUSIBLE_NAME
    for other in ("jquery.js", "script.css", "script.js.exe", "script..js", "pa-.js", "Script.js"):
        assert not handler.fullmatch(other)


def test_what_else_lies_beside_the_versions_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("v0.2.0", "v0.10.0", "__pycache__", "v0.3.0.bak", "v", "@eaDir", "v0.²"):
        (tmp_path / name).mkdir()
    (tmp_path / ".DS_Store").write_bytes(b"")
    monkeypatch.setattr(scripts, "STATIC", tmp_path)
    assert scripts.versions() == ["0.2.0", "0.10.0"]


def test_the_words_of_the_script_are_those_of_badge_and_page() -> None:
    script = scripts.built(scripts.BLOCKS).decode()
    lines, *words = re.findall(r"\"([^\"]{9,})\"\.split", script)
    assert lines.split(",") == list(Line), "run make widget"
    for lang, listed in zip(Lang, words, strict=True):
        labels = [LABELS[lang][line] for line in Line]
        assert listed.split(",") == [*labels, HEADINGS[lang], MOST_READ[lang]], "run make widget"
    assert f'"{",".join(DEFAULT_LINES)}"' in script


def test_the_looks_of_the_script_are_those_of_badge_and_page() -> None:
    script = scripts.built(scripts.BLOCKS).decode()
    # Where the builder is not installed, this at least sees a preset that was not built.
    for preset in Preset:
        assert f".{preset}{{" in script, "run make widget"
    sheet = style_sheet("")
    for rule in re.findall(r"\.[a-z]+\{[^}]*", sheet):
        for declaration in re.findall(r"--[a-z-]+:[^;]+", rule):
            assert declaration in script, "run make widget"
    like_text = {Preset.DNN: PRESETS[Preset.DNN]._replace(spread=False)}
    with pytest.raises(ValueError, match="dnn: spread is False"):
        style_sheet("", like_text)


def test_nothing_is_kept_in_the_browser_but_the_choice_not_to_be_counted() -> None:
    uses = set()
    for name in MOST_BYTES:
        text = scripts.built(name).decode()
        assert not re.search(r"cookie|sessionStorage|indexedDB|caches\b", text)
        uses |= set(re.findall(r"localStorage[.\w]*(?:\(\W?\w+\W?\)|=)?", text))
    # tests/browser/test_own_visits.py: who writes it, and that no reader's browser has it.
    assert uses == {"localStorage.luot", "localStorage.luot=", 'localStorage.removeItem("luot")'}

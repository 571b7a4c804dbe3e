"""Builds the scripts from their sources: `python -m services.widget.build`.

The result is committed, so that installing Luot needs no JavaScript tools. The builder is one
fixed version of esbuild (`esbuild.py`), since another would produce different bytes. Each version
of Luot has a folder; that of a released one is never rewritten: portals have pinned its hash.
"""

import base64
import json
import re
import sys
import tempfile
from hashlib import sha256
from pathlib import Path

from services import __version__
from services.widget import esbuild, words
from services.widget.scripts import VERSIONED
from services.widget.style import style_sheet

HERE = Path(__file__).parent
SOURCES = HERE / "sources"
BUILT = HERE / "static" / VERSIONED.removeprefix("/")
CHANGES = HERE.parents[1] / "CHANGELOG.md"
LICENCE = "/*!Luot, Apache-2.0*/"

# One `try` around everything: failures here must not affect the portal's page.
_BEFORE = LICENCE + "(()=>{try{"
_AFTER = "}catch(e){}})();"


class BuildError(Exception):
    """The scripts cannot be built; the message says why."""


def build(target: Path, program: str | None = None) -> None:
    """Write the scripts and their source maps into a folder; raises BuildError.

    `program` is the esbuild to use, instead of the one that is installed or fetched.
    """
    try:
        _build(target, program or esbuild.find())
    except esbuild.EsbuildError as error:
        raise BuildError(str(error)) from None


def _build(target: Path, program: str) -> None:
    version = esbuild.version(program)
    if version != esbuild.VERSION:
        raise BuildError(f"{program} is version {version!r}; expected {esbuild.VERSION}")
    css = style_sheet((SOURCES / "block.css").read_text("utf-8"))
    style = esbuild.run([program, "--loader=css", "--minify"], stdin=css).strip()
    _bundle(program, target, "blocks.js", STYLE=style, **words.constants())
    # Addressed by version and content: no cache can combine scripts that do not match.
    digest = base64.b64encode(sha256((target / "blocks.js").read_bytes()).digest()).decode()
    for entry, is_plausible in (("counter.js", False), ("plausible.js", True)):
        _bundle(
            program,
            target,
            entry,
            BLOCKS_PATH=f"{VERSIONED}/blocks.js?",
            BLOCKS_HASH=digest,
            PLAUSIBLE=is_plausible,
        )


def _bundle(program: str, target: Path, entry: str, **constants: str | bool) -> None:
    esbuild.run(
        [
            program,
            entry,
            f"--outfile={target / entry}",
            "--bundle",
            "--minify",
            # Not iife: top-level names can be shortened this way, too, and the `try` is outside.
            "--format=esm",
            # Chrome 64, Firefox 63, Safari 12; block.js covers what else older browsers lack.
            "--target=es2018",
            "--charset=utf8",
            "--legal-comments=none",
            "--sourcemap",
            f"--banner:js={_BEFORE}",
            f"--footer:js={_AFTER}",
            *(f"--define:{name}={json.dumps(value)}" for name, value in constants.items()),
            "--log-level=warning",
        ],
        SOURCES,
    )
    _name_sources(target / f"{entry}.map", entry)


def _name_sources(path: Path, entry: str) -> None:
    """Reduce sources to their file names: their paths on the builder's disk are of no use."""
    content = json.loads(path.read_text("utf-8"))
    content["sources"] = [f"widget/{Path(source).name}" for source in content["sources"]]
    path.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n", "utf-8")


def released(changes: str) -> list[str]:
    """Return the versions that a changelog lists as released: `## 1.2.3 - 2026-11-22`."""
    return re.findall(r"^## (\d+\.\d+\.\d+) ", changes, re.MULTILINE)


def main() -> int:
    """Build into the folder of this version, unless it is released."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            if __version__ in released(CHANGES.read_text("utf-8")):
                raise BuildError(f"{__version__} is released: raise services.__version__ first")
            build(Path(folder))
        except BuildError as error:
            print(f"build: {error}", file=sys.stderr)  # noqa: T201
            return 1
        BUILT.mkdir(exist_ok=True)
        for built in sorted(Path(folder).iterdir()):
            (BUILT / built.name).write_bytes(built.read_bytes())
    return 0


if __name__ == "__main__":
    sys.exit(main())

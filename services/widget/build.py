"""Builds counter.js and blocks.js from their sources: `python -m services.widget.build`.

What is built is committed, so that nobody needs a JavaScript tool to install Luot. The builder is
esbuild, in the version of Debian 12; another version would give other bytes. Each version has a
folder; that of a released one is never written again, since portals have pinned it by its hash.
"""

import base64
import json
import re
import subprocess
import sys
import tempfile
from hashlib import sha256
from pathlib import Path

from services import __version__
from services.widget.scripts import VERSIONED

ESBUILD = "0.17.0"
HERE = Path(__file__).parent
SOURCES = HERE / "sources"
BUILT = HERE / "static" / VERSIONED.removeprefix("/")
CHANGES = HERE.parents[1] / "CHANGELOG.md"
LICENCE = "/*!Luot, Apache-2.0*/"

# One `try` around everything: what fails here, the portal's page does not hear.
_BEFORE = LICENCE + "(()=>{try{"
_AFTER = "}catch(e){}})();"


class BuildError(Exception):
    """The scripts cannot be built; the message says why."""


def build(target: Path, esbuild: str = "esbuild") -> None:
    """Write both scripts and their source maps into a folder; raises BuildError."""
    version = _run([esbuild, "--version"]).strip()
    if version != ESBUILD:
        raise BuildError(f"{esbuild} is version {version!r}; expected {ESBUILD}")
    style = _run([esbuild, "block.css", "--minify"]).strip()
    _bundle(esbuild, target, "blocks.js", STYLE=style)
    # Of its version and of its content: no cache can hold one that does not fit to the other.
    digest = base64.b64encode(sha256((target / "blocks.js").read_bytes()).digest()).decode()
    _bundle(
        esbuild,
        target,
        "counter.js",
        BLOCKS_PATH=f"{VERSIONED}/blocks.js?",
        BLOCKS_HASH=digest,
    )


def _bundle(esbuild: str, target: Path, entry: str, **constants: str) -> None:
    _run(
        [
            esbuild,
            entry,
            f"--outfile={target / entry}",
            "--bundle",
            "--minify",
            # Not iife: names at the top are then as free to be shortened, and the `try` is outside.
            "--format=esm",
            # Chrome 64, Firefox 63, Safari 12; what else older ones lack is in block.js.
            "--target=es2018",
            "--charset=utf8",
            "--legal-comments=none",
            "--sourcemap",
            f"--banner:js={_BEFORE}",
            f"--footer:js={_AFTER}",
            *(f"--define:{name}={json.dumps(value)}" for name, value in constants.items()),
            "--log-level=warning",
        ]
    )
    _name_sources(target / f"{entry}.map", entry)


def _name_sources(path: Path, entry: str) -> None:
    """Name sources by themselves: where they were on the builder's disk is of no use."""
    content = json.loads(path.read_text("utf-8"))
    content["sources"] = [f"widget/{Path(source).name}" for source in content["sources"]]
    path.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n", "utf-8")


def _run(command: list[str]) -> str:
    try:
        done = subprocess.run(  # noqa: S603
            command, cwd=SOURCES, capture_output=True, text=True, check=True
        )
    except FileNotFoundError:
        raise BuildError(
            f"{command[0]} is not installed; expected esbuild {ESBUILD}, of Debian 12"
        ) from None
    except subprocess.CalledProcessError as error:
        raise BuildError(f"{' '.join(command[:2])}: {error.stderr.strip()}") from None
    return done.stdout


def released(changes: str) -> list[str]:
    """Return the versions that a list of changes says are out: `## 1.2.3 - 2026-11-22`."""
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

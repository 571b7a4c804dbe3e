"""Builds counter.js and blocks.js from their sources: `python -m services.api.widget.build`.

What is built is committed, so that nobody needs a JavaScript tool to install Luot. The builder is
esbuild, in the version of Debian 12; another version would give other bytes.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from services.api.script import integrity

ESBUILD = "0.17.0"
SOURCES = Path(__file__).parent
BUILT = SOURCES.parent / "static"
ENTRIES = ("blocks.js", "counter.js")
LICENCE = "/*! Luot, Apache-2.0 */"

# One `try` around everything: what fails here, the portal's page does not hear.
_BEFORE = LICENCE + "(()=>{try{"
_AFTER = "}catch{}})();"


class BuildError(Exception):
    """The scripts cannot be built; the message says why."""


def build(target: Path, esbuild: str = "esbuild") -> None:
    """Write both scripts and their source maps into a folder; raises BuildError."""
    version = _run([esbuild, "--version"]).strip()
    if version != ESBUILD:
        raise BuildError(f"{esbuild} is version {version!r}; expected {ESBUILD}")
    style = _run([esbuild, "block.css", "--minify"]).strip()
    _bundle(esbuild, target, "blocks.js", STYLE=style)
    blocks = (target / "blocks.js").read_bytes()
    _bundle(esbuild, target, "counter.js", BLOCKS_INTEGRITY=integrity(blocks))


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
            "--target=es2021",
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


def main() -> int:
    """Build into the folder that is served."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            build(Path(folder))
        except BuildError as error:
            print(f"build: {error}", file=sys.stderr)  # noqa: T201
            return 1
        for built in sorted(Path(folder).iterdir()):
            (BUILT / built.name).write_bytes(built.read_bytes())
    return 0


if __name__ == "__main__":
    sys.exit(main())

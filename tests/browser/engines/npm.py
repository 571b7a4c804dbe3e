"""Packages of npm, fetched once by their pinned hashes, and bundled for a browser."""

import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path

from services.widget import esbuild
from tests import require

# The `dist.integrity` of each, as the registry states it.
PACKAGES = {
    "plausible-tracker@0.3.9": (
        "hMhneYm3GCPyQon88SZrVJx+LlqhM1kZFQbuAgXPoh/Az2YvO1B6bitT9qlhpiTdJlsT5lsr3gPmzoVjb5CDXA=="
    ),
    "@plausible-analytics/tracker@0.4.6": (
        "nbu6xGgSP6jeYuoVklZBzucUnIpo75tVu3Kr+R0EDycVKaMC/jF5Q/YCaM/8gR4fPZ1IDcXt6FdBJFZ1uZwEPA=="
    ),
    "vue-plausible@1.3.2": (
        "7hdLrDjw0+qjdM9hxowOirQSHPCljWwd8scW0tRFHyXAQSE/yBWrJ3EPuEiZlJUoth9ac0KLbHM+wSSkWHttiA=="
    ),
    "next-plausible@4.0.0": (
        "tC48VscREZ4fEvas9T4oj5qJwnpPlms0Wih1Unbgi/ozG08yN1w0IAPGp+/cHB8n6qzEAL5J0MlAS0FOr132jA=="
    ),
    "gatsby-plugin-plausible@0.0.7": (
        "pWCXsrWal8lWMmZ1wJ2dolbwZZR1CZU1LVR/K1rYC8NeA+uqTLY8h3uH3hFgP5n8jmRRenOSJ9SjWM9OIdCjOA=="
    ),
    "react@19.3.1": (
        "QNhWdt7nrgVWWQG58QuGsAR3jv3Hbe4mb4vz7w2csnHavciZJgda1CPNaldF6eVxv90ud3jUXpKlHL69gO38yw=="
    ),
    "@babel/runtime@7.28.4": (
        "Q/N6JNWvIvPnLDvjlE1OUBLPQHH6l3CltCEsHIujp45zQUSSh8K+gHnaEX45yAT1nyngnINhvWtzN+Nb9D8RAQ=="
    ),
    "minimatch@3.0.4": (
        "yJHVQEhyqPLUTgt9B83PXu6W3rx4MvvHvSUvToogpwoGDOUQ+yDrR0HRot+yOCdCO7u4hX3pWft6kWBBcqh0UA=="
    ),
    "brace-expansion@1.1.12": (
        "9T9UjW3r0UW5c1Q7GTwllptXwhvYmEzFhzMfZ9H7FQWt+uZePjZPjBP/W1ZEyZ1twGWom5/56TF4lPcqjnDHcg=="
    ),
    "balanced-match@1.0.2": (
        "3oSeUO0TMV67hN1AmbXsK4yaqU7tjiHlbxRDZOpH0KW9+CeX4bRAaX0Anxt0tx2MrpRpWwQaPwIlISEJhYU5Pw=="
    ),
    "concat-map@0.0.1": (
        "/Srv4dswyQNBfohGpz9o6Yb3Gz3SrUDqBH5rTuhGR7ahtlbYKnVxw2bCFMRljaA7EXHaXZ8wsHdodFvbkhKmqg=="
    ),
}


def bundled(folder: Path, source: str, packages: Sequence[str], **files: str) -> str:
    """Return a program for a browser, with the packages that it imports; skip without them.

    `files` are those that stand for modules which no package here has: name → content.
    """
    try:
        program = esbuild.find()
        for package in packages:
            _unpack(package, folder)
    except esbuild.EsbuildError as error:
        require.missing(f"esbuild or a package of npm ({error})")
    (folder / "entry.js").write_text(source)
    aliases = []
    for name, content in files.items():
        (folder / f"{name}.js").write_text(content)
        aliases.append(f"--alias:{name.replace('_', '/')}=./{name}.js")
    options = ["--bundle", "--format=iife", "--target=es2018", "--log-level=error"]
    define = f"--define:process.env.NODE_ENV={json.dumps('production')}"
    bundle = esbuild.run(
        [program, "entry.js", *options, define, "--define:process.env={}", *aliases], folder
    )
    # It stands in a page.
    return bundle.replace("</script", "<\\/script")


def _unpack(package: str, folder: Path) -> None:
    cached = esbuild.CACHE / "npm" / f"{package.replace('/', '+')}.tgz"
    if not cached.exists():
        content = esbuild.fetched(package)
        esbuild.verify(content, f"sha512-{PACKAGES[package]}")
        cached.parent.mkdir(parents=True, exist_ok=True)
        written = cached.with_suffix(f".{folder.name}")
        written.write_bytes(content)
        written.replace(cached)
    content = cached.read_bytes()
    esbuild.verify(content, f"sha512-{PACKAGES[package]}")
    target = folder / "node_modules" / package.rpartition("@")[0]
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for member in archive:
            name = member.name.partition("/")[2]
            if member.isfile() and (file := archive.extractfile(member)):
                path = target / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(file.read())

"""esbuild, the builder of the scripts, in the version that made the committed bytes.

If this version is not installed (Debian 12 has it), its package is fetched from npm's registry
once, by `npm pack`, which runs none of its code. The program is one file and needs no Node.
"""

import base64
import hashlib
import io
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

from services.runtime.reasons import reason

VERSION = "0.17.0"

# The `dist.integrity` of each package in the registry.
_PACKAGES: Mapping[tuple[str, str], tuple[str, str]] = {
    ("Linux", "x86_64"): (
        "linux-x64",
        "sha512-o7FhBLONk1mLT2ytlj/j/WuJcPdhWcVpysSJn1s9+zRdLwLKveipbPi5SIasJIqMq0T4CkQW76pxJYMqz9HrQA==",
    ),
    ("Linux", "aarch64"): (
        "linux-arm64",
        "sha512-js4Vlch5XJQYISbDVJd2hsI/MsfVUz6d/FrclCE73WkQmniH37vFpuQI42ntWAeBghDIfaPZ6f9GilhwGzVFUg==",
    ),
    ("Darwin", "x86_64"): (
        "darwin-x64",
        "sha512-R4WB6D6V9KGO/3LVTT8UlwRJO26IBFatOdo/bRXksfJR0vyOi2/lgmAAMBSpgcnnwvts9QsWiyM++mTTlwRseA==",
    ),
    ("Darwin", "arm64"): (
        "darwin-arm64",
        "sha512-wP/v4cgdWt1m8TS/WmbaBc3NZON10eCbm6XepdVc3zJuqruHCzCKcC9dTSTEk50zX04REcRcbIbdhTMciQoFIg==",
    ),
}
_PROGRAM = "package/bin/esbuild"
_NPM_SECONDS = 120
CACHE = Path(sys.prefix) / "share" / "luot"


class EsbuildError(Exception):
    """esbuild cannot be obtained or run; the message says why."""


def find(cache: Path = CACHE) -> str:
    """Return the path of esbuild VERSION, fetched into a folder if need be; raises EsbuildError."""
    if (installed := shutil.which("esbuild")) and version(installed) == VERSION:
        return installed
    program = cache / f"esbuild-{VERSION}"
    if not program.exists():
        content = unpacked(*_fetched())
        try:
            _write(program, content)
        except OSError as error:
            raise EsbuildError(f"cannot write {program}: {reason(error)}") from None
    return str(program)


def version(program: str) -> str:
    """Return the version that a program reports; raises EsbuildError."""
    return run([program, "--version"]).strip()


def run(command: list[str], folder: Path | None = None, stdin: str | None = None) -> str:
    """Return what a command prints; raises EsbuildError."""
    try:
        done = subprocess.run(  # noqa: S603
            command,
            cwd=folder,
            input=stdin,
            capture_output=True,
            text=True,
            check=True,
            timeout=_NPM_SECONDS,
        )
    except OSError:
        raise EsbuildError(f"{command[0]} is not installed; expected esbuild {VERSION}") from None
    except subprocess.TimeoutExpired:
        raise EsbuildError(f"{' '.join(command[:2])}: no end in {_NPM_SECONDS} s") from None
    except subprocess.CalledProcessError as error:
        raise EsbuildError(f"{' '.join(command[:2])}: {error.stderr.strip()}") from None
    return done.stdout


def unpacked(package: bytes, integrity: str) -> bytes:
    """Return the program inside a package; raises EsbuildError if the hash differs."""
    verify(package, integrity)
    with tarfile.open(fileobj=io.BytesIO(package)) as archive:
        if _PROGRAM not in archive.getnames() or not (program := archive.extractfile(_PROGRAM)):
            raise EsbuildError(f"the package has no file {_PROGRAM}")
        return program.read()


def verify(package: bytes, integrity: str) -> None:
    """Raise EsbuildError if the hash of a package differs."""
    digest = "sha512-" + base64.b64encode(hashlib.sha512(package).digest()).decode()
    if digest != integrity:
        raise EsbuildError(f"the package has the hash {digest}; expected {integrity}")


def fetched(package: str) -> bytes:
    """Return a package, name@version, from npm's registry; raises EsbuildError."""
    npm = shutil.which("npm")
    if npm is None:
        raise EsbuildError("npm, which fetches it, is not installed")
    with tempfile.TemporaryDirectory() as folder:
        quick = ("--fetch-retries=0", "--fetch-timeout=60000")
        run([npm, "pack", package, "--silent", *quick], Path(folder))
        packages = list(Path(folder).iterdir())
        if len(packages) != 1:
            raise EsbuildError(f"npm pack left {len(packages)} files; expected one package")
        return packages[0].read_bytes()


def _fetched() -> tuple[bytes, str]:
    """Return the package for this machine, and the hash it must have."""
    machine = platform.system(), platform.machine()
    if machine not in _PACKAGES:
        raise EsbuildError(
            f"no package for {' '.join(machine)}; expected esbuild {VERSION} on PATH"
        )
    name, integrity = _PACKAGES[machine]
    if shutil.which("npm") is None:
        raise EsbuildError(f"neither esbuild {VERSION} nor npm, which fetches it, is installed")
    return fetched(f"@esbuild/{name}@{VERSION}"), integrity


def _write(program: Path, content: bytes) -> None:
    program.parent.mkdir(parents=True, exist_ok=True)
    # Atomically: another build may look for it at the same time.
    descriptor, path = tempfile.mkstemp(dir=program.parent)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    Path(path).chmod(0o755)
    Path(path).replace(program)

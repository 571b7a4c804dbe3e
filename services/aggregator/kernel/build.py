"""`python services/aggregator/kernel/build.py`: compile the fold, if there is a C compiler.

Also called when Luot is installed. Without a compiler Luot folds in Python, with the same result.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
LIBRARY = FOLDER / "libluotfold.so"
_FLAGS = (
    "-std=c11", "-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-Wall", "-Wextra", "-Werror"
)  # fmt: skip
COMPILE_SECONDS = 120


class CompilerError(Exception):
    """There is no compiler, or it does not compile the fold; the message says why."""


def source_digest() -> str:
    """Return an identifier of the sources of a library."""
    digest = hashlib.sha256()
    for path in sources():
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:32]


def sources() -> list[Path]:
    """Return the files that a library is built from."""
    return sorted(path for path in FOLDER.iterdir() if path.suffix in (".c", ".h"))


def compile_library(into: Path = LIBRARY, *flags: str) -> Path:
    """Compile the library; return where it is. Raises CompilerError."""
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None:
        raise CompilerError("there is no compiler for C (cc, gcc or clang)")
    # Processes that have the old one open keep it.
    new = into.with_name(f"{into.name}.new")
    named = f'-DLUOT_SOURCE="{source_digest()}"'
    code = [str(path) for path in sources() if path.suffix == ".c"]
    try:
        subprocess.run(  # noqa: S603  # a compiler, on our own files
            [compiler, *_FLAGS, *flags, named, "-o", str(new), *code],
            check=True,
            capture_output=True,
            text=True,
            timeout=COMPILE_SECONDS,
        )
    except subprocess.CalledProcessError as error:
        raise CompilerError(f"{compiler} failed: {error.stderr.strip()[-500:]}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CompilerError(f"{compiler} does not run, or takes too long") from error
    new.replace(into)
    return into


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{compile_library()}\n")
    except CompilerError as error:
        sys.exit(f"Luot will fold in Python: {error}")

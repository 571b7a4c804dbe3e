"""A machine of namespaces: systemd, with processes, network and mounts of its own. Needs root.

Its files are those of a folder, such as debootstrap makes; or those of this machine, seen through
an overlay whose changes are in memory and end with it.
"""

import os
import shlex
import shutil
import signal
import subprocess
import time
from pathlib import Path

from tests.require import missing, program

SOURCE = "/usr/src/luot"
ROOT = Path(__file__).parents[2]
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_BOOT = """
set -e
mount --make-rprivate /
mkdir -p {top}
if [ {overlay} = yes ]; then
    mount -t tmpfs -o size=2g,mode=755 tmpfs {top}
    mkdir {top}/upper {top}/work {top}/root
    mount -t overlay -o lowerdir=/,upperdir={top}/upper,workdir={top}/work overlay {top}/root
    # Nothing of this machine's own services starts in it.
    find {top}/root/etc/systemd/system -mindepth 1 -delete
else
    mount --bind {top}/root {top}/root
fi
cd {top}/root
for folder in proc sys dev run tmp mnt; do mkdir -p $folder; done
mount -t proc proc proc
# Settings of the kernel are everybody's.
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty; do
    touch dev/$device
    mount --bind /dev/$device dev/$device
done
mkdir dev/shm dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ip link set lo up
# Not chroot alone: from there no service can have users of its own.
pivot_root . mnt
exec env -i container=luot PATH={path} chroot . sh -c \
    'umount -l /mnt; mount --make-rshared /; exec /lib/systemd/systemd --unit=multi-user.target'
"""


class Machine:
    """Boots on `start`; `run` gives it commands, in a copy of this checkout."""

    def __init__(self, directory: Path, *, installed: bool) -> None:
        """`installed`: with the files of this machine; else there is a root in `directory`."""
        for name in ("unshare", "nsenter", "ip", "systemd-analyze"):
            program(name)
        if os.getuid() != 0:
            missing("root's right to make namespaces")
        self._directory = directory
        self._installed = installed
        self._process: subprocess.Popen[bytes] | None = None
        self._init = 0

    def start(self) -> "Machine":
        boot = _BOOT.format(
            top=shlex.quote(str(self._directory)),
            overlay="yes" if self._installed else "no",
            path=_PATH,
        )
        # Unlike a kill of unshare, the end of its child ends all that is in the machine.
        self._process = subprocess.Popen(
            [
                *("unshare", "--pid", "--mount", "--uts", "--ipc", "--net", "--cgroup"),
                *("--fork", "--kill-child=KILL", "sh", "-c", boot),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        try:
            self._wait_until_up()
            self._copy_checkout()
        except BaseException:
            self.stop()
            raise
        return self

    def _wait_until_up(self, seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        process = self._process
        assert process is not None
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        while True:
            if process.poll() is not None:
                said = process.stderr.read().decode() if process.stderr else ""
                missing(f"what it takes to start systemd in namespaces ({said.strip()[-300:]})")
            [self._init] = [int(pid) for pid in children.read_text().split()] or [0]
            if self._init and self._is_up():
                return
            if time.monotonic() > deadline:
                raise RuntimeError("systemd does not come up")
            time.sleep(0.2)

    def _is_up(self) -> bool:
        done = subprocess.run(
            self._enter("systemctl is-system-running"), capture_output=True, text=True, check=False
        )
        # "degraded" where a service of Debian's own cannot run in namespaces.
        return done.stdout.strip() in ("running", "degraded")

    def _copy_checkout(self) -> None:
        names = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout
        there = b"\0".join(name for name in names.split(b"\0") if (ROOT / name.decode()).is_file())
        packed = subprocess.run(
            ["tar", "--create", "--null", "--files-from=-"],
            cwd=ROOT,
            input=there,
            capture_output=True,
            check=True,
        ).stdout
        unpack = f"mkdir -p {SOURCE} && tar --extract --no-same-owner --directory {SOURCE}"
        subprocess.run(self._enter(unpack), input=packed, check=True)

    def _enter(self, command: str, *, network: bool = False) -> list[str]:
        """Return the call of a command in the machine; `network`: with that of this machine."""
        kinds = ["--pid", "--mount", "--uts", "--ipc", "--cgroup"] + (["--net"] * (not network))
        environ = [f"{key}={value}" for key, value in os.environ.items() if key[:4] == "PIP_"]
        shell = ["env", "-i", f"PATH={_PATH}", "HOME=/root", "DEBIAN_FRONTEND=noninteractive"]
        return [
            *("nsenter", f"--target={self._init}", *kinds, "--root", "--wd"),
            *(*shell, *environ, "bash", "-euc", command),
        ]

    def run(self, command: str, *, network: bool = False, check: bool = True) -> str:
        """Return what a command prints, both ways. Raises AssertionError where it fails."""
        done = subprocess.run(
            self._enter(f"cd {SOURCE}\n{command}", network=network),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        if check and done.returncode != 0:
            failed = "systemctl --failed --no-pager; journalctl --no-pager --lines=60"
            journal = self.run(failed, check=False)
            raise AssertionError(f"{command}\nfails: {done.stdout[-4000:]}\n{journal}")
        return done.stdout

    def stop(self) -> None:
        process = self._process
        if process is None:
            return
        if self._init:
            # The first process of the machine ends with all others of it.
            os.kill(self._init, signal.SIGKILL)
        process.kill()
        process.wait(60)
        if process.stderr:
            process.stderr.close()
        self._process = None
        if self._installed:
            shutil.rmtree(self._directory, ignore_errors=True)

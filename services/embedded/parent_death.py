"""Runs a program that gets SIGTERM when its parent dies for any reason: PR_SET_PDEATHSIG.

A separate script, `parent_death.py PARENT PROGRAM ARGUMENT…`, because code between fork and exec
would run in a process with threads, where it may deadlock.
"""

import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Replace this process with the program."""
    parent, *command = sys.argv[1:]
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(parent):
        sys.exit("the parent is gone")
    os.execv(command[0], command)  # noqa: S606  # no shell is wanted


if __name__ == "__main__":
    main()

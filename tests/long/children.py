"""Run work in a child process that has already imported all libraries and leads its own process group."""

import contextlib
import os
import signal
import sys
from collections.abc import Callable

import psutil

__all__ = ["ended", "kill", "started", "status_of"]


def started(work: Callable[[], object]) -> int:
    """Start the work and return the child's process id. Its status is 1 if the work raised."""
    heading, told = os.pipe()
    child = os.fork()
    if child:
        os.close(told)
        os.read(heading, 1)  # until the child leads its group, there is no group to kill
        os.close(heading)
        return child
    os.setsid()
    os.close(told)
    try:
        sys.stdout = sys.stderr = open(os.devnull, "w")
        work()
    except BaseException:
        os._exit(1)
    os._exit(0)


def ended(child: int) -> int | None:
    """Return the child's exit status, or None if it is still running."""
    found, status = os.waitpid(child, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else None


def status_of(work: Callable[[], object]) -> int:
    """Finish the work in a child and return its status; a negative status is the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(started(work), 0)[1])


def kill(child: int, all_below: bool) -> None:
    """Send SIGKILL to the child's process group or, as if the machine stopped, to all that it started in any group."""
    below = psutil.Process(child).children(recursive=True) if all_below else []
    os.killpg(child, signal.SIGKILL)
    for process in below:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    os.waitpid(child, 0)

"""Make the book: ``python -m companion book --profile smoke --jobs 2 --solutions yes``.

Snakemake decides what is stale and runs it; this module holds the lock, shows the progress, and ends with what failed.
"""

import argparse
import hashlib
import logging
import os
import signal
import sys
import time
from pathlib import Path

from filelock import FileLock, Timeout

from companion import warm
from companion.environment import fix_environment
from companion.execute import ANSI, ROOT
from companion.folders import build_folder
from companion.parameters import PROFILES

__all__ = ["Progress", "drop_stale_stamps", "make_book"]


class Progress(logging.Filter):
    """Listens to Snakemake's log and says in one line what starts and what ended; nothing else is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.running: dict[int, tuple[str, float]] = {}
        self.failed: dict[str, str] = {}  # name -> log file
        self.errors: list[str] = []  # Snakemake's own, about the workflow
        self.left = 0
        self.interrupted = False

    def filter(self, record: logging.LogRecord) -> bool:
        """Take note of a record; let none through."""
        event = getattr(getattr(record, "event", None), "name", None)
        if event == "RUN_INFO":
            self.left = record.stats["total"]
        elif event == "JOB_INFO":
            name = record.wildcards.get("page") or record.wildcards.get("step") or record.rule_name
            self.running[record.jobid] = (name, time.monotonic())
            print(f"{name} ...", flush=True)
        elif event == "JOB_FINISHED":
            name, start = self.running.pop(record.job_id)
            self.left -= 1
            print(f"{name}: {time.monotonic() - start:.0f} s, {self.left} left", flush=True)
        elif event == "JOB_ERROR" and not self.interrupted:
            name, start = self.running.pop(record.jobid)
            self.left -= 1
            self.failed[name] = record.log[0]
            print(f"{name}: FAILED after {time.monotonic() - start:.0f} s, {self.left} left", flush=True)
        elif event in (None, "ERROR") and record.levelno >= logging.ERROR:
            self.errors.append(record.getMessage())
        return False

    def interrupt(self, signal_number: int, frame: object) -> None:
        """Take note of Ctrl-C before Snakemake hears of it: what it ends did not fail."""
        self.interrupted = True
        signal.default_int_handler(signal_number, frame)

    def report(self) -> None:
        """Show the last lines of every failed job's log, or Snakemake's own error."""
        if self.interrupted:
            print("Interrupted; `make book` goes on from here.", file=sys.stderr)
            return
        for name, log in self.failed.items():
            lines = [line for line in ANSI.sub("", Path(log).read_text(errors="replace")).splitlines() if line.strip()]
            print(f"\n{name} failed; the end of {os.path.relpath(log)}:", file=sys.stderr)
            print(*(f"    {line}" for line in lines[-15:]), sep="\n", file=sys.stderr)
        if not self.failed:
            print(*self.errors, sep="\n", file=sys.stderr)


def drop_stale_stamps(build: Path) -> None:
    """Delete the stamp of every page, and of the book, whose file is gone or is not what the stamp says."""
    for stamp in [*build.glob("steps/*/*.page"), *build.glob("steps/html")]:
        digest, _, name = stamp.read_text().strip().partition("  ")
        made = build / name
        if not made.is_file() or hashlib.sha256(made.read_bytes()).hexdigest() != digest:
            stamp.unlink()


def make_book(profile: str, jobs: int, solutions: str) -> int:
    """Compute what is stale and build the book; return the exit status."""
    from snakemake import cli
    from snakemake.logging import logger

    build, progress = build_folder(), Progress()
    drop_stale_stamps(build)
    logger.addFilter(progress)
    signal.signal(signal.SIGINT, progress.interrupt)
    # Our own lock ends with this process, whatever ends it; Snakemake's would have to be removed by hand.
    command = ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(ROOT), "--cores", str(jobs), "--nolock"]
    command += ["--workflow-profile", "none"]
    command += ["--keep-going", "--rerun-incomplete", "--config", f"profile={profile}", f"solutions={solutions}"]
    try:
        cli.main(command)
    except SystemExit as end:
        status = 1 if end.code else 0
    except KeyboardInterrupt:
        status = 1
    index = build / "html" / "index.html"
    if status:
        progress.report()
    elif not (index.is_file() and (build / "steps" / "html").is_file()):
        print(f"no book was built: {index} is not there, though nothing failed", file=sys.stderr)
        return 1
    else:
        print(f"The book: {os.path.relpath(index)} ({index.as_uri()})")
    return status


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m companion book", description="Make the book.")
    parser.add_argument("--profile", choices=PROFILES, default="smoke")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--solutions", choices=["yes", "no"], default="yes")
    options = parser.parse_args()
    fix_environment()
    os.environ["PAPERLIB_WORKFLOW"] = str(os.getpid())  # the pages end when this process ends
    os.chdir(ROOT)
    build = build_folder()
    build.mkdir(parents=True, exist_ok=True)
    lock = FileLock(build / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print("Another `make book` is at work here; waiting for it to end ...", flush=True)
        lock.acquire()
    with lock, warm.server():
        return make_book(options.profile, options.jobs, options.solutions)


if __name__ == "__main__":
    sys.exit(main())

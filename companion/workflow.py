"""Build the book: ``python -m companion book --profile smoke --jobs 2 --solutions yes``.

Snakemake decides what is stale and runs it; this module holds the lock, shows progress, and reports failures.
"""

import argparse
import contextlib
import hashlib
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from filelock import FileLock, Timeout

from companion import warm
from companion.environment import fix_environment
from companion.execute import ANSI, ROOT
from companion.folders import build_folder
from companion.options import positive_int
from companion.parameters import PROFILES

__all__ = ["Progress", "drop_stale_stamps", "make_book"]


class Progress(logging.Filter):
    """Listens to Snakemake's log and prints one line for each job that starts or ends; nothing else is shown."""

    def __init__(self, retried: bool = False) -> None:
        super().__init__()
        self.running: dict[int, tuple[str, float]] = {}
        self.failed: dict[str, str] = {}  # name -> log file
        self.errors: list[str] = []  # Snakemake's own errors, about the workflow
        self.left = 0
        self.retried = retried  # whether failed jobs are retried
        self.interrupted = False

    def filter(self, record: logging.LogRecord) -> bool:
        """Process a log record; let none through."""
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
            self.failed.pop(name, None)  # a retry succeeded
            print(f"{name}: {time.monotonic() - start:.0f} s, {self.left} left", flush=True)
        elif event == "JOB_ERROR" and not self.interrupted:
            name, start = self.running.pop(record.jobid)
            self.left -= not self.retried
            self.failed[name] = record.log[0]
            again = ", it may be tried again" if self.retried else ""
            print(f"{name}: FAILED after {time.monotonic() - start:.0f} s, {self.left} left{again}", flush=True)
        elif event in (None, "ERROR") and record.levelno >= logging.ERROR:
            self.errors.append(record.getMessage())
        return False

    def interrupt(self, signal_number: int, frame: object) -> None:
        """Note Ctrl-C before Snakemake receives it: the jobs it ends did not fail."""
        self.interrupted = True
        signal.default_int_handler(signal_number, frame)

    def report(self) -> None:
        """Show the last lines of every failed job's log, or Snakemake's own error."""
        if self.interrupted:
            print("Interrupted; `make book` continues from here.", file=sys.stderr)
            return
        for name, log in self.failed.items():
            lines = [line for line in ANSI.sub("", Path(log).read_text(errors="replace")).splitlines() if line.strip()]
            print(f"\n{name} failed; the end of {os.path.relpath(log)}:", file=sys.stderr)
            print(*(f"    {line}" for line in lines[-15:]), sep="\n", file=sys.stderr)
        if not self.failed:
            print(*self.errors, sep="\n", file=sys.stderr)


def drop_stale_stamps(build: Path) -> None:
    """Delete the stamps of pages, and of the book, whose file is missing or does not match the stamp."""
    for stamp in [*build.glob("steps/*/*.page"), *build.glob("steps/html")]:
        digest, _, name = stamp.read_text().strip().partition("  ")
        made = build / name
        if not made.is_file() or hashlib.sha256(made.read_bytes()).hexdigest() != digest:
            stamp.unlink()


def slurm(build: Path, jobs: int) -> list[str]:
    """Return Snakemake's options for Slurm jobs. Jobs lost by a node are retried twice; ``sbatch`` reads account and
    partition from SBATCH_ACCOUNT and SBATCH_PARTITION in the environment."""
    command = ["--executor", "slurm", "--jobs", str(jobs), "--retries", "2", "--latency-wait", "60"]
    command += ["--seconds-between-status-checks", "20"]
    accounts = shutil.which("sacct") and subprocess.run(["sacct", "-n"], capture_output=True).returncode == 0
    command += ["--slurm-status-command", "sacct" if accounts else "squeue"]  # without accounting sacct answers nothing
    return [*command, "--slurm-no-account", "--slurm-logdir", str(build / "logs" / "slurm")]


def make_book(profile: str, jobs: int, solutions: str, cluster: str = "no", only: str = "") -> int:
    """Compute what is stale and build the book, or compute ``only`` the named pages; return the exit status."""
    from snakemake import cli
    from snakemake.logging import logger

    build, progress = build_folder(), Progress(retried=cluster == "slurm")
    drop_stale_stamps(build)
    logger.addFilter(progress)
    signal.signal(signal.SIGINT, progress.interrupt)
    # Our own lock is released however this process ends; Snakemake's would have to be removed by hand.
    command = ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(ROOT), "--nolock"]
    command += slurm(build, jobs) if cluster == "slurm" else ["--cores", str(jobs)]
    command += ["--workflow-profile", "none", "--keep-going", "--rerun-incomplete"] + (["pages"] if only else [])
    command += ["--config", f"profile={profile}", f"solutions={solutions}", f"only={only}", f"jobs={jobs}"]
    try:
        cli.main(command)
    except SystemExit as end:
        status = 1 if end.code else 0
    except KeyboardInterrupt:
        status = 1
    index = build / "html" / "index.html"
    if status:
        progress.report()
    elif only:
        print(f"The pages: {os.path.relpath(build / 'pages' / profile)}")
    elif not (index.is_file() and (build / "steps" / "html").is_file()):
        print(f"no book was built: {index} is missing, though nothing failed", file=sys.stderr)
        return 1
    else:
        print(f"The book: {os.path.relpath(index)} ({index.as_uri()})")
    return status


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m companion book", description="Build the book.")
    parser.add_argument("--profile", choices=PROFILES, default="smoke")
    parser.add_argument("--jobs", type=positive_int, default=2)
    parser.add_argument("--solutions", choices=["yes", "no"], default="yes")
    parser.add_argument("--cluster", choices=["no", "slurm"], default="no", help="run pages and steps as Slurm jobs")
    parser.add_argument("--only", default="", help="only these pages, separated by commas; the book is not built")
    options = parser.parse_args()
    fix_environment()
    pages = sorted(path.stem for path in (ROOT / "notebooks").glob("*.py"))
    if unknown := [page for page in filter(None, options.only.split(",")) if page not in pages]:
        parser.error(f"--only {unknown[0]} is not one of {', '.join(pages)}")
    if options.cluster == "no":
        os.environ["PAPERLIB_WORKFLOW"] = str(os.getpid())  # the pages end when this process ends
    os.chdir(ROOT)
    build = build_folder()
    build.mkdir(parents=True, exist_ok=True)
    lock = FileLock(build / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print("Another `make book` is running here; waiting for it to end ...", flush=True)
        lock.acquire()
    with lock, warm.server() if options.cluster == "no" else contextlib.nullcontext():
        return make_book(options.profile, options.jobs, options.solutions, options.cluster, options.only)


if __name__ == "__main__":
    sys.exit(main())

"""A Slurm of two nodes on this machine, for as long as a test takes: Debian's ``slurm-wlm`` and ``munge``, as root."""

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

__all__ = ["NODES", "missing", "slurm"]

NODES = ("n1", "n2")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue")

PLACE = Path("/etc/slurm/slurm.conf")  # jobs look for it here, since Snakemake clears their environment

CONFIG = """\
ClusterName=book
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
MinJobAge=3600
SlurmctldDebug=info
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
"""


def missing() -> str:
    """Return why Slurm cannot run here; empty if it can."""
    os.environ["PATH"] += ":/usr/sbin"
    if lacking := [program for program in PROGRAMS if shutil.which(program) is None]:
        return f"{lacking[0]} is not installed: apt-get install slurm-wlm munge"
    if os.geteuid() != 0:
        return "its daemons need root"
    return f"there is a Slurm here already: {PLACE}" if PLACE.exists() else ""


def _ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        open_ = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in open_:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in open_]


@contextlib.contextmanager
def slurm(folder: Path) -> Iterator[dict[str, str]]:
    """Start Slurm and yield the environment for its commands."""
    host, ports = socket.gethostname().partition(".")[0], _ports(3)
    text = CONFIG.format(host=host, port=ports[0], folder=folder)
    for node, port in zip(NODES, ports[1:]):
        text += f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=1 RealMemory=8000\n"
    text += "PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP\n"
    (folder / "state").mkdir()
    config, keys = folder / "slurm.conf", folder / "munge"
    config.write_text(text)
    keys.mkdir(mode=0o700)
    (keys / "key").write_bytes(secrets.token_bytes(1024))
    (keys / "key").chmod(0o600)
    for path in (keys, keys / "key"):
        shutil.chown(path, "munge", "munge")
    for path in [folder, *folder.parents]:  # munge and its clients must be able to enter
        path.chmod(path.stat().st_mode | 0o711)
    keys.chmod(0o711)
    PLACE.parent.mkdir(exist_ok=True)
    PLACE.symlink_to(config)
    environment = dict(os.environ)
    files = [f"--key-file={keys}/key", f"--socket={keys}/socket", f"--pid-file={keys}/pid"]
    files += [f"--log-file={keys}/log", f"--seed-file={keys}/seed"]
    commands = [["runuser", "-u", "munge", "--", "munged", "--foreground", *files], ["slurmctld", "-D"]]
    commands += [["slurmd", "-D", "-N", node] for node in NODES]
    daemons = []
    try:
        for command in commands:
            daemons.append(
                subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
            )
            time.sleep(2)
        _wait(environment)
        yield environment
    finally:
        subprocess.run(["scancel", "--user", "root"], env=environment, check=False, capture_output=True)
        _drained(environment)  # a job whose node goes first leaves its processes behind
        for daemon in reversed(daemons):
            daemon.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                daemon.wait(20)
            daemon.kill()
        PLACE.unlink()


def _drained(environment: dict[str, str], seconds: float = 60) -> None:
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        said = subprocess.run(["squeue", "-h"], env=environment, capture_output=True, text=True)
        if said.returncode or not said.stdout.strip():
            return
        time.sleep(1)


def _wait(environment: dict[str, str], seconds: float = 60) -> None:
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        said = subprocess.run(["sinfo", "-h", "-N", "-o", "%T"], env=environment, capture_output=True, text=True)
        if said.stdout.split() == ["idle"] * len(NODES):
            return
        time.sleep(1)
    raise TimeoutError(f"no Slurm after {seconds:.0f} s: {said.stdout}{said.stderr}")

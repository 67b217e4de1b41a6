"""Commands that start with the large libraries imported: a server imports them once, and forks for each command.

``python -m companion.warm MODULE ARGUMENT...`` does what ``python -m MODULE ARGUMENT...`` does, in this folder, with
this environment, input and output. Inside :func:`server` it is a fork; anywhere else it is a separate process. Our own
two packages are not imported in advance: a page runs the code that is in the files when it starts.
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

__all__ = ["LIBRARIES", "command", "server"]

#: What the pages, and the code that executes them, import. None of these looks at the running program on import, unlike
#: matplotlib's backend for notebooks, which then needs a kernel.
LIBRARIES = (
    "torch",
    "torch._dynamo",  # every optimiser imports it when it is made: three seconds
    "torch.utils.flop_counter",
    "accelerate",
    "torchdiffeq",
    "safetensors.torch",
    "pydantic",
    "scipy.stats",
    "sklearn.datasets",
    "pandas.io.formats.style",
    "matplotlib.pyplot",
    "ipykernel.ipkernel",
    "ipykernel.kernelapp",
    "psutil",
    "papermill",
    "jupytext",
)
ADDRESS = "PAPERLIB_WARM"  # the environment variable that names the server's socket


def command(module: str) -> list[str]:
    """Return the beginning of the command line that runs ``module``, as a fork if there is a server."""
    return [sys.executable, "-m", *(["companion.warm"] if ADDRESS in os.environ else []), module]


@contextlib.contextmanager
def server(libraries: Sequence[str] = LIBRARIES) -> Iterator[None]:
    """Run a server for the commands that are started inside the block, by this process or its children.

    It imports nothing before the first command arrives, and ends with this process, even if that is killed. There is no
    server on macOS, whose own libraries do not survive a fork.
    """
    if sys.platform == "darwin":
        yield
        return
    address = str(Path(tempfile.mkdtemp(prefix="companion-"), "warm"))
    line = [sys.executable, "-c", f"from companion import warm; warm.serve({address!r}, {tuple(libraries)!r})"]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as process:
        process.stdout.read(1)  # wait until it listens
        os.environ[ADDRESS] = address
        try:
            yield
        finally:
            del os.environ[ADDRESS]
            process.stdin.close()


def serve(address: str, libraries: Sequence[str]) -> NoReturn:
    """Fork this process for each command that arrives, until its standard input ends."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen()
    os.dup2(2, 1)  # closes our output, which the parent reads
    while 0 not in select.select([0, listener], [], [])[0]:
        connection, _ = listener.accept()
        import_libraries(libraries)
        signal.signal(signal.SIGCHLD, bury)
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listener.close()
            obey(connection)
        connection.close()
    shutil.rmtree(Path(address).parent)  # here, because the parent may have been killed
    os._exit(0)


def bury(*signal_and_frame: object) -> None:
    """Reap the forks that have ended, so that their seconds count as those of this process's children."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def import_libraries(names: Sequence[str]) -> None:
    """Import what is not imported yet, and hide it from the garbage collector, so that forks share the memory."""
    with warnings.catch_warnings(action="ignore"):
        for name in names:
            importlib.import_module(name)
    gc.freeze()


def obey(connection: socket.socket) -> NoReturn:
    """Run in this fork what the other side of ``connection`` asks for, send back the exit status, and end."""
    request, streams, _, _ = socket.recv_fds(connection, 1 << 20, 3)
    while not request.endswith(b"\n"):
        request += connection.recv(1 << 20)
    asked = json.loads(request)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["folder"])
    sys.argv = asked["words"]

    def listen() -> None:
        while signals := connection.recv(1):
            os.kill(os.getpid(), signals[0])
        os._exit(1)  # the other side has ended

    threading.Thread(target=listen, daemon=True).start()
    try:
        runpy.run_module(sys.argv[0], run_name="__main__")
        status = 0
    except SystemExit as end:
        status = end.code or 0
    except BaseException:
        traceback.print_exc()
        status = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    connection.send(bytes([status]))
    os._exit(status)  # tearing the libraries down would copy them into this process first, which takes a second


def ask(address: str, words: list[str]) -> int:
    """Have the server run a command and return its exit status; end when the parent process has ended."""
    parent = os.getppid()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        asked = {"words": words, "folder": os.getcwd(), "environment": dict(os.environ)}
        socket.send_fds(connection, [b" "], [0, 1, 2])
        connection.sendall(json.dumps(asked).encode() + b"\n")
        for number in (signal.SIGINT, signal.SIGTERM):  # passed on
            signal.signal(number, lambda number, frame: connection.send(bytes([number])))
        while not select.select([connection], [], [], 1)[0]:
            if os.getppid() != parent:
                return 1
        return (connection.recv(1) or b"\1")[0]  # no answer: it was killed


def main() -> int:
    """Run the module that the first argument names."""
    if len(sys.argv) < 2:
        raise SystemExit("python -m companion.warm MODULE ARGUMENT...: a module's name is missing")
    if address := os.environ.get(ADDRESS):
        return ask(address, sys.argv[1:])
    os.execv(sys.executable, [sys.executable, "-m", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())

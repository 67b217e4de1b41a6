"""Downloads from a server that fails in various ways and then works: a partial file is never used."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torchvision.datasets as tv

from paperlib.data import cache, sets, sources
from paperlib.data.__main__ import main
from tests.data.test_sources import mnist

PAGE = b"<!DOCTYPE html><html><body>Sign in to continue</body></html>"


class Server(ThreadingHTTPServer):
    """Serves ``files`` with the given ``fault``; "" means correctly."""

    daemon_threads = True

    def __init__(self, files):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.fault, self.over = files, "", threading.Event()

    def handle_error(self, *_):
        """Ignore clients that gave up."""


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        name, fault = self.path.rsplit("/", 1)[-1], self.server.fault
        if fault == "refused":
            return self.send_error(403)
        if fault == "moved to a page" and name != "page.html":
            self.send_response(302)
            self.send_header("Location", "/page.html")
            return self.end_headers()
        body = PAGE if fault in ("a page", "moved to a page") else self.server.files[name]
        body = body[:-1] + bytes([body[-1] ^ 1]) if fault == "one bit wrong" else body
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if fault in ("cut", "silent"):
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            if fault == "silent":
                self.server.over.wait(30)
            return self.connection.close()
        if fault == "slow":
            for start in range(0, len(body), len(body) // 3 + 1):
                time.sleep(0.05)
                self.wfile.write(body[start : start + len(body) // 3 + 1])
                self.wfile.flush()
            return None
        return self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Serve tiny versions of MNIST's four files, and provide an empty data folder."""
    expected = mnist(tmp_path / "there", monkeypatch)
    files = {path.name: path.read_bytes() for path in (tmp_path / "there/MNIST/raw").iterdir()}
    served = Server(files)
    thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    monkeypatch.setattr(tv.MNIST, "mirrors", [f"http://127.0.0.1:{served.server_port}/"])
    monkeypatch.setattr(cache, "KNOWN_SHA256", {})
    monkeypatch.setattr(sources, "SECONDS", 0.5)
    (tmp_path / "here").mkdir()
    monkeypatch.setenv("PAPERLIB_DATA", str(tmp_path / "here"))
    served.expected, served.folder = expected, tmp_path / "here"
    yield served
    served.over.set()
    served.shutdown()


def is_whole(server):
    for part, (images, labels) in server.expected.items():
        data = sets.load("mnist", part)
        assert np.array_equal(data.images.numpy(), images) and np.array_equal(data.labels.numpy(), labels)


@pytest.mark.parametrize("fault", ["refused", "a page", "moved to a page", "one bit wrong", "cut", "silent"])
def test_a_download_that_fails_leaves_nothing_that_is_used_and_is_made_again(fault, server, capsys):
    server.fault, start = fault, time.monotonic()
    assert main(["mnist"]) == 1 and time.monotonic() - start < 20
    said = capsys.readouterr().err
    assert "mnist: neither found in" in said and "Traceback" not in said
    assert "With a network, run again: python -m paperlib.data mnist" in said
    assert list(server.folder.glob("*.npz")) == []
    with pytest.raises(FileNotFoundError, match="python -m paperlib.data mnist"):
        sets.load("mnist", "train")
    server.fault = ""
    assert main(["mnist"]) == 0
    is_whole(server)


def test_a_slow_server_is_waited_for(server):
    server.fault = "slow"
    assert main(["mnist"]) == 0
    is_whole(server)


def test_patience_ends_with_the_download(server):
    import socket

    before = socket.getdefaulttimeout()
    server.fault = "refused"
    main(["mnist"])
    assert socket.getdefaulttimeout() == before

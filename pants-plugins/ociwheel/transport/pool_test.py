"""Connections that are kept, and the proxies that stand between."""

from __future__ import annotations

import base64
import http.server
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from ociwheel.transport.connection import Body, Connections
from ociwheel.transport.failure import Failure, Kind
from ociwheel.transport.pool import Way, proxy_of
from ociwheel.transport.settings import NetworkSettings


@dataclass
class Server:
    """A server that speaks HTTP/1.1, and what it saw."""

    url: str
    peers: list[tuple[str, str, bytes, str]] = field(default_factory=list)
    """The client's port, the request's target, its body, what it says to a proxy."""
    ends: bool = False
    """It ends each connection after its answer, and does not say so."""


@pytest.fixture
def server() -> Iterator[Server]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            said = self.headers.get("Proxy-Authorization", "")
            found.peers.append((str(self.client_address[1]), self.path, body, said))
            length = 1 << 20 if self.path.endswith("large") else 3
            self.send_response(200)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(b"x" * length)
            self.close_connection = found.ends

        do_HEAD = do_PUT = do_GET  # noqa: N815 (http.server's names)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Threads(http.server.ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that went away is no error of the test."""

    with Threads(("127.0.0.1", 0), Handler) as running:
        found = Server(f"http://127.0.0.1:{running.server_port}")
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield found
        running.shutdown()


def test_requests_to_one_server_share_a_connection(server: Server) -> None:
    connections = Connections(NetworkSettings(timeout=5))
    for method in ("GET", "HEAD", "PUT", "GET"):
        response = connections.open(
            method, f"{server.url}/a?b=c#d", {}, Body(b"abc", 3) if method == "PUT" else None
        )
        # Whether somebody reads a short answer or not.
        if method == "GET":
            assert response.read() == b"xxx"
        response.close()
        response.close()
    assert len({peer for peer, *_ in server.peers}) == 1
    assert [row[1:3] for row in server.peers] == [
        ("/a?b=c", b""), ("/a?b=c", b""), ("/a?b=c", b"abc"), ("/a?b=c", b""),
    ]  # fmt: skip


def test_two_answers_at_once_have_two_connections_and_a_long_one_that_nobody_reads_ends_its_own(
    server: Server,
) -> None:
    connections = Connections(NetworkSettings(timeout=5))
    one, two = (connections.open("GET", f"{server.url}/large", {}) for _ in range(2))
    one.close()
    assert len(two.read()) == 1 << 20
    two.close()
    connections.open("GET", server.url, {}).close()
    ports = [peer for peer, *_ in server.peers]
    assert ports[0] != ports[1] == ports[2]


def test_a_connection_that_ended_meanwhile_is_made_anew(server: Server) -> None:
    connections = Connections(NetworkSettings(timeout=5))
    server.ends = True
    for _ in range(5):
        with_body = connections.open("PUT", server.url, {}, Body(b"abc", 3))
        assert with_body.read() == b"xxx"
        with_body.close()
    assert [row[2] for row in server.peers] == [b"abc"] * 5
    assert len({peer for peer, *_ in server.peers}) == 5


def test_a_proxy_of_http_is_told_the_whole_url_and_the_login(server: Server) -> None:
    proxy = server.url.replace("//", "//me:pass%20word@")
    connections = Connections(NetworkSettings(timeout=5, proxies={"http": proxy}))
    for _ in range(2):
        connections.open("GET", "http://registry.example:5000/v2/", {}).close()
    login = "Basic " + base64.b64encode(b"me:pass word").decode()
    assert [row[1:] for row in server.peers] == [("http://registry.example:5000/v2/", b"", login)] * 2
    assert len({peer for peer, *_ in server.peers}) == 1


@pytest.mark.parametrize(
    ("url", "no", "used"),
    [
        ("http://a.example/x", "", True),
        ("http://a.example/x", "*", False),
        ("http://a.example/x", "b.example, example", False),
        ("http://a.example/x", ".EXAMPLE", False),
        ("http://a.example:81/x", "a.example:81", False),
        ("http://a.example:82/x", "a.example:81", True),
        ("http://aexample/x", "example", True),
        ("https://a.example/x", "", False),
    ],
)
def test_who_goes_without_a_proxy(url: str, no: str, used: bool) -> None:
    assert proxy_of(url, {"http": "http://proxy:3128", "no": no}) == ("http://proxy:3128" if used else None)


def test_ways() -> None:
    def way(url: str, **proxies: str) -> Way:
        return Way.to(url, proxies, trusted=False)

    assert way("https://a.example/x") == way("https://A.example:443/y?z") != way("https://a.example:444/")
    assert way("https://a.example/x", https="proxy:3128").tunnels
    assert not way("http://a.example/x", http="proxy:3128").tunnels
    with pytest.raises(ValueError, match="no host"):
        way("http:///x")


def test_threads_that_begin_together_read_the_certificates_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[ssl.SSLContext] = []

    def slowly(_: object) -> ssl.SSLContext:
        time.sleep(0.1)
        read.append(ssl.create_default_context())
        return read[-1]

    monkeypatch.setattr("ociwheel.transport.connection.tls_context", slowly)
    connections = Connections(NetworkSettings(timeout=5))
    faults: list[Failure] = []

    def ask() -> None:
        with pytest.raises(Failure) as caught:
            connections.open("GET", "https://127.0.0.1:9/", {})
        faults.append(caught.value)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {fault.kind for fault in faults} == {Kind.UNREACHABLE}
    assert (len(faults), len(read)) == (4, 1)

"""Counts bytes on the wire: a relay in front of a server on the loopback interface."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass

_CHUNK = 1 << 18


@dataclass
class Traffic:
    """Bytes, headers included.

    :param sent: from clients to the server.
    :param received: from the server to clients.
    """

    sent: int = 0
    received: int = 0


class Relay:
    """Listens on a free port and hands every byte on to a server, and back.

    :param target: the server's port.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._lock = threading.Lock()
        self._traffic = Traffic()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self.host = f"127.0.0.1:{self.port}"
        self._open = True
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def traffic(self) -> Traffic:
        """What has passed so far."""
        with self._lock:
            return Traffic(self._traffic.sent, self._traffic.received)

    def close(self) -> None:
        """Listen no more; open connections end by themselves."""
        self._open = False
        self._listener.close()

    def _accept(self) -> None:
        while self._open:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                client.close()
                continue
            for source, sink, upward in ((client, server, True), (server, client, False)):
                # Else what a client sends in two pieces waits here for the answer to the first, 40 ms.
                sink.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._copy, args=(source, sink, upward), daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket, upward: bool) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(_CHUNK):
                with self._lock:
                    if upward:
                        self._traffic.sent += len(chunk)
                    else:
                        self._traffic.received += len(chunk)
                sink.sendall(chunk)
        # Half of a connection may end before the other.
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)
        if not upward:
            source.close()
            sink.close()


@contextlib.contextmanager
def relayed(target: int) -> Iterator[Relay]:
    """Give a relay in front of a port."""
    relay = Relay(target)
    try:
        yield relay
    finally:
        relay.close()

"""Connections that give up on a server which never ends: too slow for too long, or too long in all.

A socket's own time limit starts anew with each byte, so a server that sends one byte a minute keeps a reader
for years. Here the bytes of an answer, head and body, are counted as they come from the socket.
"""

from __future__ import annotations

import http.client
import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

FLOOR = 512
"""Bytes a second that an answer must have on average; a modem of 1995 gives seven times that."""
WINDOW = 60.0
"""Seconds over which the average counts."""
LONGEST = 6 * 3600.0
"""Seconds that one answer may take in all."""


@dataclass(frozen=True)
class Pace:
    """How slow an answer may be.

    :param floor: bytes a second, on average over each ``window``.
    :param window: seconds.
    :param longest: seconds for the whole answer.
    :param clock: gives the time in seconds.
    """

    floor: float = FLOOR
    window: float = WINDOW
    longest: float = LONGEST
    clock: Callable[[], float] = time.monotonic


class TooSlowError(TimeoutError):
    """An answer that is slower than a pace.

    :param endless: it took too long in all: another attempt would too.
    """

    def __init__(self, what: str, *, endless: bool) -> None:
        super().__init__(what)
        self.endless = endless


class _Paced(io.RawIOBase):
    """A stream that raises :class:`TooSlowError` when it is slower than a pace."""

    def __init__(self, raw: io.RawIOBase, pace: Pace) -> None:
        self._raw = raw
        self._pace = pace
        self._start = self._since = pace.clock()
        self._bytes = 0
        self._silent = True

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        count = self._raw.readinto(buffer)
        now = self._pace.clock()
        if self._silent:
            # How long a server thinks before it answers is the socket's time limit's business.
            self._since, self._silent = now, False
        self._bytes += count or 0
        if now - self._start > self._pace.longest:
            raise TooSlowError(f"it took more than {self._pace.longest:.0f} s in all", endless=True)
        elapsed = now - self._since
        if count and elapsed >= self._pace.window:
            if self._bytes < self._pace.floor * elapsed:
                slow = f"{self._bytes} bytes in {elapsed:.0f} s"
                what = f"it gave {slow}, less than {self._pace.floor:.0f} a second"
                raise TooSlowError(what, endless=False)
            self._since, self._bytes = now, 0
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


def response_class(pace: Pace) -> type[http.client.HTTPResponse]:
    """Return the class of answers that keep to ``pace``."""

    class Response(http.client.HTTPResponse):
        def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
            super().__init__(sock, *args, **kwargs)
            self.fp.close()
            raw = sock.makefile("rb", buffering=0)
            self.fp = io.BufferedReader(_Paced(raw, pace), 1 << 16)

    return Response

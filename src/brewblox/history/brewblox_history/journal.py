"""Keeps points beyond a restart, in Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol, cast

import redis.asyncio
import ujson

from brewblox_history.series import Point, parse_time

STREAM = "brewblox:history"
# Redis trims whole nodes of a stream: about this many entries stay.
STREAM_LENGTH = 100_000


class Journal(Protocol):
    """Where points are kept."""

    async def append(self, topic: str, point: Point) -> None:
        """Keep a point."""

    def replay(self) -> AsyncIterator[tuple[str, Point]]:
        """Return every point kept, in the order in which they came."""

    async def close(self) -> None:
        """Let go of what is open."""


class MemoryJournal:
    """Keeps nothing: for a history that may forget at a restart."""

    async def append(self, topic: str, point: Point) -> None:
        """Keep nothing."""

    async def replay(self) -> AsyncIterator[tuple[str, Point]]:
        """Return nothing."""
        nothing: tuple[tuple[str, Point], ...] = ()
        for each in nothing:
            yield each

    async def close(self) -> None:
        """There is nothing open."""


def encode(topic: str, point: Point) -> str:
    """Return an entry of the journal."""
    return ujson.dumps({"topic": topic, "time": point.time.isoformat(), "value": point.value})


def decode(text: str | bytes) -> tuple[str, Point]:
    """Return what an entry of the journal says."""
    entry = ujson.loads(text)
    return entry["topic"], Point(parse_time(entry["time"]), float(entry["value"]))


class RedisJournal:
    """Keeps points in a Redis stream.

    :param url: where Redis is, ``redis://redis:6379``.
    """

    def __init__(self, url: str) -> None:
        self._redis = redis.asyncio.from_url(url)

    async def append(self, topic: str, point: Point) -> None:
        """Add a point to the stream, whose oldest entries go when it is long."""
        await self._redis.xadd(
            STREAM, {"point": encode(topic, point)}, maxlen=STREAM_LENGTH, approximate=True
        )

    async def replay(self) -> AsyncIterator[tuple[str, Point]]:
        """Return the points of the stream, a thousand at a time."""
        last = "-"
        while entries := await self._redis.xrange(STREAM, min=last, count=1000):
            for number, fields in entries:
                # Redis answers in pairs; the types of its client also allow what other commands answer.
                yield decode(cast("dict[bytes, bytes]", fields)[b"point"])
                last = f"({cast('bytes', number).decode('ascii')}"

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

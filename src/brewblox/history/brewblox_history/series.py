"""Time series: points in the order of time, however they come in."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from statistics import fmean

import ciso8601
from sortedcontainers import SortedKeyList

from brewblox_history.retention import Limit, Retention

AGGREGATES: dict[str, Callable[[Iterable[float]], float]] = {
    "mean": fmean,
    "min": min,
    "max": max,
    "sum": math.fsum,
    "last": lambda values: list(values)[-1],
}


def parse_time(text: str) -> datetime:
    """Return an ISO 8601 time in UTC; one without an offset is in UTC.

    :raises ValueError: when it is none.
    """
    time = ciso8601.parse_datetime(text)
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Point:
    """A value and when it was measured."""

    time: datetime
    value: float


class Series:
    """The points of one topic."""

    def __init__(self, limit: Limit) -> None:
        self._limit = limit
        self._points: SortedKeyList[Point, datetime] = SortedKeyList(key=lambda point: point.time)

    def __len__(self) -> int:
        return len(self._points)

    def add(self, point: Point) -> None:
        """Add a point, and drop those beyond the limits: too many, or too old beside the newest."""
        self._points.add(point)
        oldest = self._points[-1].time - self._limit.age
        del self._points[: max(self._points.bisect_key_left(oldest), len(self._points) - self._limit.points)]

    def between(self, start: datetime | None, end: datetime | None) -> list[Point]:
        """Return the points from ``start`` up to, but without, ``end``; ``None`` is no bound."""
        return list(self._points.irange_key(start, end, inclusive=(True, False)))


def aggregate(points: Iterable[Point], width: timedelta, method: str) -> list[Point]:
    """Return one point for each span of time that has any, at the start of the span.

    :param points: in the order of time.
    :param width: of a span; spans start at whole multiples since 1970.
    :param method: a name in ``AGGREGATES``.
    """
    step = width.total_seconds()

    def span(point: Point) -> int:
        return math.floor(point.time.timestamp() / step)

    return [
        Point(
            datetime.fromtimestamp(number * step, UTC), AGGREGATES[method]([point.value for point in group])
        )
        for number, group in groupby(points, key=span)
    ]


class Store:
    """All series, by topic."""

    def __init__(self, retention: Retention) -> None:
        self._retention = retention
        self._series: dict[str, Series] = {}

    def add(self, topic: str, point: Point) -> None:
        """Add a point to a topic, which need not have been known."""
        if topic not in self._series:
            self._series[topic] = Series(self._retention.limit(topic))
        self._series[topic].add(point)

    def series(self, topic: str) -> Series | None:
        """Return the series of a topic."""
        return self._series.get(topic)

    def sizes(self) -> dict[str, int]:
        """Return how many points each topic has."""
        return {topic: len(series) for topic, series in sorted(self._series.items())}

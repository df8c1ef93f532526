"""``/timeseries``: write points, ask for them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel, BeforeValidator, Field

from brewblox_history.journal import Journal
from brewblox_history.series import Point, Store, aggregate, parse_time

Time = Annotated[
    datetime, BeforeValidator(lambda value: parse_time(value) if isinstance(value, str) else value)
]


class NewPoint(BaseModel):
    """A value to keep; now, unless it says when."""

    value: float = Field(allow_inf_nan=False)
    time: Time | None = None


class Values(BaseModel):
    """The points of a topic, times and values side by side as charts want them."""

    topic: str
    times: list[datetime]
    values: list[float]


class Question(BaseModel):
    """Which points of a topic: a span of time, and how to make fewer of them."""

    start: Time | None = None
    end: Time | None = None
    interval: float | None = Field(
        default=None, gt=0, description="seconds that one point of the answer stands for"
    )
    method: Literal["mean", "min", "max", "sum", "last"] = "mean"


def create_router(store: Store, journal: Journal) -> APIRouter:
    """Return the routes of ``/timeseries``."""
    router = APIRouter(prefix="/timeseries", tags=["timeseries"])

    @router.get("")
    async def topics() -> dict[str, int]:
        """Tell how many points each topic has."""
        return store.sizes()

    @router.post("/{topic:path}", status_code=201)
    async def write(topic: str, new: NewPoint) -> NewPoint:
        """Keep a point."""
        point = Point(new.time or datetime.now(UTC), new.value)
        store.add(topic, point)
        await journal.append(topic, point)
        return NewPoint(value=point.value, time=point.time)

    @router.get("/{topic:path}")
    async def query(topic: str, question: Annotated[Question, Query()]) -> Values:
        """Return the points of a topic: ``?start=2024-03-01T00:00Z&interval=60&method=max``."""
        series = store.series(topic)
        if series is None:
            raise HTTPException(404, f"no points of {topic!r}")
        points = series.between(question.start, question.end)
        if question.interval:
            points = aggregate(points, timedelta(seconds=question.interval), question.method)
        return Values(
            topic=topic, times=[each.time for each in points], values=[each.value for each in points]
        )

    return router

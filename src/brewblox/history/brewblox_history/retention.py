"""How long the points of a topic are kept, and how many."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel, Field

from brewblox_service.events import topic_matches


class Limit(BaseModel):
    """The oldest age and the greatest number of points of one topic."""

    hours: float = Field(gt=0)
    points: int = Field(gt=0)

    @property
    def age(self) -> timedelta:
        """The oldest age as a span of time."""
        return timedelta(hours=self.hours)


class Retention(BaseModel):
    """Limits by topic filter; the first that matches counts, then the default."""

    default: Limit = Limit(hours=24, points=10000)
    topics: dict[str, Limit] = {}

    def limit(self, topic: str) -> Limit:
        """Return the limit of a topic."""
        return next(
            (limit for pattern, limit in self.topics.items() if topic_matches(pattern, topic)), self.default
        )


def read_retention(file: Path) -> Retention:
    """Return the limits that a file states, the built-in ones when there is no such file."""
    try:
        return Retention.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return Retention()

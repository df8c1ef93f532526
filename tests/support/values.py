"""Documents as steps read them, made of plain Python values."""

from __future__ import annotations

from typing import Any

from ociwheel.errors import UsageError
from ociwheel.reading import Value, failing


def value_of(raw: Any, label: str = "request.json") -> Value:
    """Return the value that a step reads of a document."""
    return Value(raw, "", failing(UsageError, label))

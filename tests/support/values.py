"""Documents as steps read them, made of plain Python values."""

from __future__ import annotations

from typing import Any

from ociwheel.errors import UsageError
from ociwheel.reading import Value, failing
from ociwheel.target import Target


def value_of(raw: Any, label: str = "request.json") -> Value:
    """Return the value that a step reads of a document."""
    return Value(raw, "", failing(UsageError, label))


def target_of(
    platform: str = "linux/amd64", *, python: str = "3.11.2", libc: str = "glibc", libc_version: str = "2.36"
) -> Target:
    """Return the target of a document with these members."""
    fields = {"platform": platform, "python": python, "libc": libc, "libc_version": libc_version}
    return Target.parse(value_of(fields))

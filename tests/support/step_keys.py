"""Why a machine did not find in a cache what another had put there: the first key that differs, and where.

Reads what the backend logs of each step's key when asked to: everything that is in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# What makes Pants log the keys.
VARIABLES = {"PANTS_LOG_LEVELS_BY_TARGET": '{"slim_python_image.util_rules.steps": "debug"}'}
_LINE = re.compile(r"^\S+ \[DEBUG\] Key of `(.*)`: (\{.*\})$", re.MULTILINE)


@dataclass(frozen=True)
class Key:
    """The key of a step: its description, which is no part of it, and its parts."""

    description: str
    document: Any

    @property
    def step(self) -> str:
        """The name of the step."""
        name = self.document["arguments"][2]
        assert isinstance(name, str)
        return name

    def parts(self) -> dict[str, str]:
        """Return every part by its name."""
        return dict(_parts(self.document))


def _parts(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for kind, value in document.items():
        items = enumerate(value) if isinstance(value, list) else value.items()
        yield from ((f"{kind} {name}", text) for name, text in items)


def keys(log: str) -> list[Key]:
    """Return the keys that a run logged, in order."""
    found = [Key(description, json.loads(document)) for description, document in _LINE.findall(log)]
    assert found, f"the run logged no key; its environment needs {VARIABLES}"
    return found


def first_difference(one: str, other: str) -> str | None:
    """Return the first key of a run that another has not, and the part of it that differs.

    :param one: the log of the run that filled the cache.
    :param other: the log of the run that should have found everything in it.
    :return: ``None`` when the other has no key of its own.
    """
    known = keys(one)
    new = next((key for key in keys(other) if all(key.document != old.document for old in known)), None)
    if new is None:
        return None
    alike = [key for key in known if key.step == new.step]
    if not alike:
        return f"{new.description}\n  the other run has no step `{new.step}`"
    parts = new.parts()
    nearest = max(alike, key=lambda key: len(key.parts().items() & parts.items()))
    before = nearest.parts()
    name = min(name for name in before.keys() | parts.keys() if before.get(name) != parts.get(name))
    return f"{new.description}\n  {name}: {before.get(name)} -> {parts.get(name)}"

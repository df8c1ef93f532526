"""Whose file an image has, where two distributions have different ones of one path."""

from __future__ import annotations

from collections.abc import Sequence

from packaging.utils import canonicalize_name


def hint(name: str) -> str:
    """Return the next thing to do, with ``name`` as the example."""
    return f'name the one whose file the image shall have in the field `prefer`: prefer=["{name}"]'


def ranks(prefer: Sequence[str]) -> dict[str, int]:
    """Return the preferred distributions by normalized name, the first one with the lowest number."""
    return {canonicalize_name(name): number for number, name in enumerate(prefer)}

"""Which wheel goes into which layer of an image."""

from __future__ import annotations

import re
from typing import Iterable

from slim_python_image.layer_fields import LayerGroup
from slim_python_image.products import Wheel

# A layer costs a request to pull and a mount to run; below this many bytes of wheel it is not worth it.
HEAVY = 1024 * 1024


def normalized(name: str) -> str:
    """Return a distribution's name as the index has it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def partition(
    wheels: Iterable[Wheel], budget: int, prefer: Iterable[str] = ()
) -> tuple[tuple[Wheel, ...], ...]:
    """Return the wheels of each layer.

    Depends on the wheels and the budget alone, never on other images, so that images which share
    wheels share layers. The largest wheels have layers of their own; the light ones share one for
    those that fit every platform (equal on all platforms) and one for those compiled for this one.

    :param budget: how many layers there may be at most, two or more.
    :param prefer: distributions whose files win over others'. They come last: what is above is what is seen.
    """
    winners = {normalized(name) for name in prefer}
    wheels = tuple(wheels)
    above = tuple(sorted(w for w in wheels if normalized(w.name) in winners))
    if above:
        rest = [w for w in wheels if normalized(w.name) not in winners]
        return (*partition(rest, max(budget - 1, 2)), above)
    by_size = sorted(wheels, key=lambda wheel: (-wheel.size, wheel.name))
    heavy = [wheel for wheel in by_size if wheel.size >= HEAVY][: max(budget - 2, 0)]
    light = sorted(set(by_size) - set(heavy), key=lambda wheel: wheel.name)
    groups = [
        *((wheel,) for wheel in sorted(heavy, key=lambda wheel: wheel.name)),
        tuple(wheel for wheel in light if not wheel.pure),
        tuple(wheel for wheel in light if wheel.pure),
    ]
    return tuple(group for group in groups if group)


def grouped(wheels: Iterable[Wheel], groups: Iterable[LayerGroup]) -> dict[str, tuple[Wheel, ...]]:
    """Return the wheels of each group that has some, by its name; the first group that matches has it."""
    found: dict[str, list[Wheel]] = {}
    for wheel in sorted(wheels, key=lambda one: one.name):
        name = normalized(wheel.name)
        group = next((one for one in groups if one.pattern_of(name)), None)
        if group is not None:
            found.setdefault(group.name, []).append(wheel)
    return {name: tuple(own) for name, own in sorted(found.items())}


def titled_partition(
    wheels: Iterable[Wheel],
    budget: int,
    prefer: Iterable[str] = (),
    groups: Iterable[LayerGroup] = (),
) -> tuple[tuple[str, tuple[Wheel, ...]], ...]:
    """Return what each layer is called and holds, bottom first: groups, then what no group has.

    Groups lie at the bottom: they are large and change rarely, and what lies above a layer that
    changed is unpacked again.
    """
    wheels = tuple(wheels)
    chosen = grouped(wheels, tuple(groups))
    taken = {wheel for own in chosen.values() for wheel in own}
    rest = [wheel for wheel in wheels if wheel not in taken]
    named = [(group_title(name, own), own) for name, own in chosen.items()]
    return (
        *named,
        *((title(own), own) for own in partition(rest, max(budget - len(chosen), 2), prefer)),
    )


def group_title(name: str, wheels: tuple[Wheel, ...]) -> str:
    """Return what the layer of a group is called."""
    return f"{name} ({len(wheels)} wheel{'s' if len(wheels) > 1 else ''})"


def title(group: tuple[Wheel, ...]) -> str:
    """Return what a layer of these wheels is called."""
    if len(group) == 1:
        return f"{group[0].name} {group[0].version}"
    kind = "pure" if all(wheel.pure for wheel in group) else "native"
    return f"{len(group)} {kind} wheels"

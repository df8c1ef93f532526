"""Rectangles whose areas are shares of a whole, as square as can be.

The layout is that of Bruls, Huizing and van Wijk, "Squarified Treemaps" (2000). Equal input gives equal
rectangles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, Sequence


@dataclass(frozen=True)
class Rectangle:
    """A place in a picture, in pixels."""

    x: float
    y: float
    width: float
    height: float

    def inside(self, margin: float, top: float = 0.0) -> Rectangle:
        """Return what is left within a margin, and below a strip at the top; never less than nothing."""
        return Rectangle(
            self.x + margin,
            self.y + margin + top,
            max(0.0, self.width - 2 * margin),
            max(0.0, self.height - 2 * margin - top),
        )


def squarify(sizes: Sequence[float], place: Rectangle) -> list[Rectangle]:
    """Return a rectangle for each size, in their order.

    :param sizes: none below zero; largest first gives the squarest.
    """
    total = sum(sizes)
    if total <= 0 or place.width <= 0 or place.height <= 0:
        return [Rectangle(place.x, place.y, 0.0, 0.0) for _ in sizes]
    scale = place.width * place.height / total
    areas = [size * scale for size in sizes]
    found: list[Rectangle] = []
    start = 0
    while start < len(areas):
        end = _row_end(areas, start, min(place.width, place.height))
        row = areas[start:end]
        found += _placed(row, place)
        place = _rest(sum(row), place)
        start = end
    return found


def _row_end(areas: Sequence[float], start: int, side: float) -> int:
    """Return where a row ends that is squarest: one more would make its worst rectangle longer."""
    end = start + 1
    while end < len(areas) and _worst(areas[start : end + 1], side) <= _worst(areas[start:end], side):
        end += 1
    return end


def _worst(row: Sequence[float], side: float) -> float:
    """Return the largest ratio of sides in a row; what has no area does not count."""
    total, shown = sum(row), [area for area in row if area > 0]
    if side <= 0 or not shown:
        return float("inf")
    return max(side * side * max(shown) / total**2, total**2 / (side * side * min(shown)))


def _placed(row: Sequence[float], place: Rectangle) -> Iterator[Rectangle]:
    """Yield the rectangles of a row along the shorter side."""
    total = sum(row)
    upright = place.width >= place.height
    side = place.height if upright else place.width
    thickness = total / side if side > 0 else 0.0
    offset = 0.0
    for area in row:
        length = area / thickness if thickness > 0 else 0.0
        if upright:
            yield Rectangle(place.x, place.y + offset, thickness, length)
        else:
            yield Rectangle(place.x + offset, place.y, length, thickness)
        offset += length


def _rest(area: float, place: Rectangle) -> Rectangle:
    if place.width >= place.height:
        taken = min(place.width, area / place.height if place.height > 0 else 0.0)
        return Rectangle(place.x + taken, place.y, place.width - taken, place.height)
    taken = min(place.height, area / place.width)
    return Rectangle(place.x, place.y + taken, place.width, place.height - taken)

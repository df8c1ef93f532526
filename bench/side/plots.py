"""Horizontal bars as SVG, by hand: some rectangles and labels need no library."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 760
_LABEL = 230
_VALUE = 90
_BAR = 16
_GAP = 5
_HEAD = 34
_OURS, _OTHERS = "#1b7f5c", "#8a94a3"


@dataclass(frozen=True)
class Bar:
    """A bar.

    :param value: its length; None is drawn as the note alone.
    :param note: beside it.
    """

    label: str
    value: float | None
    note: str
    ours: bool = False


def bars(groups: Sequence[tuple[str, Sequence[Bar]]], title: str) -> str:
    """Return groups of bars as a document; each group has a scale of its own."""
    body, y = [], _HEAD
    for name, rows in groups:
        body.append(f'<text x="8" y="{y + 14}" font-weight="bold">{html.escape(name)}</text>')
        y += 22
        largest = max((row.value or 0 for row in rows), default=0) or 1
        for row in rows:
            length = (row.value or 0) / largest * (WIDTH - _LABEL - _VALUE)
            color = _OURS if row.ours else _OTHERS
            middle = y + _BAR - 4
            body.append(
                f'<text x="{_LABEL - 8}" y="{middle}" text-anchor="end">{html.escape(row.label)}</text>'
            )
            body.append(f'<rect x="{_LABEL}" y="{y}" width="{length:.1f}" height="{_BAR}" fill="{color}"/>')
            body.append(f'<text x="{_LABEL + length + 6:.1f}" y="{middle}">{html.escape(row.note)}</text>')
            y += _BAR + _GAP
        y += 10
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" viewBox="0 0 {WIDTH} {y}" '
        'font-family="sans-serif" font-size="12" fill="#22272e">'
    )
    background = f'<rect width="{WIDTH}" height="{y}" fill="#ffffff"/>'
    heading = f'<text x="8" y="20" font-size="15" font-weight="bold">{html.escape(title)}</text>'
    return "\n".join((head, background, heading, *body, "</svg>")) + "\n"

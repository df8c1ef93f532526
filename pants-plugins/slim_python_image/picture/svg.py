"""A treemap of an image's bytes as SVG 1.1: layers, and in each what is in it."""

from __future__ import annotations

from typing import Collection, Iterator, Sequence

from slim_python_image.picture.parts import BASE, DEB, OTHER, SOURCE, WHEEL, LayerPart, Part, Platform
from slim_python_image.picture.treemap import Rectangle, squarify
from slim_python_image.picture.words import bytes_text, fitted, text

WIDTH, HEIGHT = 1200, 720
_HEAD, _STRIP, _FOOT, _GAP = 54, 17, 30, 26
_COLOURS = {DEB: "#cfe3f5", WHEEL: "#f7dfb4", SOURCE: "#cdeac6", BASE: "#dcd5ee", OTHER: "#e4e4e4"}
_LETTER = 0.58
"""Width of a letter by the size of its font, on average."""
_SMALL = 12
"""Pixels of a side below which a thick frame would hide what it frames."""
_BOLD = 1.06
"""How much wider bold letters are."""
_LAYER = 'class="layer"'
_STYLE = (
    "text{font-family:Helvetica,Arial,'DejaVu Sans',sans-serif;fill:#1a1a1a}"
    ".layer{fill:#fff;stroke:#444;stroke-width:1.2}.part{stroke:#fff;stroke-width:1}"
    ".changed{stroke:#b00020;stroke-width:2.5}.thin{stroke-width:0.7}"
)


def _number(value: float) -> str:
    return f"{value:.1f}"


def _rectangle(place: Rectangle, attributes: str) -> str:
    numbers = (("x", place.x), ("y", place.y), ("width", place.width), ("height", place.height))
    sides = " ".join(f'{name}="{_number(value)}"' for name, value in numbers)
    return f"<rect {sides} {attributes}"


def _label(x: float, y: float, size: int, words: str, *, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{_number(x)}" y="{_number(y)}" font-size="{size}"{weight}>{text(words)}</text>'


def _first_that_fits(texts: Sequence[str], width: float, letter: float) -> str:
    """Return the first text that fits as it is, else as much of the last as fits."""
    return next((one for one in texts if fitted(one, width, letter) == one), fitted(texts[-1], width, letter))


def _part(part: Part, place: Rectangle, whole: int, *, changed: bool) -> Iterator[str]:
    share = f"{100 * part.size / whole:.1f} %" if whole else "0 %"
    thin = " thin" if min(place.width, place.height) < _SMALL else ""
    name = f"part{thin} changed" if changed else "part"
    hint = f"{part.kind} {part.label}: {bytes_text(part.size)} unpacked, {share}"
    filled = _rectangle(place, f'class="{name}" fill="{_COLOURS[part.kind]}"')
    yield f"{filled}><title>{text(hint)}</title></rect>"
    size = 13 if place.height >= 34 and place.width >= 90 else 10
    room = place.width - 8
    words = (
        _first_that_fits((part.label, part.name), room, size * _LETTER) if place.height >= size + 4 else ""
    )
    if not words:
        return
    yield _label(place.x + 4, place.y + size + 1, size, words)
    if place.height >= 2 * size + 8:
        amount = fitted(bytes_text(part.size), room, size * _LETTER)
        if amount == bytes_text(part.size):
            yield _label(place.x + 4, place.y + 2 * size + 4, size, amount)


def _layer(
    layer: LayerPart, place: Rectangle, whole: int, changed: Collection[tuple[str, str]]
) -> Iterator[str]:
    amounts = f"{bytes_text(layer.size)} unpacked, {bytes_text(layer.compressed)} compressed"
    hint = f"layer {layer.title}: {amounts}"
    yield f"{_rectangle(place, _LAYER)}><title>{text(hint)}</title></rect>"
    heading = place.height >= 3 * _STRIP and place.width >= 60
    if heading:
        titles = (f"{layer.title}: {bytes_text(layer.size)}", layer.title)
        words = _first_that_fits(titles, place.width - 10, 12 * _LETTER * _BOLD)
        yield _label(place.x + 5, place.y + 13, 12, words, bold=True)
    inner = place.inside(2, _STRIP if heading else 0)
    for part, own in zip(layer.parts, squarify([part.size for part in layer.parts], inner)):
        if part.size:
            yield from _part(part, own, whole, changed=part.key in changed)


def _legend(platform: Platform, y: float, *, marked: bool) -> Iterator[str]:
    kinds = {part.kind for part in platform.parts()}
    x = 8.0
    for kind, colour in _COLOURS.items():
        if kind in kinds:
            yield _rectangle(Rectangle(x, y, 14, 14), f'fill="{colour}" stroke="#777" stroke-width="0.6"/>')
            yield _label(x + 20, y + 11.5, 12, kind)
            x += 44 + 12 * _LETTER * len(kind)
    words = "areas are bytes of files, unpacked; a frame is a layer"
    words += "; red: other than in the other image" if marked else ""
    yield _label(x + 8, y + 11.5, 12, words)


def section(platform: Platform, top: float, changed: Collection[tuple[str, str]] | None) -> Iterator[str]:
    """Yield the elements of one platform's treemap.

    :param top: where it begins, in pixels.
    :param changed: what to mark; `None` where it is not compared.
    """
    count = len(platform.layers)
    amounts = f"{bytes_text(platform.size)} unpacked, {bytes_text(platform.compressed)} compressed"
    heading = fitted(f"{platform.image} for {platform.name}", WIDTH - 16, 20 * _LETTER)
    yield _label(8, top + 23, 20, heading, bold=True)
    yield _label(8, top + 43, 13, f"{amounts}, in {count} {'layer' if count == 1 else 'layers'}")
    place = Rectangle(4, top + _HEAD, WIDTH - 8, HEIGHT - _HEAD - _FOOT)
    layers = sorted(platform.layers, key=lambda layer: (-layer.size, layer.title))
    for layer, own in zip(layers, squarify([layer.size for layer in layers], place)):
        if layer.size:
            yield from _layer(layer, own, platform.size, changed or ())
    yield from _legend(platform, top + HEIGHT - 22, marked=changed is not None)


def drawing(
    platforms: Sequence[Platform], title: str, changed: Collection[tuple[str, str]] | None = None
) -> str:
    """Return a picture of one or more platforms, one below the other.

    :param changed: what to mark in all of them; `None` where nothing is compared.
    """
    height = max(1, len(platforms)) * (HEIGHT + _GAP) - _GAP
    sides = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {sides} role="img">',
        f"<title>{text(title)}</title>",
        f"<style>{_STYLE}</style>",
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
    ]
    for number, platform in enumerate(platforms):
        lines += section(platform, number * (HEIGHT + _GAP), changed)
    return "\n".join([*lines, "</svg>"]) + "\n"

"""Numbers and texts as a picture has them."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_STEP = 1024
# Characters that XML 1.0 does not allow, whatever they are escaped to.
_REFUSED = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 65534, 65535), "�")
_REFUSED.update(dict.fromkeys(range(0xD800, 0xE000), "\N{REPLACEMENT CHARACTER}"))


def bytes_text(size: int) -> str:
    """Return a number of bytes with three digits or so, and its unit."""
    value, unit = float(abs(size)), 0
    while value >= _STEP and unit < len(_UNITS) - 1:
        value, unit = value / _STEP, unit + 1
    sign = "-" if size < 0 else ""
    return (
        f"{sign}{value:.0f} {_UNITS[unit]}"
        if unit == 0 or value >= 100
        else f"{sign}{value:.1f} {_UNITS[unit]}"
    )


def text(value: str) -> str:
    """Return a text as the content of an element."""
    return escape(value.translate(_REFUSED))


def attribute(value: str) -> str:
    """Return a text as the value of an attribute, with its quotes."""
    return quoteattr(value.translate(_REFUSED))


def fitted(value: str, width: float, letter: float) -> str:
    """Return as much of a text as fits, with an ellipsis; nothing where not three letters do.

    :param letter: width of a letter, on average.
    """
    most = int(width / letter)
    if len(value) <= most:
        return value
    return f"{value[: most - 1].rstrip()}…" if most >= 4 else ""

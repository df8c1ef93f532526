"""A page that compares two images: their treemaps side by side, and a table of what differs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterator, Mapping

from slim_python_image.picture.parts import Part, Platform, platforms
from slim_python_image.picture.svg import drawing
from slim_python_image.picture.words import attribute, bytes_text, text

_STYLE = """
body{font:15px/1.45 Helvetica,Arial,'DejaVu Sans',sans-serif;color:#1a1a1a}
body{margin:1.5rem auto;max-width:1500px;padding:0 1rem}
h1{font-size:1.4rem}h2{font-size:1.15rem;margin-top:2rem}pre{background:#f5f5f5;padding:.8rem;overflow-x:auto}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:1rem}figure{margin:0}figcaption{font-weight:bold}
svg{width:100%;height:auto}table{border-collapse:collapse;width:100%}
th,td{padding:.2rem .6rem;border-bottom:1px solid #ddd;text-align:left}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}.more{color:#a0001c}.less{color:#0b6b2b}
code{overflow-wrap:anywhere}
"""


@dataclass(frozen=True)
class Difference:
    """What two images have of one part; `None` where one has it not."""

    kind: str
    name: str
    earlier: Part | None
    current: Part | None

    @property
    def change(self) -> int:
        """Bytes that it is larger by."""
        return (self.current.size if self.current else 0) - (self.earlier.size if self.earlier else 0)


def _table(platform: Platform | None) -> dict[tuple[str, str], Part]:
    """Return the parts of a platform by what they are called; what is in several layers once."""
    found: dict[tuple[str, str], Part] = {}
    for part in platform.parts() if platform else ():
        known = found.get(part.key)
        size = part.size + (known.size if known else 0)
        found[part.key] = Part(part.kind, part.name, part.version, size)
    return found


def differences(earlier: Platform | None, current: Platform | None) -> tuple[Difference, ...]:
    """Return what is of another size or version, the largest change first."""
    old, new = _table(earlier), _table(current)
    found = [
        Difference(*key, old.get(key), new.get(key)) for key in {*old, *new} if old.get(key) != new.get(key)
    ]
    return tuple(sorted(found, key=lambda one: (-abs(one.change), one.kind, one.name)))


def _cell(part: Part | None) -> str:
    return f"{text(part.version)}</td><td class=n>{bytes_text(part.size)}" if part else "</td><td class=n>"


def _change(size: int) -> str:
    words = f"+{bytes_text(size)}" if size > 0 else bytes_text(size)
    name = " more" if size > 0 else " less" if size < 0 else ""
    return f'<td class="n{name}">{words}</td>'


def _rows(found: tuple[Difference, ...]) -> Iterator[str]:
    yield (
        "<table><tr><th>what</th><th>name</th><th colspan=2>earlier: version, unpacked</th>"
        "<th colspan=2>now: version, unpacked</th><th class=n>change</th></tr>"
    )
    for one in found:
        yield (
            f"<tr><td>{text(one.kind)}</td><td>{text(one.name)}</td><td>{_cell(one.earlier)}</td>"
            f"<td>{_cell(one.current)}</td>{_change(one.change)}</tr>"
        )
    yield "</table>"


def _figure(platform: Platform | None, caption: str, changed: set[tuple[str, str]]) -> str:
    picture = drawing([platform], caption, changed) if platform else "<p>There is none.</p>"
    return f"<figure><figcaption>{text(caption)}</figcaption>{picture}</figure>"


def _platform(earlier: Platform | None, current: Platform | None) -> Iterator[str]:
    one = current or earlier
    assert one is not None
    yield f"<h2>{text(one.name)}</h2>"
    totals = [(p.size if p else 0, p.compressed if p else 0) for p in (earlier, current)]
    lines = zip(("unpacked", "compressed"), *totals)
    yield "<table><tr><th></th><th class=n>earlier</th><th class=n>now</th><th class=n>change</th></tr>"
    for words, was, is_now in lines:
        yield (
            f"<tr><td>{words}</td><td class=n>{bytes_text(was)}</td><td class=n>{bytes_text(is_now)}</td>"
            f"{_change(is_now - was)}</tr>"
        )
    yield "</table>"
    found = differences(earlier, current)
    changed = {(difference.kind, difference.name) for difference in found}
    yield '<div class="pair">'
    yield _figure(earlier, "earlier", changed)
    yield _figure(current, "now", changed)
    yield "</div>"
    yield from _rows(found) if found else ("<p>Every part has the version and the size that it had.</p>",)


def comparison(earlier: Mapping[str, Any], current: Mapping[str, Any], why: str) -> Iterator[str]:
    """Yield the part of a page that compares two reports.

    :param why: what changed, as `slim-explain` says it.
    """
    old = {one.name: one for one in platforms(earlier)}
    new = {one.name: one for one in platforms(current)}
    yield f"<section><h1>{text(current['target'])}</h1>"
    if earlier["target"] != current["target"]:
        yield f"<p>Compared with {text(earlier['target'])}.</p>"
    digests = (text(one["digest"]) for one in (earlier, current))
    yield "<p>earlier <code>{}</code><br>now <code>{}</code></p>".format(*digests)
    yield f"<pre>{text(why)}</pre>"
    for name in dict.fromkeys((*new, *old)):
        yield from _platform(old.get(name), new.get(name))
    yield "</section>"


def page(title: str, sections: Iterator[str]) -> str:
    """Return a page that needs no other file."""
    head = (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{text(title)}</title>'
        f'<meta name="description" content={attribute(title)}><style>{_STYLE}</style></head><body>'
    )
    return "\n".join([head, *sections, "</body></html>"]) + "\n"

"""Dividing the files of a layer among several layers of a bounded size.

Whole distributions stay together where they fit, then whole folders, then files: of what lies in one folder
most is in one layer, and an edit of one folder leaves the layers of the others as they are. The layers
together unpack to what the one would have: no path is in two of them but folders, which all have alike, and
hard links are where their file is.

The bound is one of the tar before it is compressed, so that the division depends on files alone, never on a
compressor. A blob is never larger: see :data:`_GROWTH`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from ociwheel.errors import LayerError
from ociwheel.formats.entries import Entry
from ociwheel.layer import tar
from ociwheel.remedies import Remedy

SMALLEST = 1 << 20
"""Bytes; a smaller bound makes layers that cost more than they carry."""
MOST_PARTS = 100
"""Engines stop at 127 layers of an image."""
# What cannot be compressed grows by the marks of stored blocks: below a thousandth, with gzip and zstd.
_GROWTH = 1024


def split(entries: Iterable[Entry], most: int) -> tuple[tuple[Entry, ...], ...]:
    """Return the entries of each layer, bottom first.

    Each goes into the first layer that has room for it. A file that no layer has room for has one of its own.

    :param entries: in any order, folders among them or not.
    :param most: bytes of a compressed layer.
    :raises LayerError: there would be too many layers.
    """
    room = _room(most)
    everything = tuple(entries)
    folders = _filled_folders(everything)
    parts: list[_Part] = []
    for unit in _units((entry for entry in everything if entry.path not in folders), room):
        for part in parts:
            if part.take(unit, room):
                break
        else:
            parts.append(_Part(unit))
    if len(parts) > MOST_PARTS:
        raise LayerError(
            f"its files make {len(parts)} layers of at most {most} bytes, more than {MOST_PARTS}",
            hint=Remedy("raise-layer-size"),
        )
    # What says the mode and owner of a folder says it wherever that folder is.
    return tuple(
        (*part.entries, *(folders[path] for path in sorted(part.folders & folders.keys()))) for part in parts
    )


def is_over(entries: Sequence[Entry], most: int) -> bool:
    """Tell whether what :func:`split` returns of one layer is larger than a layer may be: a single file.

    The file is the first of the entries.
    """
    return _Unit([entry for entry in entries if entry.kind != "dir"]).alone > _room(most)


def _filled_folders(entries: Sequence[Entry]) -> dict[str, Entry]:
    """Return the folders among entries that others lie in, by path."""
    found = {entry.path: entry for entry in entries if entry.kind == "dir"}
    if not found:
        return {}
    above = {path for entry in entries for path in _above(entry.path)}
    return {path: entry for path, entry in found.items() if path in above}


def _above(path: str) -> Iterator[str]:
    """Yield the folders that a path lies in, the innermost first."""
    while path := path.rpartition("/")[0]:
        yield path


def _room(most: int) -> int:
    """Return the bytes that headers and files of a layer's tar may have."""
    return most - most // _GROWTH - len(tar.END)


def _cost(entry: Entry) -> int:
    """Return the bytes that an entry takes in a tar."""
    size = entry.size()
    return len(tar.header(entry, size)) + size + len(tar.padding(size))


# A folder is asked for as often as there are folders in it.
@lru_cache(maxsize=1 << 12)
def _folder_cost(path: str) -> int:
    return len(tar.header(Entry(path, "dir", 0o755), 0))


class _Unit:
    """Entries that stay together."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = entries
        self.size = sum(map(_cost, entries))
        self.folders: dict[str, int] = {}
        """The folders that they lie in, and what each takes in a tar."""
        for entry in entries:
            for path in _above(entry.path):
                if path in self.folders:
                    break
                self.folders[path] = _folder_cost(path)

    @property
    def alone(self) -> int:
        """Bytes of a layer of nothing else."""
        return self.size + sum(self.folders.values())


class _Part:
    """What goes into one layer."""

    def __init__(self, unit: _Unit) -> None:
        self.entries = list(unit.entries)
        self.folders = set(unit.folders)
        self._size = unit.alone

    def take(self, unit: _Unit, room: int) -> bool:
        """Take more entries, if there is room for them."""
        size = self._size + unit.size
        if size > room:
            return False
        size += sum(cost for path, cost in unit.folders.items() if path not in self.folders)
        if size > room:
            return False
        self.entries += unit.entries
        self.folders.update(unit.folders)
        self._size = size
        return True


def _units(entries: Iterable[Entry], room: int) -> Iterator[_Unit]:
    """Yield what stays together: distributions, or folders of those that are too large, or files of these."""
    ordered = sorted(entries, key=lambda entry: entry.path)
    files = {entry.path for entry in ordered if entry.kind == "file"}
    links: dict[str, list[Entry]] = {}
    by_origin: dict[str, list[Entry]] = {}
    for entry in ordered:
        if entry.kind == "hardlink" and entry.target in files:
            links.setdefault(entry.target, []).append(entry)
        else:
            by_origin.setdefault(entry.origin, []).append(entry)
    for _, own in sorted(by_origin.items()):
        # Not a recursion: a path has up to some thousand folders.
        waiting = [(own, 0)]
        while waiting:
            group, depth = waiting.pop()
            unit = _Unit([one for entry in group for one in (entry, *links.get(entry.path, ()))])
            if len(group) == 1 or unit.alone <= room:
                yield unit
            else:
                depth = max(depth, _shared_folders(group[0].path, group[-1].path))
                waiting += [(one, depth + 1) for one in reversed(_inside(group, depth))]


def _shared_folders(first: str, last: str) -> int:
    """Return how many folders lead to two paths, and so to all that are sorted between them."""
    count = 0
    for one, other in zip(first.split("/")[:-1], last.split("/")[:-1], strict=False):
        if one != other:
            break
        count += 1
    return count


def _inside(entries: Sequence[Entry], depth: int) -> list[list[Entry]]:
    """Return the entries of each file and folder in a folder.

    :param entries: of the folder, sorted by path.
    :param depth: how many folders lead to it.
    """
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        parts = entry.path.split("/", depth + 1)
        found.setdefault("/".join(parts[: depth + 1]), []).append(entry)
    return list(found.values())

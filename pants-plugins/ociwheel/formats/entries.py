"""What goes into a layer, as values: entries, their content, and the rules a set of them must obey."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Literal, Protocol

from ociwheel.errors import ErrorCollector, LayerError
from ociwheel.formats.times import CONSTANT

Kind = Literal["file", "dir", "symlink", "hardlink"]

# image-spec layer.md, "Whiteouts": "A whiteout file is an empty file with a special filename that
# signifies a path should be deleted": a file of this name would vanish and take another with it.
WHITEOUT_PREFIX = ".wh."
MAX_COMPONENT_BYTES = 255


class Stored(Protocol):
    """Bytes kept somewhere, of known size, that can be opened any number of times."""

    @property
    def size(self) -> int:
        """Length in bytes."""
        ...

    def open(self) -> BinaryIO:
        """Return a seekable stream at the first byte."""
        ...


@dataclass(frozen=True)
class Content:
    """One distribution, package or tree that a layer holds."""

    type: Literal["deb", "wheel", "source", "rootfs"]
    name: str
    version: str

    @property
    def origin(self) -> str:
        """What its entries name as theirs."""
        return f"{self.name} {self.version}".strip()

    def to_json(self, unpacked_size: int) -> dict[str, Any]:
        """Return the ``contents`` item of a layer document.

        :param unpacked_size: bytes of its files in the layer.
        """
        return {
            "type": self.type,
            "name": self.name,
            "version": self.version,
            "unpacked_size": unpacked_size,
        }


@dataclass(frozen=True)
class Entry:
    """One entry of a layer."""

    path: str
    """Path in the image, without leading or trailing slash."""
    kind: Kind
    mode: int
    """Permission bits, with setuid, setgid and sticky. Symbolic links always get 0777."""
    uid: int = 0
    gid: int = 0
    source: Path | bytes | Stored | None = None
    """Content of a file; ``None`` is an empty one."""
    target: str = ""
    """Where a symbolic link points to; for a hard link, the path in the image of the other name."""
    origin: str = ""
    """``name version`` of what ships it, for error messages and ELF facts. When empty, and the layer
    has exactly one content, that one's."""
    mtime: int = CONSTANT
    """Seconds since 1970."""
    sha256: str = ""
    """Of the content, where it is told from that of another distribution's file of this path."""

    def size(self) -> int:
        """Return the number of content bytes."""
        if self.kind != "file" or self.source is None:
            return 0
        if isinstance(self.source, bytes):
            return len(self.source)
        if isinstance(self.source, Path):
            return os.stat(self.source).st_size
        return self.source.size

    def open(self) -> BinaryIO:
        """Return the content as a seekable stream."""
        if self.source is None:
            return io.BytesIO()
        if isinstance(self.source, bytes):
            return io.BytesIO(self.source)
        if isinstance(self.source, Path):
            return self.source.open("rb")
        return self.source.open()


def arrange(entries: Iterable[Entry], contents: Sequence[Content] = ()) -> tuple[Entry, ...]:
    """Check a set of entries and bring it into the one order and form that a layer has.

    Sorted by path, so that parents come before children; missing parents are added as
    ``0755 0:0``; of a group of hard links the first by path is the file; the same folder given
    more than once with the same mode and owner is one.

    :raises LayerError: a path that is not inside the image, two entries for one path, a path below
        something that is no folder, a hard link to nothing. All faults together.
    """
    errors = ErrorCollector()
    one = contents[0] if len(contents) == 1 else None
    # What is made here belongs to nobody: its files may be written anew in a layer above.
    origin = one.origin if one and one.type != "rootfs" else ""
    by_path: dict[str, Entry] = {}
    for raw in entries:
        problem = _problem(raw)
        if problem:
            errors.add(LayerError(problem, where=raw.origin or origin or None))
            continue
        entry = replace(
            raw,
            mode=0o777 if raw.kind == "symlink" else stat.S_IMODE(raw.mode),
            origin=raw.origin or origin,
        )
        first = by_path.setdefault(entry.path, entry)
        if first is not entry and not _same_folder(first, entry):
            errors.add(_duplicate(first, entry))
    _add_parents(by_path, errors)
    errors.raise_if_any()
    _settle_hard_links(by_path, errors)
    errors.raise_if_any()
    # UTF-8 keeps the order of code points: sorting text is sorting bytes.
    return tuple(by_path[path] for path in sorted(by_path))


def origins_of(entries: Iterable[Entry]) -> set[str]:
    """Return whose files are among entries; a folder may be there for a file of somebody else."""
    return {entry.origin for entry in entries if entry.kind != "dir"}


def _problem(entry: Entry) -> str | None:
    """Return what is wrong with one entry by itself."""
    parts = entry.path.split("/")
    shown = repr(entry.path)
    try:
        longest = max(len(part.encode()) for part in parts)
        entry.target.encode()
    except UnicodeEncodeError:
        return f"the path {shown} or its link target is not UTF-8"
    is_link = entry.kind in {"symlink", "hardlink"}
    checks = (
        (
            any(part in {"", ".", ".."} for part in parts) or "\0" in entry.path,
            f"the path {shown} is not a plain path inside the image",
        ),
        (
            longest > MAX_COMPONENT_BYTES,
            f"the path {shown} has a name of more than {MAX_COMPONENT_BYTES} bytes",
        ),
        (
            any(part.startswith(WHITEOUT_PREFIX) for part in parts),
            f"the path {shown} has a name that means deletion in an OCI layer ({WHITEOUT_PREFIX}*)",
        ),
        (
            is_link and (not entry.target or "\0" in entry.target),
            f"the {entry.kind} {shown} has no usable target: {entry.target!r}",
        ),
        (min(entry.uid, entry.gid, entry.mode) < 0, f"{shown} has a negative owner or mode"),
    )
    return next((text for wrong, text in checks if wrong), None)


def _same_folder(one: Entry, other: Entry) -> bool:
    return one.kind == other.kind == "dir" and (one.mode, one.uid, one.gid) == (
        other.mode,
        other.uid,
        other.gid,
    )


def _duplicate(one: Entry, other: Entry) -> LayerError:
    def show(entry: Entry) -> str:
        kind = f"{entry.kind}, mode {entry.mode:04o}, owner {entry.uid}:{entry.gid}"
        return f"{entry.origin or 'unnamed origin'} ({kind})"

    return LayerError(f"{one.path} comes twice: from {show(one)} and from {show(other)}")


def _add_parents(by_path: dict[str, Entry], errors: ErrorCollector) -> None:
    for entry in list(by_path.values()):
        parent = entry.path.rpartition("/")[0]
        while parent:
            there = by_path.get(parent)
            if there is None:
                by_path[parent] = Entry(parent, "dir", 0o755)
            elif there.kind != "dir":
                errors.add(
                    LayerError(
                        f"{entry.path} ({entry.origin or 'unnamed origin'}) is below {parent}, which is "
                        f"a {there.kind} ({there.origin or 'unnamed origin'})"
                    )
                )
                break
            parent = parent.rpartition("/")[0]


def _settle_hard_links(by_path: dict[str, Entry], errors: ErrorCollector) -> None:
    """Make the first name of each group the file: a tar reader must know it before its other names."""
    groups: dict[str, list[str]] = {}
    for entry in by_path.values():
        if entry.kind != "hardlink":
            continue
        seen = {entry.path}
        end = by_path.get(entry.target)
        while end is not None and end.kind == "hardlink" and end.path not in seen:
            seen.add(end.path)
            end = by_path.get(end.target)
        if end is None or end.kind != "file":
            what = "nothing in this layer" if end is None else f"a {end.kind}"
            errors.add(
                LayerError(
                    f"the hard link {entry.path} points to {what}: {entry.target}",
                    where=entry.origin or None,
                )
            )
            continue
        groups.setdefault(end.path, []).append(entry.path)
    for file_path, links in groups.items():
        file = by_path[file_path]
        first, *others = sorted([file_path, *links])
        by_path[first] = replace(file, path=first)
        for other in others:
            by_path[other] = replace(
                file, path=other, kind="hardlink", source=None, target=first,
                origin=by_path[other].origin,
            )  # fmt: skip

"""From the packages of one layer or tree to one set of entries: merged ``/usr``, no duplicates.

Debian's base system has had ``/bin``, ``/sbin`` and ``/lib*`` as links into ``/usr`` since bookworm
(usrmerge); packages still ship files under both names. Here every path is the real one below ``usr``.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from ociwheel.errors import BaseError, ErrorCollector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ociwheel.debian.deb import Package
    from ociwheel.formats.entries import Entry

MERGED_FOLDERS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32", "libo32")
MERGED = re.compile(rf"(?:{'|'.join(MERGED_FOLDERS)})(?=/|$)")


def merged_path(path: str) -> str:
    """Return the place of ``path`` on a system with merged ``/usr``."""
    return f"usr/{path}" if MERGED.match(path) else path


def merge(packages: Iterable[Package], dropped: Callable[[str], bool]) -> dict[str, Entry]:
    """Return what packages ship together, by path.

    :param dropped: says of a final path that it is left out.
    :raises BaseError: two packages ship different things at one path; all such paths.
    """
    errors = ErrorCollector()
    result: dict[str, Entry] = {}
    # base-files owns the folders of the file system, so its modes win.
    for package in sorted(packages, key=lambda p: (p.name != "base-files", p.name)):
        for member in _kept((_merged(m) for m in package.members if not _is_usrmerge_link(m)), dropped):
            other = result.setdefault(member.path, member)
            if other is not member and not other.kind == member.kind == "dir":
                first = other.origin.partition(" ")[0]
                errors.add(BaseError(f"/{member.path} is in two packages: {first} and {package.name}"))
    errors.raise_if_any()
    return result


def _is_usrmerge_link(member: Entry) -> bool:
    """Whether a member is one of the links or folders that merging makes superfluous."""
    return bool(MERGED.fullmatch(member.path)) and member.kind in {"symlink", "dir"}


def _merged(member: Entry) -> Entry:
    path = merged_path(member.path)
    if member.kind == "hardlink":
        return replace(member, path=path, target=merged_path(member.target))
    if member.kind == "symlink" and path != member.path and not member.target.startswith("/"):
        # A relative link moves with its folder; where it points to does not.
        end = posixpath.normpath(posixpath.join(posixpath.dirname(member.path), member.target))
        if not end.startswith(".."):
            target = posixpath.relpath(merged_path(end), posixpath.dirname(path))
            return replace(member, path=path, target=target)
    return replace(member, path=path)


def _kept(members: Iterable[Entry], dropped: Callable[[str], bool]) -> list[Entry]:
    """Leave out what is dropped; a hard link to something dropped becomes the file itself."""
    everything = list(members)
    lost = {m.path: m for m in everything if m.kind == "file" and dropped(m.path)}
    result = []
    for member in everything:
        if dropped(member.path):
            continue
        if member.kind == "hardlink" and member.target in lost:
            result.append(replace(lost[member.target], path=member.path))
        else:
            result.append(member)
    return result

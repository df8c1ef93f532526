"""What written layers unpack to, for tests."""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

Row = tuple[bytes, int, int, int, float, str, bytes]


def unpacked_tree(*layers: Path) -> dict[str, Row]:
    """Return what layers unpack to: type, mode, owner, group, time, link and content of each path.

    No path may be in two of them but a folder, which all must have alike; a hard link needs its file in its
    own layer.

    :param layers: folders with one blob each, bottom first.
    """
    found: dict[str, Row] = {}
    for folder in layers:
        (blob,) = (folder / "blobs/sha256").iterdir()
        with tarfile.open(blob) as archive:
            for member in archive:
                content = archive.extractfile(member) if member.isfile() or member.islnk() else None
                data = content.read() if content else b""
                row = (
                    *(member.type, member.mode, member.uid, member.gid, member.mtime),
                    *(member.linkname, data),
                )
                assert member.isdir() or member.name not in found, f"{member.name} is there twice"
                assert found.setdefault(member.name, row) == row
    return found

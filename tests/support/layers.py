"""What written layers unpack to, for tests."""

from __future__ import annotations

import argparse
import json
import random
import sys
import tarfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20
MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"
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


def noise(size: int) -> bytes:
    """Return bytes that no compressor makes smaller, the same each time."""
    return random.Random(size).randbytes(size)


def run_step(module: Any, folder: Path, *arguments: str) -> dict[str, Any]:
    """Run a step that wants the target document, and return its document.

    :param module: of the step.
    :param folder: gets the target: this Python on linux/amd64.
    """
    target = {"schema": "ociwheel.target/1", "platform": "linux/amd64", "python": f"{MINOR}.2"}
    place = folder / "target.json"
    place.write_text(json.dumps({**target, "libc": "glibc", "libc_version": "2.36"}))
    parser = argparse.ArgumentParser()
    module.configure(parser)
    found: dict[str, Any] = module.run(parser.parse_args([*arguments, "--target", str(place)]))
    return found

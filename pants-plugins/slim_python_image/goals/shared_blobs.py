"""Layouts that share their blobs: each blob once in `dist`, and one link to them from each layout."""

from __future__ import annotations

import posixpath
from typing import Iterable, Iterator, Union

from pants.engine.fs import Directory, FileEntry, SymlinkEntry

FOLDER = "blobs"


def shared_layout(
    entries: Iterable[Union[FileEntry, SymlinkEntry, Directory]], output: str
) -> Iterator[Union[FileEntry, SymlinkEntry]]:
    """Yield the files of a layout whose blobs stand outside of it.

    The folder of blobs is what other tools call a shared blob directory (skopeo's
    `--src-shared-blob-dir`): `blobs/sha256/<hash>`. One relative link stands where the OCI image layout
    specification wants that folder, so that every tool that opens a path finds the blobs; "blobs MAY
    contain blobs which are not referenced by any of the objects". One link per blob would do too, but
    `package` makes every file anew each time, and making files is what 300 layouts cost.

    :param entries: the files of a whole layout.
    :param output: the layout's folder below `dist`.
    """
    for entry in entries:
        if not isinstance(entry, FileEntry):
            continue
        blob = entry.path.startswith(f"{FOLDER}/")
        path = entry.path if blob else posixpath.join(output, entry.path)
        yield FileEntry(path, entry.file_digest, entry.is_executable)
    yield SymlinkEntry(posixpath.join(output, FOLDER), posixpath.relpath(FOLDER, output))

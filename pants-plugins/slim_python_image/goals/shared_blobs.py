"""Layouts that share their blobs: each blob once in `dist`, and links to it from the layouts."""

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
    `--src-shared-blob-dir`): `blobs/sha256/<hash>`. A relative link stands where the OCI image layout
    specification wants each blob, so that every tool that opens a path finds it.

    :param entries: the files of a whole layout.
    :param output: the layout's folder below `dist`.
    """
    for entry in entries:
        if not isinstance(entry, FileEntry):
            continue
        path = posixpath.join(output, entry.path)
        if entry.path.startswith("blobs/"):
            place = posixpath.join(FOLDER, entry.path[len("blobs/") :])
            yield FileEntry(place, entry.file_digest, entry.is_executable)
            yield SymlinkEntry(path, posixpath.relpath(place, posixpath.dirname(path)))
        else:
            yield FileEntry(path, entry.file_digest, entry.is_executable)

"""Writes merged packages as an ordinary folder tree that needs no root and works at any place."""

from __future__ import annotations

import os
import posixpath
import stat
from typing import TYPE_CHECKING, Any

from ociwheel.base.merge import MERGED_FOLDERS
from ociwheel.documents import document
from ociwheel.errors import BaseError
from ociwheel.formats.entries import Entry
from ociwheel.formats.filetree import MOST_LINKS, FileTree
from ociwheel.formats.folder import Folder
from ociwheel.formats.guard import Guard

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def file_tree(placed: Mapping[str, Entry]) -> FileTree[Entry]:
    """Return the names of a tree, for walks along its links, with those of merged ``/usr``."""
    tree: FileTree[Entry] = FileTree(
        lambda entry: entry.target if entry.kind == "symlink" else None, Guard("the tree", BaseError)
    )
    for name in MERGED_FOLDERS:
        tree.put(name, Entry(name, "symlink", 0o777, target=f"usr/{name}"), folder=False)
    for path, entry in placed.items():
        tree.put(path, entry, folder=entry.kind == "dir")
    return tree


def write_tree(placed: Mapping[str, Entry], output: Path) -> None:
    """Write files and links below ``output``.

    Folders get mode 0755, files 0644 or 0755. A link becomes relative, so that the tree can be
    moved; one whose end is not in the tree is left out. Two names of one content are one file.

    :raises BaseError: a path below a link or a file, or a hard link to nothing.
    """
    tree = file_tree(placed)
    written: dict[tuple[object, bool], str] = {}
    with Folder(output, Guard("the packages", BaseError)) as folder:
        for path, entry in sorted(placed.items()):
            _check_above(placed, path)
            if entry.kind == "dir":
                folder.make_folder(path)
            elif entry.kind == "symlink":
                end = tree.resolve(path)
                if end is not None and end != path:
                    folder.link(path, posixpath.relpath(f"/{end}", f"/{posixpath.dirname(path)}"))
            else:
                file = _file(placed, path)
                key = file.source or path, bool(file.mode & 0o111)
                if key in written:
                    folder.second_name(path, written[key])
                else:
                    with file.open() as source:
                        folder.copy(path, source, executable=key[1])
                    written[key] = path


def _check_above(placed: Mapping[str, Entry], path: str) -> None:
    """Refuse a path below a link, also one that is left out, or below a file."""
    above = posixpath.dirname(path)
    while above:
        other = placed.get(above)
        if other is not None and other.kind != "dir":
            raise BaseError(f"/{path} is below /{above}, a {other.kind}", where=other.origin)
        above = posixpath.dirname(above)


def _file(placed: Mapping[str, Entry], path: str) -> Entry:
    """Return the file at a path, or the one that a hard link there is another name of."""
    entry = placed[path]
    for _ in range(MOST_LINKS):
        if entry.kind == "file":
            return entry
        other = placed.get(entry.target)
        if other is None or entry.kind != "hardlink":
            break
        entry = other
    raise BaseError(f"the hard link /{path} points to nothing: /{entry.target}", where=placed[path].origin)


def tree_document(output: Path) -> dict[str, Any]:
    """Return the document about a tree: how many files, how many bytes."""
    files = size = 0
    for folder, _, names in os.walk(output):
        for name in names:
            status = os.lstat(os.path.join(folder, name))
            if stat.S_ISREG(status.st_mode):
                files += 1
                size += status.st_size
    return document("tree", {"files": files, "size": size})

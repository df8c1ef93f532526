"""Writes merged packages as an ordinary folder tree that needs no root and works at any place."""

from __future__ import annotations

import posixpath
import shutil
from typing import TYPE_CHECKING, Any

from ociwheel.base.merge import Placed, merged_path
from ociwheel.documents import document
from ociwheel.errors import BaseError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_MAX_LINKS = 40


def resolve_path(placed: Mapping[str, Placed], path: str) -> str | None:
    """Follow symbolic links inside the tree.

    :returns: the path of a file or folder, or None when it is not in the tree.
    """
    for _ in range(_MAX_LINKS):
        current = ""
        for part in path.split("/"):
            current = f"{current}/{part}" if current else part
            item = placed.get(current)
            if item is not None and item.member.kind == "symlink":
                rest = path[len(current) :]
                end = _inside(current, item.member.target)
                if end is None:
                    return None
                path = end + rest
                break
        else:
            return path if _exists(placed, path) else None
    return None


def _exists(placed: Mapping[str, Placed], path: str) -> bool:
    return path in placed or any(other.startswith(path + "/") for other in placed)


def _inside(path: str, target: str) -> str | None:
    """Return the path in the tree that a link's text means, None when it leaves the tree."""
    if target.startswith("/"):
        end = posixpath.normpath(target).lstrip("/")
    else:
        end = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    return None if end == ".." or end.startswith("../") else merged_path(end)


def write_tree(placed: Mapping[str, Placed], output: Path) -> None:
    """Write files and links below ``output``.

    Folders get mode 0755, files 0644 or 0755. A link becomes relative, so that the tree can be
    moved; one whose end is not in the tree is left out.

    :raises BaseError: a path below a link or a file, or a hard link to nothing.
    """
    output.mkdir(parents=True, exist_ok=True)
    _make_folder(output)
    for path in sorted(placed):
        member = placed[path].member
        place = output / path
        if member.kind == "dir":
            _folders(placed, output, path)
            continue
        if member.kind == "symlink":
            end = resolve_path(placed, path)
            if end is not None and end != path:
                _folders(placed, output, posixpath.dirname(path))
                place.symlink_to(posixpath.relpath(end, posixpath.dirname(path) or "."))
            continue
        source = _source(placed, path)
        _folders(placed, output, posixpath.dirname(path))
        shutil.copyfile(source, place)
        place.chmod(0o755 if member.mode & 0o111 else 0o644)


def _source(placed: Mapping[str, Placed], path: str) -> Path:
    """Return where the content of a file is, or of the file that a hard link is another name of."""
    member = placed[path].member
    for _ in range(_MAX_LINKS):
        if member.kind == "file" and member.source is not None:
            return member.source
        other = placed.get(member.target)
        if other is None or member.kind != "hardlink":
            break
        member = other.member
    raise BaseError(f"the hard link /{path} points to nothing: /{member.target}", where=placed[path].origin)


def _folders(placed: Mapping[str, Placed], output: Path, path: str) -> None:
    """Make a folder and those above it, none of which may be a link."""
    current = ""
    for part in path.split("/") if path else ():
        current = f"{current}/{part}" if current else part
        item = placed.get(current)
        if item is not None and item.member.kind != "dir":
            raise BaseError(f"/{path} is below /{current}, a {item.member.kind}", where=item.origin)
        place = output / current
        if not place.is_dir():
            place.mkdir()
            _make_folder(place)


def _make_folder(place: Path) -> None:
    place.chmod(0o755)  # whatever the umask is


def tree_document(output: Path) -> dict[str, Any]:
    """Return the document about a tree: how many files, how many bytes."""
    files = [path for path in output.rglob("*") if path.is_file() and not path.is_symlink()]
    return document("tree", {"files": len(files), "size": sum(path.stat().st_size for path in files)})

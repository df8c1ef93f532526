"""The layer that no package ships: users, folders, links of merged ``/usr``, and the virtual environment."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any

from ociwheel.base.ld_cache import CACHE, PROGRAM, cache_bytes, libraries, program
from ociwheel.elf.tree import ImageTree
from ociwheel.errors import UsageError
from ociwheel.image.users import NONROOT, files_with
from ociwheel.layer.writer import Entry
from ociwheel.platforms import Platform

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ociwheel.image.users import Rows
    from ociwheel.platforms import Platform
    from ociwheel.target import Target

_NSSWITCH = """\
passwd:         files
group:          files
shadow:         files
hosts:          files dns
networks:       files
protocols:      files
services:       files
"""

# path, mode, owner and group
_FOLDERS: tuple[tuple[str, int, int], ...] = (
    ("home", 0o755, 0),
    ("home/nonroot", 0o700, NONROOT),
    ("root", 0o700, 0),
    ("run", 0o755, 0),
    ("run/lock", 0o1777, 0),
    ("tmp", 0o1777, 0),
    ("usr/bin", 0o755, 0),
    ("usr/lib", 0o755, 0),
    ("usr/sbin", 0o755, 0),
    ("var/tmp", 0o1777, 0),
)


def rootfs_entries(
    target: Target, prefix: str, facts: Sequence[Mapping[str, Any]] = (), accounts: Rows | None = None
) -> list[Entry]:
    """Return the layer's entries.

    :param prefix: where the virtual environment lies, ``/app``.
    :param facts: layer-facts documents of the packages, from which follows what ldconfig would make; without
        any, nothing does.
    :param accounts: rows of passwd and group that scripts of the packages add.
    :raises UsageError: the prefix is no absolute path below the root.
    """
    row = target.platform
    passwd, group = files_with(accounts or {})
    return [
        *_usrmerge(row),
        *(Entry(path, "dir", mode, owner, owner) for path, mode, owner in _FOLDERS),
        Entry("etc/passwd", "file", 0o644, source=passwd.encode()),
        Entry("etc/group", "file", 0o644, source=group.encode()),
        Entry("etc/nsswitch.conf", "file", 0o644, source=_NSSWITCH.encode()),
        *_environment(_checked_prefix(prefix), target),
        *(_loader_files(row, target, facts) if facts else ()),
    ]


def _loader_files(row: Platform, target: Target, facts: Sequence[Mapping[str, Any]]) -> Iterator[Entry]:
    """Yield the loader's cache, and the program that prints it."""
    paths = {str(file[0]) for layer in facts for file in layer["files"]}
    cache = cache_bytes(libraries(ImageTree(list(facts)), row), row)
    if cache is not None:
        yield Entry(CACHE, "file", 0o644, source=cache)
        if PROGRAM not in paths:
            yield Entry(PROGRAM, "file", 0o755, source=program(target.python_minor))


def _usrmerge(row: Platform) -> Iterator[Entry]:
    loader_folder = row.loader.split("/")[1]
    names = sorted({"bin", "lib", "sbin", loader_folder})
    for name in names:
        yield Entry(name, "symlink", 0o777, target=f"usr/{name}")
    yield from (Entry(f"usr/{name}", "dir", 0o755) for name in names)


def _checked_prefix(prefix: str) -> str:
    plain = posixpath.normpath(prefix)
    if not plain.startswith("/") or plain.startswith("//") or plain == "/" or plain != prefix.rstrip("/"):
        raise UsageError(f"--prefix is {prefix!r}, not an absolute path such as /app")
    if plain.split("/")[1] in {"bin", "dev", "lib", "lib64", "proc", "sbin", "sys"}:
        raise UsageError(f"--prefix is {prefix!r}: that folder belongs to the system")
    return plain.strip("/")


def _environment(prefix: str, target: Target) -> Iterator[Entry]:
    """Yield the skeleton of a virtual environment (PEP 405)."""
    interpreter = f"/usr/bin/python{target.python_minor}"
    for name in ("python", "python3", f"python{target.python_minor}"):
        yield Entry(f"{prefix}/bin/{name}", "symlink", 0o777, target=interpreter)
    settings = f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {target.python_full}\n"
    yield Entry(f"{prefix}/pyvenv.cfg", "file", 0o644, source=settings.encode())
    yield Entry(f"{prefix}/lib/python{target.python_minor}/site-packages", "dir", 0o755)

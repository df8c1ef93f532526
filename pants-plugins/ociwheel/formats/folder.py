"""The one place that writes what comes out of an archive: below a folder, and through no link.

Every path is opened part by part from the folder's own descriptor (``openat(2)`` with ``O_NOFOLLOW``), so
that no order of entries leads elsewhere. Symbolic links are made last, when all names are known, and only
those that stay inside. Modes are ours: 0755 for folders and programs, 0644 for all else, whatever the
archive and the umask say; no owner, device, pipe or setuid bit gets through.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from ociwheel.formats.filetree import FileTree
from ociwheel.formats.guard import Guard
from ociwheel.formats.limits import CHUNK_BYTES
from ociwheel.wording import quoted

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER_MODE, _PROGRAM_MODE, _FILE_MODE = 0o755, 0o755, 0o644
_FOLDER, _FILE = "folder", "file"


class Folder:
    """A folder that entries are written to. Links appear when the ``with`` block ends without an error.

    Paths are relative and plain, see :func:`ociwheel.formats.names.inside`. A later entry takes the place of
    an earlier file or link, never of a folder.

    :param path: is made where it is not there, with the folders above it.
    """

    def __init__(self, path: Path, guard: Guard) -> None:
        for folder in [place for place in (path, *path.parents) if not place.exists()][::-1]:
            folder.mkdir()
            folder.chmod(_FOLDER_MODE)  # whatever the umask is
        self._guard = guard
        # The folder itself and those that lead to the last entry, each with its descriptor.
        self._open: list[tuple[str, int]] = [("", os.open(path, _DIRECTORY))]
        os.fchmod(self._open[0][1], _FOLDER_MODE)
        self._links: dict[str, str] = {}
        self._names: FileTree[str] = FileTree(
            lambda kind: None if kind in {_FOLDER, _FILE} else kind[1:], guard
        )

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Make the links, and close what is open."""
        try:
            if kind is None:
                self._make_links()
        finally:
            for _, descriptor in self._open:
                os.close(descriptor)

    def make_folder(self, path: str) -> None:
        """Make a folder and those above it.

        :raises OciwheelError: there is something else.
        """
        if path:
            with self._telling(path):
                self._parent(f"{path}/.", path)

    def write(self, path: str, chunks: Iterable[bytes], *, executable: bool) -> None:
        """Write a file, and the folders above it.

        :raises OciwheelError: there is a folder, or something above it is none.
        """
        with self._telling(path):
            folder, name = self._make_room(path)
            descriptor = os.open(name, _NEW_FILE, _FILE_MODE, dir_fd=folder)
        self._names.put(path, _FILE, folder=False)
        try:
            for chunk in chunks:
                self._put(descriptor, chunk, path)
            os.fchmod(descriptor, _PROGRAM_MODE if executable else _FILE_MODE)
        finally:
            os.close(descriptor)

    def _put(self, descriptor: int, chunk: bytes, path: str) -> None:
        with self._telling(path):
            rest = memoryview(chunk)
            while rest:
                rest = rest[os.write(descriptor, rest) :]

    def copy(self, path: str, source: BinaryIO, *, executable: bool) -> None:
        """Write a file with what is left of a stream."""
        self.write(path, iter(lambda: source.read(CHUNK_BYTES), b""), executable=executable)

    def link(self, path: str, text: str) -> None:
        """Add a symbolic link, which is made at the end if it stays inside the folder."""
        with self._telling(path):
            self._make_room(path)
        self._links[path] = text
        self._names.put(path, f">{text}", folder=False)

    def second_name(self, path: str, other: str) -> None:
        """Add a hard link: the same file, or the same symbolic link, under a second name.

        :raises OciwheelError: there is no file under the first.
        """
        if other in self._links:
            self.link(path, self._links[other])
        elif self._names.get(other) != _FILE:
            raise self._guard.refuse(f"the hard link {quoted(path)} points to nothing: {quoted(other)}")
        elif path != other:
            with self._telling(path):
                source = os.dup(self._parent(other, path))
                try:
                    folder, name = self._make_room(path)
                    old = other.rpartition("/")[2]
                    os.link(old, name, src_dir_fd=source, dst_dir_fd=folder, follow_symlinks=False)
                finally:
                    os.close(source)
            self._names.put(path, _FILE, folder=False)

    def top(self) -> dict[str, bool]:
        """Return the names in the folder itself, and whether each is a folder."""
        return {path: kind == _FOLDER for path, kind in self._names.items() if "/" not in path}

    def _make_room(self, path: str) -> tuple[int, str]:
        """Return the descriptor of a path's folder and its name there, where nothing is any more."""
        folder = self._parent(path, path)
        name = path.rpartition("/")[2]
        if self._links.pop(path, None) is None and self._names.get(path) is not None:
            os.unlink(name, dir_fd=folder)
        return folder, name

    def _parent(self, path: str, entry: str) -> int:
        """Return the descriptor of the folder that ``path`` is in; make it where it is not there."""
        parts = path.split("/")[:-1]
        known = 0
        while known < min(len(parts), len(self._open) - 1) and self._open[known + 1][0] == parts[known]:
            known += 1
        while len(self._open) > known + 1:
            os.close(self._open.pop()[1])
        for number in range(known, len(parts)):
            self._open.append((parts[number], self._enter(parts[: number + 1], entry)))
        return self._open[-1][1]

    def _enter(self, parts: list[str], entry: str) -> int:
        here, above = "/".join(parts), self._open[-1][1]
        kind = self._names.get(here)
        if kind not in {None, _FOLDER}:
            what = "a file" if kind == _FILE else "a symbolic link"
            raise self._guard.refuse(f"the entry {quoted(entry)} is below {quoted(here)}, {what}")
        made = kind is None
        if made:
            try:
                os.mkdir(parts[-1], _FOLDER_MODE, dir_fd=above)
            except FileExistsError:
                made = False  # the folder was not empty at first
            self._names.put(here, _FOLDER, folder=True)
        descriptor = os.open(parts[-1], _DIRECTORY, dir_fd=above)
        if made:
            os.fchmod(descriptor, _FOLDER_MODE)
        return descriptor

    def _make_links(self) -> None:
        for path in self._links:
            self._names.check_link(path)
        for path, text in self._links.items():
            with self._telling(path):
                os.symlink(text, path.rpartition("/")[2], dir_fd=self._parent(path, path))

    @contextmanager
    def _telling(self, path: str) -> Iterator[None]:
        try:
            yield
        except OSError as e:
            if e.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise self._guard.error(
                    "no space left on the disk",
                    where=self._guard.where,
                    hint="free some space, then try again",
                ) from e
            raise self._guard.refuse(f"the entry {quoted(path)} cannot be written: {e.strerror}") from e

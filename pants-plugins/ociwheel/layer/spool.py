"""One temporary file for everything that a layer step unpacks or makes.

Keeps memory flat for files of any size, and saves the file system ten thousand small files.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Protocol, Self, cast

_CHUNK_BYTES = 1 << 18
_HEAD_BYTES = 8


class _Reads(Protocol):
    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True)
class Slice:
    """Part of a spool."""

    file: Path
    offset: int
    size: int
    """Length in bytes."""
    sha256: str
    head: bytes = b""
    """The first bytes, up to eight: they tell what kind of file it is."""

    def open(self) -> BinaryIO:
        """Return a seekable stream over the part."""
        return cast(BinaryIO, io.BufferedReader(_Window(self.file, self.offset, self.size)))


class Spool:
    """Appends streams to one file, which is deleted at the end of the ``with`` block."""

    def __init__(self, file: Path) -> None:
        self._path = file
        self._size = 0

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("wb")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)

    def add(self, stream: _Reads) -> Slice:
        """Append what ``stream`` has left."""
        start, hasher, head = self._size, hashlib.sha256(), b""
        while chunk := stream.read(_CHUNK_BYTES):
            head += chunk[: _HEAD_BYTES - len(head)]
            hasher.update(chunk)
            self._file.write(chunk)
            self._size += len(chunk)
        return Slice(self._path, start, self._size - start, hasher.hexdigest(), head)

    def add_bytes(self, data: bytes) -> Slice:
        """Append ``data``."""
        return self.add(io.BytesIO(data))

    def flush(self) -> None:
        """Make all that was added readable through its slices."""
        self._file.flush()


class _Window(io.RawIOBase):
    """A read-only part of a file as a file."""

    def __init__(self, file: Path, offset: int, size: int) -> None:
        super().__init__()
        self._file = file.open("rb", buffering=0)
        self._offset, self._size, self._at = offset, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise ValueError("a position before the start")
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer)[: max(0, self._size - self._at)]
        self._file.seek(self._offset + self._at)
        count = self._file.readinto(view) or 0
        self._at += count
        return count

    def close(self) -> None:
        self._file.close()
        super().close()

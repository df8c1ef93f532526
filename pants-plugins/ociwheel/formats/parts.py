"""Part of a file as the content of another: what is unpacked of an archive lies in one file.

That saves the file system thousands of small files, which cost more than their bytes.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from ociwheel.formats.limits import CHUNK_BYTES


@dataclass(frozen=True)
class Part:
    """Part of a file."""

    file: Path
    offset: int
    size: int
    """Length in bytes."""

    def open(self) -> BinaryIO:
        """Return a seekable stream over the part."""
        if self.size > CHUNK_BYTES:
            return cast(BinaryIO, io.BufferedReader(_Window(self.file, self.offset, self.size)))
        with self.file.open("rb", buffering=0) as file:
            file.seek(self.offset)
            return io.BytesIO(file.read(self.size))


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

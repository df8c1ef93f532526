"""A file for libraries that trust what they read: it bounds how often and how much they may read."""

from __future__ import annotations

import io
from typing import BinaryIO

_FREE_READS = 20_000
_FREE_BYTES = 4 << 20
_BYTES_OF_READ = 32


class Meter:
    """How often the files of one archive may be read, all together.

    :param packed: bytes of the archive. A reader of ELF reads a file of 50 kB some thousand times.
    """

    def __init__(self, packed: int) -> None:
        self.reads = 200_000 + packed // 2

    @property
    def is_empty(self) -> bool:
        """Whether there were more."""
        return self.reads < 0


class TooMuchReadError(Exception):
    """Tables of a file that lead to each other, or overlap, so that reading them never ends."""

    def __init__(self) -> None:
        super().__init__("its tables overlap, or are larger than the file")


class Metered:
    """A seekable stream, as pyelftools uses one.

    What is read in all is bounded by the file's size, so that tables that overlap, names without an end and
    counts that lie cost no more than an honest file of that size.
    """

    def __init__(self, file: BinaryIO, meter: Meter | None = None) -> None:
        self._file = file
        self._meter = meter
        self._size = file.seek(0, io.SEEK_END)
        self._at = 0
        self._reads = _FREE_READS + self._size // _BYTES_OF_READ
        self._bytes = _FREE_BYTES + 2 * self._size
        file.seek(0)

    def read(self, size: int = -1, /) -> bytes:
        """Return up to ``size`` bytes.

        :raises TooMuchReadError: the file has been read several times over.
        """
        rest = max(0, self._size - self._at)
        wanted = rest if size < 0 else min(size, rest)
        self._reads -= 1
        self._bytes -= wanted
        if self._meter:
            self._meter.reads -= 1
        if self._reads < 0 or self._bytes < 0 or (self._meter and self._meter.is_empty):
            raise TooMuchReadError
        self._file.seek(self._at)
        data = self._file.read(wanted)
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move; a place behind the end is one without bytes."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        """Return where the next byte comes from."""
        return self._at

    def close(self) -> None:
        """Do nothing: the file belongs to the caller."""

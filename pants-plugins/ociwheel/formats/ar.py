"""Reads ar archives in the common format, as deb(5) has them: no extended names, no symbol table."""

from __future__ import annotations

import io
import os
import re
from dataclasses import dataclass
from typing import BinaryIO

from ociwheel.formats.guard import Guard
from ociwheel.wording import quoted

_MAGIC = b"!<arch>\n"
_HEADER_BYTES = 60
_END = b"`\n"
# deb(5): "the size in bytes", in decimal and filled with spaces.
_SIZE = re.compile(rb"([0-9]{1,10}) *")


@dataclass(frozen=True)
class ArMember:
    """One member: a stream of its bytes."""

    name: str
    start: int
    size: int
    file: BinaryIO

    def open(self) -> _Window:
        """Return a stream at the member's first byte; one at a time."""
        self.file.seek(self.start)
        return _Window(self.file, self.size)


class _Window:
    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._left = size

    def read(self, size: int, /) -> bytes:
        data = self._file.read(min(size, self._left))
        self._left -= len(data)
        return data


def read_ar(file: BinaryIO, guard: Guard) -> tuple[ArMember, ...]:
    """Return the members of an archive.

    :param file: seekable; it is not closed.
    :raises OciwheelError: it is damaged, or beyond a limit.
    """
    with guard.reading():
        end = file.seek(0, os.SEEK_END)
        file.seek(0)
        if file.read(len(_MAGIC)) != _MAGIC:
            raise guard.refuse("it is no ar archive")
        members: list[ArMember] = []
        at = len(_MAGIC)
        while at < end:
            file.seek(at, io.SEEK_SET)
            member = _member(file.read(_HEADER_BYTES), at + _HEADER_BYTES, end, file, guard)
            members.append(member)
            if len(members) > guard.limits.entries:
                raise guard.too_much(f"it has more than {guard.limits.entries} entries", "entries")
            at = member.start + member.size + member.size % 2
    return tuple(members)


def _member(header: bytes, start: int, end: int, file: BinaryIO, guard: Guard) -> ArMember:
    size = _SIZE.fullmatch(header[48:58])
    if len(header) != _HEADER_BYTES or not header.endswith(_END) or not size:
        raise guard.refuse(f"the header of a member is damaged, at byte {start - _HEADER_BYTES}")
    name = header[:16].rstrip(b" ").removesuffix(b"/").decode("utf-8", "backslashreplace")
    if start + int(size[1]) > end:
        raise guard.refuse(f"the member {quoted(name)} ends behind the file")
    return ArMember(name, start, int(size[1]), file)

"""The scripts of wheels, which start with the interpreter that they are installed for."""

from __future__ import annotations

from typing import BinaryIO

_SHEBANG = b"#!python"
_CHUNK_BYTES = 1 << 18


class Script:
    """A script of a wheel as a stream, its interpreter put in place.

    The wheel specification: "If the first line of a file in scripts/ starts with exactly b'#!python',
    rewrite to point to the correct interpreter." A script may be a program of gigabytes, so that only
    the first line is looked at.
    """

    def __init__(self, stream: BinaryIO, interpreter: str) -> None:
        self._stream = stream
        self._head = stream.read(len(_SHEBANG))
        if self._head == _SHEBANG:
            self._head = f"#!{interpreter}\n".encode() + self._after_first_line()

    def _after_first_line(self) -> bytes:
        while chunk := self._stream.read(_CHUNK_BYTES):
            _, newline, rest = chunk.partition(b"\n")
            if newline:
                return rest
        return b""

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes, none at the end."""
        if self._head:
            data, self._head = self._head[:size], self._head[size:]
            return data
        return self._stream.read(size)

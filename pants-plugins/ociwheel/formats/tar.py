"""Reads tar archives in one pass: ustar, pax and GNU, without a link followed or a name taken for a path.

Not ``tarfile``: it takes negative and endless sizes, calls itself for every extended header, keeps all
that it has read, and differs between the Pythons that run steps. What it reads of well-formed archives,
this reads (a test compares them).

Formats: pax and ustar, POSIX.1-2017 pax, "Extended Description"; GNU tar manual, "Basic Tar Format".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from ociwheel.formats.guard import Guard
from ociwheel.formats.limits import CHUNK_BYTES
from ociwheel.formats.names import inside, link_text
from ociwheel.formats.streams import Unpacked
from ociwheel.wording import quoted

Kind = Literal["file", "dir", "symlink", "hardlink", "other"]

BLOCK_BYTES = 512
_PERMISSIONS = 0o7777
_MOST_OWNER = (1 << 32) - 2
# "'x' [...] extended header [...] 'g' global extended header"; GNU: 'L' long name, 'K' long link name.
_EXTENDED = b"xgXLK"
_REGULAR = b"0\x007"
_KINDS: Mapping[bytes, Kind] = {b"1": "hardlink", b"2": "symlink", b"5": "dir"}
_WITHOUT_DATA = b"123456"
_NUMBERS = ("size", "uid", "gid")


@dataclass(frozen=True)
class TarEntry:
    """One entry, as its headers say."""

    path: str
    """Relative, without ``.`` and ``..``; empty for the root itself."""
    kind: Kind
    mode: int
    """Permissions with setuid, setgid and sticky."""
    uid: int
    gid: int
    size: int
    """Bytes of a file's content, 0 for all else."""
    target: str
    """A symbolic link's text; the path of a hard link's other name."""


class TarReader:
    """The entries of an archive in order, and the content of the current one.

    :param absolute: whether a leading slash means the root of the archive; otherwise it is refused.
    :param leaves: what an entry that leads out of the root does, for the message.
    """

    def __init__(
        self,
        stream: Unpacked,
        guard: Guard,
        *,
        absolute: bool = False,
        leaves: str = "would leave its folder",
    ) -> None:
        self._stream = stream
        self._guard = guard
        self._absolute = absolute
        self._leaves = leaves
        self._global: dict[str, str] = {}
        self._headers_left = guard.limits.headers(stream.packed)
        self._left = 0
        self._padding = 0
        self._name = ""

    def __iter__(self) -> Iterator[TarEntry]:
        """Yield the entries; each one's content is there until the next is asked for.

        :raises OciwheelError: the archive is damaged, or beyond a limit.
        """
        count = 0
        while (entry := self._next()) is not None:
            count += 1
            if count > self._guard.limits.entries:
                raise self._guard.too_much(
                    f"it has more than {self._guard.limits.entries} entries", "entries"
                )
            yield entry

    def chunks(self) -> Iterator[bytes]:
        """Yield what is left of the current entry's content."""
        while self._left:
            data = self._stream.read(min(self._left, CHUNK_BYTES))
            if not data:
                raise self._guard.refuse(f"it ends in the middle of {quoted(self._name)}")
            self._left -= len(data)
            yield data

    def read(self, most: int) -> bytes:
        """Return what is left of the current entry's content.

        :raises OciwheelError: it is more than ``most`` bytes.
        """
        if self._left > most:
            raise self._guard.refuse(
                f"the entry {quoted(self._name)} has {self._left} bytes, more than {most}"
            )
        return b"".join(self.chunks())

    def _next(self) -> TarEntry | None:
        for _ in self.chunks():
            pass
        self._exactly(self._padding)
        self._padding = 0
        extended: dict[str, str] = {}
        while True:
            block = self._stream.read(BLOCK_BYTES)
            if not (block or self._stream.count):
                raise self._guard.refuse("it is empty")
            if not block or block == bytes(BLOCK_BYTES):
                if extended:
                    raise self._guard.refuse("it ends behind an extended header")
                return None
            self._count(BLOCK_BYTES)
            if len(block) != BLOCK_BYTES or not _checksum_fits(block):
                raise self._guard.refuse("it is no tar archive, or one of its headers is damaged")
            if block[156] not in _EXTENDED:
                return self._entry(block, {**self._global, **extended})
            self._extend(block, extended)

    def _extend(self, block: bytes, extended: dict[str, str]) -> None:
        """Read an extended header. Of two for one entry the first counts, as with tarfile."""
        size = self._number(block[124:136])
        if size > self._guard.limits.header_bytes:
            raise self._guard.too_much(f"it has an extended header of {size} bytes", "header_bytes")
        self._count(size)
        data = self._exactly(size)
        self._exactly(-size % BLOCK_BYTES)
        kind = block[156:157]
        if kind in b"LK":
            key = "path" if kind == b"L" else "linkpath"
            extended.setdefault(key, _text(data))
        elif kind == b"g":
            self._global.update(self._records(data))
        else:
            for key, value in self._records(data).items():
                extended.setdefault(key, value)

    def _records(self, data: bytes) -> dict[str, str]:
        r"""Return the records ``LENGTH key=value\n`` of an extended header that count here."""
        found: dict[str, str] = {}
        at = 0
        while at < len(data) and data[at]:
            space = data.find(b" ", at, at + 20)
            length = data[at:space] if space > at else b""
            end = at + int(length) if length.isdigit() else 0
            if not space < end - 1 < len(data) or data[end - 1] != 0x0A:
                raise self._guard.refuse("an extended header is damaged")
            key, equals, value = data[space + 1 : end - 1].partition(b"=")
            if key.startswith(b"GNU.sparse."):
                raise self._guard.refuse("it holds a sparse file")
            if equals and key in {b"path", b"linkpath", b"size", b"uid", b"gid"}:
                found[key.decode()] = value.decode("utf-8", "surrogateescape")
            at = end
        return found

    def _entry(self, block: bytes, extended: Mapping[str, str]) -> TarEntry:
        name = extended.get("path") or self._plain_name(block)
        self._name = name
        flag = block[156:157]
        if flag == b"S":
            raise self._guard.refuse("it holds a sparse file")
        kind: Kind = "file" if flag in _REGULAR else _KINDS.get(flag, "other")
        if flag == b"\0" and name.endswith("/"):
            kind = "dir"  # as tar had it before ustar
        size = self._value("size", extended, block[124:136])
        self._left = 0 if flag in _WITHOUT_DATA or kind == "dir" else size
        self._padding = -self._left % BLOCK_BYTES
        if self._left > self._guard.limits.entry_bytes:
            raise self._guard.too_much(
                f"the entry {quoted(name)} says that it has {size} bytes", "entry_bytes"
            )
        self._stream.expect(self._left)
        owners = [self._value(key, extended, block[a : a + 8]) for key, a in (("uid", 108), ("gid", 116))]
        if max(owners) > _MOST_OWNER:
            raise self._guard.refuse(
                f"the entry {quoted(name)} has an owner that no system has: {max(owners)}"
            )
        target = extended.get("linkpath") or _text(block[157:257])
        if kind == "hardlink":
            target = self._inside(target)
        elif kind == "symlink":
            target = link_text(target, name, self._guard)
        return TarEntry(
            self._inside(name),
            kind,
            self._number(block[100:108]) & _PERMISSIONS,
            owners[0],
            owners[1],
            self._left if kind == "file" else 0,
            target if kind in {"hardlink", "symlink"} else "",
        )

    def _inside(self, name: str) -> str:
        return inside(name, self._guard, absolute=self._absolute, leaves=self._leaves)

    @staticmethod
    def _plain_name(block: bytes) -> str:
        name = _text(block[:100])
        # POSIX: "magic [...] ustar" and a null; GNU's has other fields where the prefix would be.
        prefix = _text(block[345:500]) if block[257:263] == b"ustar\0" else ""
        return f"{prefix}/{name}" if prefix else name

    def _value(self, key: str, extended: Mapping[str, str], field: bytes) -> int:
        value = extended.get(key)
        if value is None:
            return self._number(field)
        if not (value.isascii() and value.isdecimal() and len(value) < 20):
            raise self._guard.refuse(
                f"the entry {quoted(self._name)} has no number as {key}: {quoted(value)}"
            )
        return int(value)

    def _number(self, field: bytes) -> int:
        """Return a number field: octal digits, or GNU's base 256 for large ones."""
        if field[0] == 0x80:
            return int.from_bytes(field[1:], "big")
        digits = field.partition(b"\0")[0].strip(b" ")
        if digits.strip(b"01234567"):
            raise self._guard.refuse("a number in one of its headers cannot be read")
        return int(digits or b"0", 8)

    def _count(self, size: int) -> None:
        self._headers_left -= size
        if self._headers_left < 0:
            most = self._guard.limits.headers(self._stream.packed)
            raise self._guard.too_much(f"it has more than {most} bytes of headers", "headers_ratio")

    def _exactly(self, size: int) -> bytes:
        data = self._stream.read(size)
        if len(data) != size:
            raise self._guard.refuse(f"it ends in the middle of {quoted(self._name)}")
        return data


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _checksum_fits(block: bytes) -> bool:
    """Tell whether a header has its own checksum; some old tars added signed bytes."""
    digits = block[148:156].partition(b"\0")[0].strip(b" ")
    if not digits or digits.strip(b"01234567"):
        return False
    said = int(digits, 8)
    found = sum(block) - sum(block[148:156]) + 8 * 0x20  # "as if [...] filled with blanks"
    return said == found or said == found - 256 * sum(byte > 0x7F for byte in block)

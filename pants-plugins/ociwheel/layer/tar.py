"""The one writer of tar headers.

Format: POSIX.1-2001 pax. A header is plain ustar whenever ustar can hold it; an extended header
(``x``) comes before it only for what ustar cannot: a path or link target that is not ASCII or too
long, a size of 8 GiB or more, an owner above 2097151. No names of owners, no comment.

Not ``tarfile``: its headers changed between Python versions (device numbers), and these bytes may
depend on declared inputs only, not on the interpreter of the machine.
"""

from __future__ import annotations

from ociwheel.formats.entries import Entry, Kind
from ociwheel.formats.times import CONSTANT

BLOCK = 512
TYPE_FLAGS: dict[Kind, bytes] = {"file": b"0", "hardlink": b"1", "symlink": b"2", "dir": b"5"}
_NAME = 100
_PREFIX = 155
_MAX_OWNER = 0o7777777
_MAX_SIZE = 0o77777777777
# Two zero blocks mark the end (POSIX.1-2017 pax, "ustar Interchange Format").
END = bytes(2 * BLOCK)


def padding(size: int) -> bytes:
    """Return the zeros that follow ``size`` bytes of content up to the next block."""
    return bytes(-size % BLOCK)


def header(entry: Entry, size: int) -> bytes:
    """Return the header blocks of an entry whose content has ``size`` bytes."""
    path = entry.path + "/" if entry.kind == "dir" else entry.path
    records: dict[str, str] = {}
    place = _split(path)
    if place is None:
        records["path"] = path
        place = (_ascii(path)[:_NAME], b"")
    link = entry.target.encode()
    if len(link) > _NAME or not entry.target.isascii():
        records["linkpath"] = entry.target
        link = _ascii(entry.target)[:_NAME]
    numbers = {"size": (size, _MAX_SIZE), "uid": (entry.uid, _MAX_OWNER), "gid": (entry.gid, _MAX_OWNER)}
    for key, (value, most) in numbers.items():
        if value > most:
            records[key] = str(value)
    block = _block(
        place,
        mode=entry.mode,
        owner=(entry.uid if "uid" not in records else 0, entry.gid if "gid" not in records else 0),
        size=size if "size" not in records else 0,
        flag=TYPE_FLAGS[entry.kind],
        link=link,
        mtime=entry.mtime,
    )
    return _extended(records) + block


def _split(path: str) -> tuple[bytes, bytes] | None:
    """Return ustar's name and prefix of a path, or ``None`` when ustar cannot hold it."""
    if not path.isascii():
        return None
    raw = path.encode()
    if len(raw) <= _NAME:
        return raw, b""
    # The prefix ends at a slash, which is left out, and neither part may be empty.
    cut = raw.find(b"/", len(raw) - _NAME - 1, len(raw) - 1)
    if 0 < cut <= _PREFIX:
        return raw[cut + 1 :], raw[:cut]
    return None


def _ascii(text: str) -> bytes:
    """Return a stand-in for readers without pax: what is not ASCII becomes a question mark."""
    return text.encode("ascii", "replace")


def _octal(value: int, width: int) -> bytes:
    return b"%0*o\0" % (width - 1, value)


def _block(
    place: tuple[bytes, bytes],
    *,
    mode: int,
    owner: tuple[int, int],
    size: int,
    flag: bytes,
    link: bytes,
    mtime: int,
) -> bytes:
    name, prefix = place
    fields = (
        name.ljust(_NAME, b"\0"),
        _octal(mode, 8),
        _octal(owner[0], 8),
        _octal(owner[1], 8),
        _octal(size, 12),
        _octal(mtime, 12),
        b" " * 8,  # the checksum counts itself as spaces
        flag,
        link.ljust(_NAME, b"\0"),
        b"ustar\x0000",
        bytes(32 + 32),  # names of owner and group: the image's own /etc/passwd decides
        _octal(0, 8),
        _octal(0, 8),
        prefix.ljust(_PREFIX, b"\0"),
        bytes(12),
    )
    block = b"".join(fields)
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def _extended(records: dict[str, str]) -> bytes:
    if not records:
        return b""
    body = b"".join(_record(key, records[key]) for key in sorted(records))
    block = _block(
        (b"././@PaxHeader", b""),
        mode=0o644,
        owner=(0, 0),
        size=len(body),
        flag=b"x",
        link=b"",
        mtime=CONSTANT,
    )
    return block + body + padding(len(body))


def _record(key: str, value: str) -> bytes:
    """Return one pax record, ``LENGTH key=value`` and a newline, LENGTH counting its own digits."""
    rest = b" %s=%s\n" % (key.encode(), value.encode())
    length = len(rest)
    while len(str(length)) + len(rest) != length:
        length = len(str(length)) + len(rest)
    return str(length).encode() + rest

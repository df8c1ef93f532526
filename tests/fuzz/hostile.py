"""Makes archives whose headers, names and links are hostile in the ways of their formats."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Sequence

import zstandard

BLOCK = 512
NAMES = (
    "a", "b", "a/b", "b/a", "a/b/c", ".", "./", "..", "../x", "/etc/x", "a/../../x", "a//b", "a/./b", "-rf",
    "demo-1.0", "demo-1.0/a", "demo-1.0/b", "demo-1.0/a/b", "demo-1.0/setup.py", "demo-1.0/pyproject.toml",
    "demo-1.0/PKG-INFO", "demo-1.0/x.egg-info/PKG-INFO", "demo-1.0/x.egg-info/requires.txt", "pax_global_header",
    "usr", "usr/lib", "usr/bin/python3", "usr/bin/python3.11", "usr/lib/python3.11/os.py", "lib", "lib/x.so",
    "usr/include/a.h", "a/.wh.b", "a/.wh..wh..opq", ".wh.a", ".wh..", "x\ny", "caf\udce9", "\u202e", "n" * 256,
    "d/" * 200, "x" * 3000, "a\0b", "control", "md5sums", "etc/x", "usr/share/ca-certificates/x.crt",
)  # fmt: skip
SAFE = (
    "demo-1.0/",
    "demo-1.0/setup.py",
    "demo-1.0/pyproject.toml",
    "demo-1.0/PKG-INFO",
    "demo-1.0/src",
    "demo-1.0/src/a.c",
    "demo-1.0/src/b",
    "demo-1.0/x.egg-info/PKG-INFO",
    "demo-1.0/x.egg-info/requires.txt",
    "demo-1.0/link",
    "demo-1.0/link/below",
    "demo-1.0/setup.cfg",
    "demo-1.0/src/a.c/x",
)
"""Names that an sdist may have; links and files may still be in each other's way."""
SYSTEM = (
    "usr/",
    "usr/lib/",
    "usr/lib/python3.11/os.py",
    "usr/bin/python3",
    "usr/bin/python3.11",
    "lib",
    "lib64",
    "etc/passwd",
    "usr/lib/x86_64-linux-gnu/libc.so.6",
    "usr/include/a.h",
    "usr/include/b.h",
    "usr/lib/x.so",
    "lib/y.so",
    "usr/lib/.wh.x.so",
    "usr/include/.wh..wh..opq",
    "usr/include",
    ".wh.usr",
    "usr/share/ca-certificates/x.crt",
)
"""Names of an image or a package."""
TARGETS = (
    *NAMES, "", "../../../../../../etc/passwd", "a/" * 60 + "..", "../" * 30 + "victim", "./././a", "/", "loop",
    "pax_global_header/" * 3 + "../../../victim", "b/b/b/b/../../../../victim",
)  # fmt: skip
NUMBERS = (0, 1, 5, 511, 512, 513, 1 << 20, 1 << 30, (1 << 33) - 1, 1 << 40, 1 << 60, (1 << 64) - 1)
TYPES = b"00000000555222111gxLKS34676\x00VMDX"
TEXTS = (
    b"",
    b"x",
    b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\nRequires-Dist: a; extra == 'x'\n\ntext\n",
    b"Package: demo\nVersion: 1.0\nArchitecture: all\n",
    b"[build-system]\nrequires = ['a']\nbuild-backend = 'b'\n",
    b"from setuptools import setup\nsetup(install_requires=['a'], ext_modules=[])\n",
    b"[a]\nb\n[:c]\nd\n[e:f]\ng\n",
    b"\x7fELF\x02\x01\x01" + bytes(60),
    b"\0" * 5000,
)


def _octal(rng: random.Random, size: int, value: int | None = None) -> bytes:
    if value is None:
        value = rng.choice(NUMBERS)
    match rng.randrange(12):
        case 0:
            return b"\x80" + value.to_bytes(max(size - 1, 8), "big")[-size + 1 :]
        case 1:
            return b"\xff" * size
        case 2:
            return rng.choice((b"-1", b"0x1", b"1_0", b" ", b"9", b"+7", b"\xd9\xa1")).ljust(size, b"\0")
    return (
        (b"%o" % value)[-size:].rjust(size, b"0")
        if rng.random() < 0.5
        else (b"%o" % value)[-size:].ljust(size)
    )


def header(
    rng: random.Random, name: str, kind: bytes, size: int, link: str = "", *, tidy: bool = True
) -> bytes:
    """Return one header block; with ``tidy``, its numbers are well-formed."""

    def number(width: int, value: int) -> bytes:
        return (
            b"%0*o\0" % (width - 1, value) if tidy and value < 8 ** (width - 1) else _octal(rng, width, value)
        )

    fields = [
        name.encode("utf-8", "surrogateescape")[:100].ljust(100, b"\0"),
        number(8, rng.choice((0o644, 0o755, 0o4755, 0o777))),
        number(8, 0), number(8, 0), number(12, size), number(12, 0), b" " * 8, kind,
        link.encode("utf-8", "surrogateescape")[:100].ljust(100, b"\0"),
        rng.choice((b"ustar\x0000", b"ustar  \0", bytes(8))), bytes(80),
        rng.choice((b"", b"", b"", b"p/q")).ljust(155, b"\0"), bytes(12),
    ]  # fmt: skip
    block = b"".join(fields)
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def padded(data: bytes) -> bytes:
    """Return content, filled up to whole blocks."""
    return data + bytes(-len(data) % BLOCK)


def _pax(rng: random.Random) -> bytes:
    records = b""
    for _ in range(rng.randrange(1, 4)):
        key = rng.choice(
            ("path", "linkpath", "size", "uid", "gid", "GNU.sparse.major", "hdrcharset", "mtime", "x")
        )
        value = rng.choice((*TARGETS, *map(str, NUMBERS), "-1", "1e9", "9" * 5000))
        body = f" {key}={value}\n".encode("utf-8", "surrogateescape")
        length = len(body) + rng.choice((2, 3, 3, 3, 4, 0, 99))
        records += str(length).encode() + body
    return records


def tar(rng: random.Random, entries: int | None = None) -> bytes:
    """Return an archive of hostile entries."""
    parts: list[bytes] = []
    evil = rng.choice((0.0, 0.02, 0.3))
    good = rng.choice((SAFE, SYSTEM))
    for number in range(rng.randrange(1, 12) if entries is None else entries):
        bad = rng.random() < evil
        kind = bytes([rng.choice(TYPES if bad else b"0000000512")])
        name = rng.choice(NAMES if bad else good)
        link = rng.choice(TARGETS if bad else (*good, "a", "../src", "..", ".", "link", "b/../a.c"))
        if entries and rng.random() < 0.9:
            name = (
                f"{name.rstrip('/')}/{number:x}"
                if kind != b"2" or rng.random() < 0.5
                else f"demo-1.0/{number:x}"
            )
        tidy = not bad or rng.random() < 0.8
        if kind in b"gx":
            data = _pax(rng)
        elif kind in b"LK":
            data = rng.choice(TARGETS).encode("utf-8", "surrogateescape") * rng.choice((1, 1, 1, 50))
        else:
            data = rng.choice(TEXTS) if kind in b"0\x00" else b""
        size = len(data) if not bad or rng.random() < 0.8 else rng.choice(NUMBERS)
        parts.append(header(rng, name, kind, size, link, tidy=tidy) + padded(data))
    return b"".join(parts) + bytes(rng.choice((0, 512, 1024, 10_240)))


def zeros(rng: random.Random) -> bytes:
    """Return a bomb: what packs well."""
    return bytes(rng.choice((1 << 16, 1 << 20, 16 << 20, 60 << 20)))


PACKERS: Sequence[Callable[[bytes], bytes]] = (
    bytes,
    lambda data: gzip.compress(data, 1),
    lambda data: gzip.compress(data[: len(data) // 2], 1) + gzip.compress(data[len(data) // 2 :], 1),
    lambda data: bz2.compress(data, 1),
    lambda data: lzma.compress(data, preset=0),
    lambda data: lzma.compress(data, preset=0) + bytes(8),
    lambda data: zstandard.ZstdCompressor(level=1).compress(data),
)
_EMPTY_GZIP = gzip.compress(b"", 1)


def packed(rng: random.Random, data: bytes) -> bytes:
    """Return data, compressed in some way."""
    result = rng.choice(PACKERS)(data)
    if rng.random() < 0.03:
        result += _EMPTY_GZIP * rng.choice((1, 1000, 20_000))
    if rng.random() < 0.02:  # an xz header that asks for 4 GB of memory
        result = lzma.compress(b"x", filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 26, "preset": 0}])
    return result[: 1 << 20]


def archive(rng: random.Random) -> bytes:
    """Return a compressed hostile tar, or a bomb."""
    if rng.random() < 0.002:
        return packed(rng, padded(header(rng, "demo-1.0/zeros", b"0", 60 << 20)) + zeros(rng))
    if rng.random() < 0.004:
        return packed(rng, tar(rng, rng.choice((200, 2000))))
    return packed(rng, tar(rng))


def ar(members: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return an ar archive."""
    data = b"!<arch>\n"
    for name, content in members:
        data += name.ljust(16) + b"0           0     0     100644  " + str(len(content)).encode().ljust(10)
        data += b"`\n" + content + b"\n" * (len(content) % 2)
    return data


def deb(rng: random.Random) -> bytes:
    """Return a package with hostile members."""
    control = b"Package: demo\nVersion: 1.0\nArchitecture: amd64\n"
    if rng.random() < 0.1:
        control = rng.choice(
            (b"", b"Package: ../x\nVersion: 1\nArchitecture: all\n", b"a:\n" * 9000, control * 99)
        )
    meta = header(rng, "./control", b"0", len(control)) + padded(control) + bytes(1024)
    suffixes = (b"", b".gz", b".bz2", b".xz", b".zst")
    which = rng.randrange(5)
    index = (0, 1, 3, 4, 6)[which]
    members = [
        (b"debian-binary", b"2.0\n"),
        (b"control.tar" + suffixes[which], PACKERS[index](meta)),
        (b"data.tar" + suffixes[which], PACKERS[index](tar(rng))),
    ]
    if rng.random() < 0.1:
        rng.shuffle(members)
    if rng.random() < 0.1:
        members.append(rng.choice(members))
    return ar(members)[: 1 << 20]


def zip_archive(rng: random.Random) -> bytes:
    """Return a zip of hostile entries."""
    info = "demo-1.0.dist-info"
    hostile = (*(n for n in NAMES if len(n) < 300), f"{info}/METADATA", f"{info}/RECORD", f"{info}/WHEEL", "demo/x.py",
               f"{info}//METADATA", "a\\..\\x", f"{info}/RECORD")  # fmt: skip
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that come twice
        evil = rng.choice((0.0, 0.02, 0.3))
        own = (f"{info}/METADATA", f"{info}/RECORD", f"{info}/WHEEL", "demo/x.py")
        good = [*own, *rng.sample(SAFE, 6)]
        for _ in range(rng.randrange(1, 10)):
            bad = rng.random() < evil
            name = rng.choice(hostile) if bad or not good else good.pop(rng.randrange(len(good)))
            entry = zipfile.ZipInfo(name.encode("utf-8", "replace").decode())
            entry.compress_type = rng.choice((0, 8, 8, 8, 12, 14) if bad else (0, 8))
            mode = rng.choice(
                (0o644, 0o755, 0o100644, 0o120777, 0o40755, 0o10644) if bad else (0, 0o644, 0o100755)
            )
            entry.external_attr = mode << 16
            data = rng.choice(TEXTS) if rng.random() < 0.995 else zeros(rng)
            made.writestr(entry, data)
    value = bytearray(stream.getvalue())
    if rng.random() < 0.5:  # numbers of the directory: sizes, methods, flags, offsets
        at = value.find(b"PK\x01\x02", rng.randrange(len(value)))
        if at >= 0:
            where, size = rng.choice(
                ((8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2), (30, 2), (38, 4), (42, 4))
            )
            number = rng.choice((0, 1, 9, 99, 0xFFFF, 0xFFFFFFFF, len(value), len(value) * 140))
            value[at + where : at + where + size] = struct.pack("<Q", number)[:size]
    return bytes(value[: 1 << 20])


def overlapping_zip(files: int, unpacked: int) -> bytes:
    """Return a zip whose entries all have the same content: the bomb of many names."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    content = packer.compress(bytes(unpacked)) + packer.flush()
    crc = zlib.crc32(bytes(unpacked))
    local = struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, 0, 8, 0, 33, crc, len(content), unpacked, 1, 0) + b"a"
    entry = struct.pack(
        "<4s6H3I5H2I", b"PK\x01\x02", 20, 20, 0, 8, 0, 33, crc, len(content), unpacked, 1, 0, 0, 0, 0, 0, 0
    )
    directory = (entry + b"a") * files
    end = struct.pack(
        "<4s4H2IH", b"PK\x05\x06", 0, 0, files, files, len(directory), len(local) + len(content), 0
    )
    return local + content + directory + end

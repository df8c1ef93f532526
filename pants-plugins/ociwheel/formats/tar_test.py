from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ociwheel.errors import BaseError
from ociwheel.formats.entries import Entry
from ociwheel.formats.guard import Guard
from ociwheel.formats.limits import Limits
from ociwheel.formats.streams import open_stream
from ociwheel.formats.tar import TarEntry, TarReader
from ociwheel.layer import tar as writer

Rows = list[tuple[TarEntry, bytes]]


def read(data: bytes, limits: Limits | None = None) -> Rows:
    guard = Guard("x.tar", BaseError, limits or Limits())
    reader = TarReader(open_stream(io.BytesIO(data), len(data), guard), guard)
    return [(entry, reader.read(1 << 20)) for entry in reader]


def fault(data: bytes, limits: Limits | None = None) -> str:
    with pytest.raises(BaseError) as e:
        read(data, limits)
    return e.value.render()


def archive(infos: Sequence[tuple[tarfile.TarInfo, bytes]], form: int = tarfile.PAX_FORMAT) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form, errors="surrogateescape") as made:
        for info, data in infos:
            info.size = len(data)
            made.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, **fields: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    for key, value in fields.items():
        setattr(info, key, value)
    return info


_PART = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0"),
    min_size=1,
    max_size=60,
)
_NAMES = st.lists(_PART.filter(lambda part: part not in {".", ".."}), min_size=1, max_size=6).map("/".join)
_KINDS = st.sampled_from(
    (tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE)
)
_INFOS = st.builds(
    member,
    _NAMES,
    _KINDS,
    linkname=_NAMES,
    mode=st.integers(0, 0o7777),
    uid=st.integers(0, 1 << 31),
    gid=st.integers(0, 1 << 31),
)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(_INFOS, st.binary(max_size=1500)), min_size=1, max_size=5),
    st.sampled_from((tarfile.PAX_FORMAT, tarfile.GNU_FORMAT)),
)
def test_reads_what_tarfile_reads(infos: list[tuple[tarfile.TarInfo, bytes]], form: int) -> None:
    data = archive([(info, content if info.isreg() else b"") for info, content in infos], form)
    with tarfile.open(fileobj=io.BytesIO(data), encoding="utf-8", errors="surrogateescape") as made:
        expected = [(i.name, i.mode, i.uid, i.gid, i.size if i.isreg() else 0) for i in made]
    found = [(e.path, e.mode, e.uid, e.gid, e.size) for e, _ in read(data)]
    assert found == [("/".join(p for p in row[0].split("/") if p), *row[1:]) for row in expected]
    assert [content for entry, content in read(data) if entry.kind == "file"] == [
        content for info, content in infos if info.isreg()
    ]


@settings(deadline=None)
@given(_NAMES, st.binary(max_size=2000), st.integers(0, 1 << 31))
def test_reads_what_the_writer_of_layers_writes(path: str, content: bytes, owner: int) -> None:
    entry = Entry(path, "file", 0o640, owner, owner, content)
    data = writer.header(entry, len(content)) + content + writer.padding(len(content)) + writer.END
    assert read(data) == [(TarEntry(path, "file", 0o640, owner, owner, len(content), ""), content)]


def _block(**fields: bytes) -> bytes:
    block = bytearray(member("x").tobuf(tarfile.USTAR_FORMAT))
    places = {
        "name": (0, 100),
        "mode": (100, 8),
        "uid": (108, 8),
        "size": (124, 12),
        "type": (156, 1),
        "link": (157, 100),
    }
    for key, value in fields.items():
        at, width = places[key]
        block[at : at + width] = value.ljust(width, b"\0")
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "x.tar: it is empty"),
        (b"no archive" * 100, "x.tar: it is no tar archive, or one of its headers is damaged"),
        (_block(size=b"-1"), "x.tar: a number in one of its headers cannot be read"),
        (_block(size=b"0x10"), "x.tar: a number in one of its headers cannot be read"),
        (_block(size=b"\xff" * 12), "x.tar: a number in one of its headers cannot be read"),
        (_block(mode=b"\xff" * 8), "x.tar: a number in one of its headers cannot be read"),
        (_block(size=b"10"), "x.tar: it ends in the middle of 'x'"),
        (_block(size=b"\x80" + b"\x10" * 11), "x.tar: the entry 'x' says that it has 19"),
        (_block(uid=b"\x80" + b"\x10" * 7), "x.tar: the entry 'x' has an owner that no system has: 4"),
        (_block(type=b"x", size=b"77777777777"), "x.tar: it has an extended header of 8589934591 bytes"),
        (_block(type=b"x", size=b"5") + b"9 a=b".ljust(512), "x.tar: an extended header is damaged"),
        (_block(type=b"L", size=b"0"), "x.tar: it ends behind an extended header"),
        (_block(type=b"S"), "x.tar: it holds a sparse file"),
        (_block(name=b"a/../b"), "x.tar: the entry 'a/../b' would leave its folder"),
        (_block(name=b"/a"), "x.tar: the entry '/a' would leave its folder"),
        (_block(name=b"a", type=b"1", link=b"../b"), "x.tar: the entry '../b' would leave its folder"),
        (_block(name=b"a", type=b"2"), "x.tar: the entry 'a' is a symbolic link without a target"),
        (archive([(member("x" * 256), b"")]), "x.tar: the entry 'xxx"),
        (archive([(member("d/" * 200 + "x"), b"")]), "x.tar: the entry 'd/d/"),
        (archive([(member("d/" * 2000 + "x"), b"")]), "x.tar: the entry 'd/d/"),
    ],
)
def test_damage_is_told_in_one_line(data: bytes, message: str) -> None:
    assert fault(data).startswith(message)


def test_names_of_others_are_escaped_and_cut() -> None:
    assert fault(_block(name=b"\x1b[2J/../x")) == r"x.tar: the entry '\x1b[2J/../x' would leave its folder"
    assert len(fault(archive([(member("../" + "x" * 5000), b"")]))) < 300


def test_limits_are_named_where_they_are_reached() -> None:
    data = archive([(member(str(number)), b"") for number in range(4)])
    assert fault(data, Limits(entries=3)) == (
        "x.tar: it has more than 3 entries\n"
        '  -> it is damaged, or made to do harm; if you trust it, raise the limit: OCIWHEEL_LIMITS="entries=6"'
    )
    assert 'OCIWHEEL_LIMITS="entry_bytes=' in fault(archive([(member("x"), b"12")]), Limits(entry_bytes=1))
    assert 'OCIWHEEL_LIMITS="total_bytes=' in fault(archive([(member("x"), b"12")]), Limits(total_bytes=100))


def test_headers_are_bounded_by_what_they_are_packed_in() -> None:
    data = archive([(member("x"), b"")] * 9000)
    guard = Guard("x.tar", BaseError, Limits())
    reader = TarReader(open_stream(io.BytesIO(data), 1000, guard), guard)
    with pytest.raises(BaseError, match="more than 4210304 bytes of headers"):
        list(reader)


def test_a_chain_of_extended_headers_is_no_recursion() -> None:
    data = _block(type=b"L", size=b"2") + b"y".ljust(512, b"\0")
    rows = read(data * 3000 + _block() + bytes(1024))
    assert [entry.path for entry, _ in rows] == ["y"]

import io
import tarfile
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ociwheel.formats.entries import Entry
from ociwheel.formats.times import CONSTANT
from ociwheel.layer import tar

_NAMES = st.text(
    st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1, max_size=120
)
_PATHS = st.lists(_NAMES.filter(lambda n: n not in {".", ".."}), min_size=1, max_size=6).map("/".join)


def _read_back(entry: Entry, size: int) -> tarfile.TarInfo:
    with tarfile.open(fileobj=io.BytesIO(tar.header(entry, size) + tar.END), mode="r:") as archive:
        member = archive.next()
    assert member is not None
    return member


@given(
    st.builds(
        Entry,
        path=_PATHS,
        target=_PATHS,
        kind=st.sampled_from(["file", "dir", "symlink", "hardlink"]),
        mode=st.integers(0, 0o7777),
        uid=st.integers(0, 2**32 - 1),
        gid=st.integers(0, 2**32 - 1),
    ),
    st.integers(0, 2**50),
)
def test_another_reader_gets_back_what_was_written(entry: Entry, size: int) -> None:
    size = size if entry.kind == "file" else 0
    if entry.kind in {"file", "dir"}:
        entry = replace(entry, target="")
    found = _read_back(entry, size)
    assert (found.name, found.mode, found.uid, found.gid) == (entry.path, entry.mode, entry.uid, entry.gid)
    assert (found.size, found.linkname, found.type) == (size, entry.target, tar.TYPE_FLAGS[entry.kind])
    assert (found.mtime, found.uname, found.gname) == (CONSTANT, "", "")


def test_a_header_is_plain_ustar_whenever_ustar_can_hold_the_entry() -> None:
    for path in ("a", "a" * 100, "d" * 155 + "/" + "n" * 100, "d" * 60 + "/" + "n" * 60):
        header = tar.header(Entry(path, "file", 0o644), tar._MAX_SIZE)
        assert len(header) == tar.BLOCK
        assert header[257:265] == b"ustar\x0000"


@pytest.mark.parametrize(
    ("entry", "size", "record"),
    [
        (Entry("a" * 101, "file", 0o644), 0, b"111 path=" + b"a" * 101 + b"\n"),
        (Entry("ü", "file", 0o644), 0, "11 path=ü\n".encode()),
        (Entry("big", "file", 0o644), 8 << 30, b"19 size=8589934592\n"),
        (Entry("u", "file", 0o644, uid=2097152), 0, b"15 uid=2097152\n"),
        (Entry("l", "symlink", 0o777, target="ü"), 0, "15 linkpath=ü\n".encode()),
    ],
)
def test_only_what_ustar_cannot_hold_goes_to_an_extended_header(
    entry: Entry, size: int, record: bytes
) -> None:
    header = tar.header(entry, size)
    assert header[156:157] == b"x"
    assert header[512 : 512 + len(record) + 1].rstrip(b"\0") == record
    assert len(header) == 3 * tar.BLOCK


def test_the_longest_path_component_and_a_path_of_4096_bytes_survive() -> None:
    path = "/".join(["x" * 255] * 16)
    assert _read_back(Entry(path, "dir", 0o755), 0).name == path

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from collections.abc import Callable

import pytest
import zstandard

from ociwheel.errors import BaseError, UsageError
from ociwheel.formats.ar import read_ar
from ociwheel.formats.guard import Guard
from ociwheel.formats.limits import Limits, from_environment
from ociwheel.formats.streams import open_stream
from ociwheel.wording import quoted
from tests.fuzz.hostile import ar

Pack = Callable[[bytes], bytes]
PACKERS: dict[str, Pack] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.ZstdCompressor().compress,
}
TEXT = bytes(range(256)) * 5000


def unpack(data: bytes, suffix: str | None = None, limits: Limits | None = None) -> bytes:
    stream = open_stream(
        io.BytesIO(data), len(data), Guard("x", BaseError, limits or Limits()), suffix=suffix
    )
    return stream.read(1 << 30)


@pytest.mark.parametrize("suffix", PACKERS)
def test_what_was_packed_is_unpacked(suffix: str) -> None:
    pack = PACKERS[suffix]
    for data in (pack(TEXT), pack(TEXT[:7]) + pack(TEXT[7:])):
        assert unpack(data) == unpack(data, suffix) == TEXT


def test_what_follows_a_stream() -> None:
    assert unpack(gzip.compress(b"x") + bytes(70_000)) == b"x"
    assert unpack(lzma.compress(b"x") + bytes(8)) == b"x"
    assert unpack(bz2.compress(b"x") + b"other") == b"x"
    with pytest.raises(BaseError, match="x: is damaged: Error -3"):
        unpack(gzip.compress(b"x") + b"other")


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz"])
def test_a_stream_that_is_cut_short(suffix: str) -> None:
    data = PACKERS[suffix](TEXT)
    for end in (8, len(data) // 2, len(data) - 1):
        with pytest.raises(BaseError, match="x: is damaged: it ends in the middle"):
            unpack(data[:end], suffix)


@pytest.mark.parametrize("suffix", PACKERS)
def test_a_bomb_ends_at_the_limit(suffix: str) -> None:
    limits = Limits(free_bytes=1 << 20, ratio=1, total_bytes=1 << 21)
    with pytest.raises(
        BaseError, match=r"more than \d+ bytes unpacked\n  -> .*OCIWHEEL_LIMITS=\"(ratio|total)"
    ):
        unpack(PACKERS[suffix](bytes(3 << 20)), limits=limits)


def test_a_dictionary_that_takes_too_much_memory() -> None:
    data = lzma.compress(b"x", filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 28}])
    with pytest.raises(BaseError, match="Memory usage limit exceeded"):
        unpack(data)
    assert unpack(lzma.compress(b"x", preset=9)) == b"x"


def test_limits_of_the_environment() -> None:
    assert from_environment({}) == Limits()
    assert from_environment({"OCIWHEEL_LIMITS": " ratio=7  entries=9 "}) == Limits(ratio=7, entries=9)
    for text in ("ratio", "ratio=-1", "ratio=x", "other=1", "ratio=" + "9" * 30):
        with pytest.raises(UsageError, match=r"OCIWHEEL_LIMITS: .* is no limit"):
            from_environment({"OCIWHEEL_LIMITS": text})


def test_members_of_an_ar_archive() -> None:
    guard = Guard("x.deb", BaseError)
    members = read_ar(io.BytesIO(ar([(b"one/", b"123"), (b"two", b""), (b"three", b"45")])), guard)
    assert [(m.name, m.open().read(10)) for m in members] == [("one", b"123"), ("two", b""), ("three", b"45")]
    whole = ar([(b"one", b"1234")])
    for at, new, message in (
        (0, b"?", "it is no ar archive"),
        (56, b"-9", "the header of a member is damaged, at byte 8"),
        (56, b"99", "the member 'one' ends behind the file"),
        (66, b"xx", "the header of a member is damaged, at byte 8"),
    ):
        with pytest.raises(BaseError) as e:
            read_ar(io.BytesIO(whole[:at] + new + whole[at + len(new) :]), guard)
        assert str(e.value) == f"x.deb: {message}"


def test_text_of_others_is_escaped_and_cut() -> None:
    assert quoted("a\x1b[2J\u202e\udcff") == r"'a\x1b[2J\u202e\udcff'"
    assert quoted("x" * 500) == "'" + "x" * 79 + "…'"

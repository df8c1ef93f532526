from __future__ import annotations

import io
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ociwheel.errors import LayerError
from ociwheel.formats.entries import Entry, arrange
from ociwheel.layer import split as split_module
from ociwheel.layer import tar
from ociwheel.layer.compress import compressor
from ociwheel.layer.split import MOST_PARTS, is_over, split
from ociwheel.layer.writer import write_layer

MIB = 1 << 20


class Sized:
    """Content of a size, that nobody reads."""

    def __init__(self, size: int) -> None:
        self.size = size

    def open(self) -> Any:
        raise AssertionError("the content is read")


def file(path: str, size: int, origin: str = "demo 1") -> Entry:
    return Entry(path, "file", 0o644, source=Sized(size), origin=origin)


def paths(parts: tuple[tuple[Entry, ...], ...]) -> list[list[str]]:
    return [[entry.path for entry in part] for part in parts]


def test_what_fits_stays_together() -> None:
    entries = [file("b", 300), file("a/x", 300, "other 2")]
    assert [len(part) for part in split(entries, MIB)] == [2]


def test_distributions_then_folders_then_files() -> None:
    entries = [
        file("big/lib/a.so", 500_000, "big 1"),
        file("big/lib/b.so", 400_000, "big 1"),
        file("big/data/one", 300_000, "big 1"),
        file("big/data/two", 300_000, "big 1"),
        file("small/x", 10_000, "small 1"),
        file("small/y", 10_000, "small 1"),
    ]
    assert paths(split(entries, MIB)) == [
        ["big/data/one", "big/data/two", "small/x", "small/y"],
        ["big/lib/a.so", "big/lib/b.so"],
    ]
    # With less room, what lies in one folder is apart too.
    entries[1] = file("big/lib/b.so", 900_000, "big 1")
    assert paths(split(entries, MIB)) == [
        ["big/data/one", "big/data/two", "small/x", "small/y"],
        ["big/lib/a.so"],
        ["big/lib/b.so"],
    ]


def test_a_file_that_no_layer_has_room_for_is_alone() -> None:
    parts = split([file("a", 10), file("huge", 3 * MIB), file("z", 10)], MIB)
    assert paths(parts) == [["a", "z"], ["huge"]]
    assert [is_over(part, MIB) for part in parts] == [False, True]


def test_a_path_of_many_folders_is_followed_without_a_recursion() -> None:
    deep = "/".join("d" * 1500)
    parts = split([file(f"{deep}/x", MIB), file(f"{deep}/y", MIB)], MIB)
    assert len(parts) == 2


def test_a_folder_says_its_mode_wherever_its_files_are() -> None:
    entries = [
        Entry("var/mail", "dir", 0o2775, gid=8, origin="base-files 1"),
        Entry("var/empty", "dir", 0o700, origin="base-files 1"),
        file("var/mail/a", 900_000, "mail 1"),
        file("var/mail/b", 900_000, "mail 1"),
        file("z", 900_000, "other 1"),
    ]
    parts = split(entries, MIB)
    assert paths(parts) == [["var/empty", "var/mail/a", "var/mail"], ["var/mail/b", "var/mail"], ["z"]]
    assert {entry.mode for part in parts for entry in part if entry.path == "var/mail"} == {0o2775}
    # A layer that is full is not over for the folders that are told with it.
    nearly = [file("var/mail/a", MIB - MIB // 1024 - 1024 - 512 - 2 * 512, "mail 1"), *entries[:1]]
    assert [is_over(part, MIB) for part in split(nearly, MIB)] == [False]


def test_hard_links_are_where_their_file_is() -> None:
    entries = [
        Entry("usr/bin/z", "hardlink", 0o755, target="usr/bin/a", origin="p 1"),
        file("usr/bin/a", 900_000, "p 1"),
        file("usr/bin/b", 900_000, "p 1"),
        Entry("opt/other", "hardlink", 0o755, target="usr/bin/b", origin="q 1"),
    ]
    assert paths(split(entries, MIB)) == [["usr/bin/a", "usr/bin/z"], ["usr/bin/b", "opt/other"]]


def test_too_many_layers_are_an_error() -> None:
    with pytest.raises(
        LayerError, match=rf"make {MOST_PARTS + 1} layers of at most {MIB} bytes, more than"
    ) as e:
        split([file(f"f{n}", MIB) for n in range(MOST_PARTS + 1)], MIB)
    assert "-> raise --max-size" in e.value.render()


NAMES = st.lists(st.sampled_from(["a", "b", "b-c", "d" * 90, "é"]), min_size=1, max_size=4).map("/".join)


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        NAMES.map(lambda path: f"{path}.x"), st.tuples(st.integers(0, 900_000), st.sampled_from("pq"))
    ),
    st.randoms(use_true_random=False),
)
def test_every_entry_once_whatever_their_order_and_never_more_than_the_bound(
    files: dict[str, tuple[int, str]], order: random.Random
) -> None:
    entries = [file(path, size, origin) for path, (size, origin) in files.items()]
    parts = split(entries, MIB)
    shuffled = list(entries)
    order.shuffle(shuffled)
    assert split(shuffled, MIB) == parts
    assert sorted(e.path for part in parts for e in part) == sorted(files)
    for part in parts:
        assert tar_size(part) <= MIB - MIB // split_module._GROWTH
    # A layer is not begun before the ones below are full.
    if len(parts) > 1:
        assert tar_size([*parts[0], *parts[1]]) > MIB - MIB // split_module._GROWTH


def tar_size(entries: Any) -> int:
    """Return the bytes of a layer's tar, as the writer lays it out."""
    return split_module._Unit([e for e in arrange(entries) if e.kind == "file"]).alone + len(tar.END)


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_a_blob_of_what_cannot_be_compressed_stays_below_the_bound(tmp_path: Path, compression: str) -> None:
    noise = random.Random(1).randbytes(6 * MIB)  # noqa: S311 (not for secrets)
    pieces = [noise[start : start + 200_000] for start in range(0, len(noise), 200_000)]
    entries = [
        Entry(f"p/{number:02}", "file", 0o644, source=piece, origin="p 1")
        for number, piece in enumerate(pieces)
    ]
    parts = split(entries, 2 * MIB)
    assert len(parts) == 4
    for number, part in enumerate(parts):
        out = tmp_path / str(number)
        layer = write_layer(part, out, title="t", contents=(), compression=compression)
        assert 2 * MIB * 0.8 < layer["descriptor"]["size"] <= 2 * MIB or number == 3


def test_one_mebibyte_of_noise_grows_by_less_than_its_allowance() -> None:
    for name in ("gzip", "zstd"):
        sink = io.BytesIO()
        packer, _ = compressor(name, sink.write)
        packer.write(random.Random(2).randbytes(MIB))  # noqa: S311 (not for secrets)
        packer.finish()
        assert MIB < sink.tell() < MIB + MIB // split_module._GROWTH

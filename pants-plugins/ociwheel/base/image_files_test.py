from __future__ import annotations

import contextlib
import gzip
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from ociwheel_testing.registry import Entry, Layer, digest_of, tar

from ociwheel.base.image_files import LockedLayer, open_image
from ociwheel.base.image_layer import open_layer
from ociwheel.digest import Digest
from ociwheel.errors import BaseError
from ociwheel.formats.entries import Entry as LayerEntry
from ociwheel.formats.layers import LayerStack
from ociwheel.formats.limits import VARIABLE

DIR, LINK, HARD = tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE


def write(folder: Path, *layers: Layer) -> list[LockedLayer]:
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True, exist_ok=True)
    for layer in layers:
        (blobs / digest_of(layer.blob).partition(":")[2]).write_bytes(layer.blob)
    return [LockedLayer(digest_of(layer.blob), layer.diff_id) for layer in layers]


def stack(folder: Path, *layers: list[Entry]) -> LayerStack:
    return open_image(write(folder, *(Layer(tar(entries)) for entries in layers)), folder).filesystem


def read_one(folder: Path, blob: bytes) -> list[LayerEntry]:
    (folder / "blob").write_bytes(blob)
    with open_layer(folder / "blob") as reader:
        rows = list(reader)
        reader.finish()
    return rows


def test_layers_lie_over_each_other(tmp_path: Path) -> None:
    files = stack(
        tmp_path,
        [Entry("a/x", b"1"), Entry("a/y", b"1"), Entry("b/x", b"1"), Entry("b/y", b"1"), Entry("c", b"1")],
        [
            Entry("a/.wh.x"),
            Entry("b/.wh..wh..opq"),
            Entry("b/z", b"2"),
            Entry("c", type=DIR),
            Entry("c/d", b"2"),
        ],
    )
    assert {p for p, row in files.entries.items() if row.kind == "file"} == {"a/y", "b/z", "c/d"}


def test_a_whiteout_does_not_hide_what_its_own_layer_adds(tmp_path: Path) -> None:
    files = stack(tmp_path, [Entry("a/x", b"1")], [Entry("a/x", b"22"), Entry("a/.wh.x")])
    assert files.entries["a/x"].size() == 2


def test_a_file_takes_the_place_of_a_folder(tmp_path: Path) -> None:
    files = stack(tmp_path, [Entry("a", type=DIR), Entry("a/x", b"1")], [Entry("a", b"1")])
    assert set(files.entries) == {"a"}


def test_links_are_followed_inside_the_image(tmp_path: Path) -> None:
    files = stack(
        tmp_path,
        [
            Entry("usr/lib/libc.so.6", b"c"),
            Entry("lib", type=LINK, link="usr/lib"),
            Entry("etc/up", type=LINK, link="../../../../usr/lib/libc.so.6"),
            Entry("etc/host", type=LINK, link="/../etc/passwd"),
            Entry("loop", type=LINK, link="loop"),
            Entry("loop/x", b"lost"),
            Entry("other", type=HARD, link="lib/libc.so.6"),
            Entry("lost", type=HARD, link="etc/passwd"),
        ],
        [Entry("lib/libm.so.6", b"m"), Entry("lib/.wh.libc.so.6")],
    )
    assert files.file("lib/libm.so.6") == files.entries["usr/lib/libm.so.6"]
    assert files.file("etc/up") is None
    assert files.file("etc/host") is None
    assert files.resolve("loop") is None
    assert "loop/x" not in files.entries
    assert "lost" not in files.entries
    assert files.entries["other"].size() == 1, "a hard link outlives the other name"


def test_devices_are_left_out(tmp_path: Path) -> None:
    assert set(stack(tmp_path, [Entry("dev/null", type=tarfile.CHRTYPE), Entry("x")]).entries) == {"x"}


def test_contents_are_written_under_names_of_our_own(tmp_path: Path) -> None:
    layers = write(tmp_path, Layer(tar([Entry("etc/passwd", b"root"), Entry("x", b"y")])))
    image = open_image(layers, tmp_path)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    found = image.extract([image.filesystem.entries["etc/passwd"]], scratch)
    assert [path.read_bytes() for path in found.values()] == [b"root"]
    assert [path.parent for path in found.values()] == [scratch]


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/../x", "a/.."])
def test_a_path_that_leaves_the_image_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(BaseError, match="leaves the image"):
        stack(tmp_path, [Entry(path)])


def test_an_absolute_path_is_one_of_the_image(tmp_path: Path) -> None:
    assert set(stack(tmp_path, [Entry("/etc/x"), Entry("./etc/y")]).entries) == {"etc/x", "etc/y"}


def test_a_hard_link_that_leaves_the_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BaseError, match="leaves the image"):
        stack(tmp_path, [Entry("x", type=HARD, link="../etc/shadow")])


def test_names_that_are_no_text_are_left_out(tmp_path: Path) -> None:
    assert set(stack(tmp_path, [Entry("caf\udce9"), Entry("ok")]).entries) == {"ok"}


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layer = Layer(tar([Entry("zeros", bytes(50 << 20))]))
    assert len(layer.blob) < 100_000
    with pytest.raises(BaseError, match="more than 1000000 bytes unpacked"):
        open_image(write(tmp_path, layer), tmp_path, most=1_000_000)
    monkeypatch.setenv(VARIABLE, "entries=3")
    with pytest.raises(BaseError, match="more than 3 entries"):
        stack(tmp_path, [Entry(str(n)) for n in range(4)])


def test_layers_together_are_bounded_too(tmp_path: Path) -> None:
    layers = write(tmp_path, Layer(tar([Entry("a", bytes(60_000))])), Layer(tar([Entry("b", bytes(60_000))])))
    with pytest.raises(BaseError, match="bytes unpacked"):
        open_image(layers, tmp_path, most=100_000)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_an_extended_header_that_fills_the_memory_is_refused(tmp_path: Path, kind: bytes) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = kind, 8 << 30
    with pytest.raises(BaseError, match="an extended header of 8589934592 bytes"):
        read_one(tmp_path, gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(10_240)))


def test_a_sparse_file_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("x")
    info.type = tarfile.GNUTYPE_SPARSE
    with pytest.raises(BaseError, match="a sparse file"):
        read_one(tmp_path, info.tobuf(tarfile.GNU_FORMAT) + bytes(10_240))


def test_a_plain_archive_is_read_too(tmp_path: Path) -> None:
    assert [row.path for row in read_one(tmp_path, tar([Entry("x")]))] == ["x"]


def test_zstd_without_a_decompressor_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(BaseError, match="compressed with zstd, and zstandard is not in the toolbox"):
        read_one(tmp_path, b"\x28\xb5\x2f\xfd" + bytes(100))


def test_zstd_is_read_whole_in_any_number_of_frames(tmp_path: Path) -> None:
    archive = tar([Entry("x", bytes(range(256)) * 40), Entry("y", b"end")])
    frames = [zstandard.ZstdCompressor().compress(part) for part in (archive[:700], archive[700:])]
    assert [row.path for row in read_one(tmp_path, b"".join(frames))] == ["x", "y"]


def test_damaged_zstd_is_refused(tmp_path: Path) -> None:
    packer = zstandard.ZstdCompressor(write_checksum=True)
    whole = packer.compress(tar([Entry("x", bytes(range(256)) * 40)]))
    for damaged in (whole[:10], whole[:-1] + bytes([whole[-1] ^ 1]), whole[:4] + b"\xff" + whole[5:]):
        with pytest.raises(BaseError, match="cannot be read"):
            read_one(tmp_path, damaged)


@pytest.mark.parametrize("cut", [3, 40, -9])
def test_a_truncated_layer_is_refused(tmp_path: Path, cut: int) -> None:
    blob = Layer(tar([Entry("x", bytes(range(256)) * 40)])).blob
    with pytest.raises(BaseError, match="cannot be read"):
        read_one(tmp_path, blob[:cut])


def test_a_layer_that_is_not_the_locked_one_is_refused(tmp_path: Path) -> None:
    (layer,) = write(tmp_path, Layer(tar([Entry("x")])))
    with pytest.raises(BaseError, match="its configuration says sha256:00"):
        open_image([LockedLayer(layer.digest, Digest.of_hex("0" * 64))], tmp_path)


def test_a_missing_layer_is_told(tmp_path: Path) -> None:
    with pytest.raises(BaseError, match="is not there"):
        open_image([LockedLayer(Digest.of_hex("0" * 64), Digest.of_hex("0" * 64))], tmp_path)


@given(st.binary(max_size=3000))
def test_any_bytes_are_a_layer_or_an_error(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(BaseError):
        read_one(Path(folder), data)


def test_content_can_be_read_from_the_layer_itself(tmp_path: Path) -> None:
    (layer,) = write(
        tmp_path, Layer(tar([Entry("x", b"1"), Entry("y", b"22"), Entry("z", type=HARD, link="y")]))
    )
    image = open_image([layer], tmp_path)
    with image.filesystem.entries["z"].open() as file:
        assert file.read() == b"22"

import gzip
import hashlib

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from ociwheel.errors import UsageError
from ociwheel.layer import compress

_DATA = (b"".join(b"%d %x\n" % (n, n * n) for n in range(400_000)) + bytes(3 << 20))[: 7 << 20]


def _pack(data: bytes, *, workers: int, cut: int) -> bytes:
    out: list[bytes] = []
    packer = compress.Gzip(out.append, workers=workers)
    for start in range(0, len(data), cut):
        packer.write(data[start : start + cut])
    packer.finish()
    return b"".join(out)


def test_bytes_depend_neither_on_threads_nor_on_how_writes_are_cut() -> None:
    packed = _pack(_DATA, workers=1, cut=len(_DATA))
    assert gzip.decompress(packed) == _DATA
    assert packed == _pack(_DATA, workers=4, cut=77_777)
    assert packed == _pack(_DATA, workers=2, cut=compress.BLOCK_BYTES)


@settings(deadline=None)
@given(st.binary(max_size=200_000))
def test_any_input_comes_back(data: bytes) -> None:
    assert gzip.decompress(_pack(data, workers=1, cut=65_536)) == data


def test_the_header_tells_no_time_no_name_and_no_operating_system() -> None:
    assert _pack(b"x", workers=1, cut=1)[:10].hex(" ") == "1f 8b 08 00 00 00 00 00 00 ff"


def test_the_pinned_compressor_is_the_one_that_made_these_bytes() -> None:
    # A new version of zlib-ng in tools.lock may change this, and then changes every layer's digest:
    # say so in the changelog.
    digest = hashlib.sha256(_pack(_DATA, workers=1, cut=len(_DATA))).hexdigest()
    assert digest == "103ada5d3c88ce26d6af29ad29f066d23ccd24bff28bb73d49e8203f2c1293ad"


def test_zstd_frames_depend_only_on_their_input() -> None:
    def pack(cut: int) -> bytes:
        out: list[bytes] = []
        packer, media_type = compress.compressor("zstd", out.append)
        assert media_type == "application/vnd.oci.image.layer.v1.tar+zstd"
        for start in range(0, len(_DATA), cut):
            packer.write(_DATA[start : start + cut])
        packer.finish()
        packer.close()
        return b"".join(out)

    packed = pack(99_999)
    assert packed == pack(len(_DATA))
    assert zstandard.ZstdDecompressor().decompressobj().decompress(packed) == _DATA
    # The one of ociwheel/zstd/tools.lock made these bytes; another version may change them, see above.
    assert (
        hashlib.sha256(packed).hexdigest()
        == "fb7e19693b4d095d1a9bb2af76563df89f045be9091e54e5f405fdffa4b8a19d"
    )


def test_an_unknown_compression_is_an_error() -> None:
    with pytest.raises(UsageError) as e:
        compress.compressor("xz", lambda _: None)
    assert str(e.value) == "unknown compression 'xz'\n  -> use gzip or zstd"

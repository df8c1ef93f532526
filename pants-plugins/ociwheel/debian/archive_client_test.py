from __future__ import annotations

import gzip
import lzma
import tracemalloc

import pytest

from ociwheel.debian.archive_client import decompressed
from ociwheel.errors import BaseError

TEXT = b"Package: a\n" * 1000


@pytest.mark.parametrize(("suffix", "pack"), [(".xz", lzma.compress), (".gz", gzip.compress), ("", bytes)])
def test_an_index_is_read_to_its_end(suffix: str, pack: type[bytes]) -> None:
    assert decompressed(pack(TEXT), suffix, len(TEXT), "Packages") == TEXT
    if suffix:
        # As both programs do, several files after one another are one.
        assert decompressed(pack(TEXT) + pack(b"b"), suffix, len(TEXT) + 1, "Packages") == TEXT + b"b"


@pytest.mark.parametrize(("suffix", "pack"), [(".xz", lzma.compress), (".gz", gzip.compress)])
def test_an_index_that_grows_is_refused(suffix: str, pack: type[bytes]) -> None:
    data = pack(bytes(32 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(BaseError, match=r"^Packages: has more than 1000000 bytes when decompressed$"):
            decompressed(data, suffix, 1_000_000, "Packages")
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("suffix", "pack"), [(".xz", lzma.compress), (".gz", gzip.compress)])
def test_an_index_that_is_damaged_is_refused(suffix: str, pack: type[bytes]) -> None:
    data = pack(TEXT)
    for broken in (data[:-10], data[:30], b"\0" + data, data + b"\1\2\3"):
        with pytest.raises(BaseError, match="Packages: cannot be decompressed: "):
            decompressed(broken, suffix, 1 << 20, "Packages")


def test_an_index_of_many_parts_is_refused() -> None:
    with pytest.raises(BaseError, match="Packages: has more than 100 compressed parts"):
        decompressed(gzip.compress(b"") * 50_000, ".gz", 1 << 20, "Packages")

from __future__ import annotations

import pytest
from pants.engine.fs import FileDigest, FileEntry, SymlinkEntry

from slim_python_image.goals.shared_blobs import shared_layout

DIGEST = FileDigest("a" * 64, 3)


@pytest.mark.parametrize(("output", "link"), [("image", "../blobs"), ("src.shop/image", "../../blobs")])
def test_a_blob_stands_once_and_the_layout_links_to_all(output: str, link: str) -> None:
    layout = [FileEntry("blobs/sha256/aa", DIGEST), FileEntry("index.json", DIGEST)]
    assert list(shared_layout(layout, output)) == [
        FileEntry("blobs/sha256/aa", DIGEST),
        FileEntry(f"{output}/index.json", DIGEST),
        SymlinkEntry(f"{output}/blobs", link),
    ]

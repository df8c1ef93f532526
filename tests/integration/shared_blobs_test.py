"""``[slim-image].shared_blobs``: each blob once in ``dist``, and layouts that link to it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.integration.monorepo import write_monorepo
from tests.integration.repository import Caches, make_repository, stopped

pytestmark = pytest.mark.slow
IMAGES = ("src.service/image", "src.child/image")


def test_layouts_share_their_blobs(tmp_path: Path, plugin: Path, caches: Caches) -> None:
    with stopped(write_monorepo(make_repository(tmp_path / "repository", caches, plugin=plugin))) as made:
        made.package("src/service:image", "src/child:image", daemon=True)
        whole = [made.layout(image) for image in IMAGES]
        digests = [(layout.index_digest, *layout.layers()) for layout in whole]

        made.env["PANTS_SLIM_IMAGE_SHARED_BLOBS"] = "true"
        # Twice: the second time over what the first one left.
        for _ in range(2):
            made.package("src/service:image", "src/child:image", daemon=True)
        assert [(layout.index_digest, *layout.layers()) for layout in whole] == digests
        named = {digest for layout in whole for digest in layout.layers()}
        for layout in whole:
            for path in (layout.folder / "blobs/sha256").iterdir():
                assert path.is_symlink()
                assert not path.readlink().is_absolute()
                named.add(f"sha256:{path.name}")
        shared = list((made.root / "dist/blobs/sha256").iterdir())
        assert {f"sha256:{path.name}" for path in shared} == named
        for path in shared:
            assert not path.is_symlink()
            assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name

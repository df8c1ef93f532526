"""``[slim-image].shared_blobs``: each blob once in ``dist``, and layouts that link to it."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from tests.integration.monorepo import write_monorepo
from tests.integration.repository import Caches, Layout, make_repository, stopped

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
            blobs = layout.folder / "blobs"
            assert blobs.is_symlink()
            assert blobs.readlink() == Path("../../blobs")
            assert blobs.resolve() == made.root / "dist/blobs"
            named |= {layout.index_digest, layout.index["manifests"][0]["digest"]}
            named.add(layout.manifest()["config"]["digest"])
        shared = list((made.root / "dist/blobs/sha256").iterdir())
        assert {f"sha256:{path.name}" for path in shared} == named
        for path in shared:
            assert not path.is_symlink()
            assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name

        # One image, moved: with its own blobs and no other's.
        for number, layout in enumerate(whole):
            moved = Layout(tmp_path / f"moved-{number}")
            command = ["skopeo", "copy", "--quiet", "--all", f"oci:{layout.folder}", f"oci:{moved.folder}"]
            subprocess.run(command, check=True)
            assert moved.index_digest == layout.index_digest
            own = {*layout.layers(), layout.index_digest, layout.manifest()["config"]["digest"]}
            own.add(layout.index["manifests"][0]["digest"])
            assert {f"sha256:{path.name}" for path in (moved.folder / "blobs/sha256").iterdir()} == own

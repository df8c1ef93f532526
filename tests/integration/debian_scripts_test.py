"""A sample of `bench/debian_fidelity`: packages whose scripts matter do their work in the layers of a base."""

from __future__ import annotations

import datetime as dt
from datetime import UTC
from pathlib import Path

import pytest

from bench.debian_sets.images import lock_set, make_image, works
from bench.debian_sets.sets import SETS, PackageSet
from ociwheel.debian.archive_client import ArchiveClient
from ociwheel.debian.opener import opener
from ociwheel.debian.release import default_keyrings
from ociwheel.transport.settings import load

pytestmark = pytest.mark.slow
SAMPLE = ("blas", "fonts", "gdk-pixbuf", "tini")


def test_a_sample_of_packages_does_its_work(tmp_path: Path) -> None:
    sets = [SETS[name] for name in SAMPLE]
    together = PackageSet(tuple(name for one in sets for name in one.packages), "", "")
    settings = load()
    client = ArchiveClient(
        opener(settings), settings.debian_mirrors, default_keyrings(), dt.datetime.now(UTC)
    )
    lock = lock_set(together, "bookworm", client, {}, tmp_path)
    made = make_image(lock, settings, tmp_path / "pool", tmp_path)
    assert made["notes"] == []
    root = tmp_path / "image"
    assert [works(one, root) for one in sets] == ["", "", "", ""]
    assert list((root / "var/cache/fontconfig").glob("*-le64.cache-*"))
    assert (root / "usr/share/mime/mime.cache").is_file()
    (root / "usr/lib/x86_64-linux-gnu/gdk-pixbuf-2.0/2.10.0/loaders.cache").unlink()
    assert works(SETS["gdk-pixbuf"], root).startswith("AssertionError")

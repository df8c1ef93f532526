"""Debian packages that an image adds to its base: locked with it, in layers of their own, seen by every look."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.repository import Caches, Layout, make_repository, stopped

pytestmark = pytest.mark.slow

BUILD = """
debian_python_base(
    name="small", suites=["bookworm"], packages=["base-files"], python="3.11", platforms=["linux/amd64"]
)
python_sources(name="lib")
slim_python_image(name="plain", base=":small", entry_point="app")
slim_python_image(name="image", base=":small", entry_point="app", extra_packages=["tini"])
slim_python_image(name="child", base=":image", entry_point="app", extra_packages=["libyaml-0-2"])
"""
RELOCK = ("generate-lockfiles", "--resolve=small")
CACHE, STATUS = "etc/ld.so.cache", "var/lib/dpkg/status.d"


def _visible(layout: Layout, path: str) -> bytes:
    """Return a file as a container sees it."""
    topmost = [layer for layer in layout.layers() if path in layout.listing(layer)][-1]
    return layout.read(topmost, path)


def test_an_image_adds_packages_to_its_base(tmp_path: Path, plugin: Path, caches: Caches) -> None:
    with stopped(make_repository(tmp_path / "repository", caches, plugin=plugin)) as repository:
        repository.write("3rdparty/python/default.lock", "")
        repository.write("src/app/BUILD", BUILD.replace("extra_packages", "tags"))
        repository.write("src/app/app.py", "print('started')\n")
        run = repository.pants(*RELOCK, daemon=True)
        assert run.exit_code == 0, run.stderr
        lock = (repository.root / "src/app/small.lock").read_text()
        assert "image_packages" not in lock
        repository.package("src/app:plain", daemon=True)
        plain = repository.layout("src.app/plain")
        before = plain.index_digest

        repository.write("src/app/BUILD", BUILD)
        assert repository.failure("src/app:image") == (
            "SlimImageError: src/app:image: the packages tini (the field `extra_packages`) are not in "
            "src/app/small.lock for linux/amd64\n  -> lock them: ./pants generate-lockfiles --resolve=small"
        )
        # What packages cannot be planned for is told before anything is built, with who names them.
        run = repository.pants("slim-coverage", "src/app:image", "src/app:plain", daemon=True)
        assert run.exit_code == 1, run.stderr
        assert (
            "the packages tini (the field `extra_packages`) are not in src/app/small.lock for linux/amd64\n"
            "      -> lock them: ./pants generate-lockfiles --resolve=small"
        ) in run.stdout
        run = repository.pants(*RELOCK, daemon=True)
        assert run.exit_code == 0, run.stderr
        # What was locked stays, line by line: a reviewer reads what the images add.
        assert not set(lock.splitlines()) - set(
            (repository.root / "src/app/small.lock").read_text().splitlines()
        )

        run = repository.pants("slim-coverage", "src/app::", daemon=True)
        assert (run.exit_code, "error" in run.stdout) == (0, False), run.stdout
        again = repository.package("src/app:plain", daemon=True)
        assert (again.started, plain.index_digest) == ([], before)
        made = repository.package("src/app:image", "src/app:child", daemon=True)
        # Nothing of the base is fetched again; other tests may have left these.
        assert {one for one in made.started if one.startswith("Fetch")} <= {
            "Fetch libyaml-0-2 0.2.5-1 (amd64)",
            "Fetch tini 0.19.0-1+b3 (amd64)",
        }
        image, child = repository.layout("src.app/image"), repository.layout("src.app/child")
        base = len(plain.layers()) - 1  # without first-party code
        assert image.layers()[:base] == plain.layers()[:base]
        assert child.layers()[: len(image.layers()) - 1] == image.layers()[:-1]

        tini = next(one for one in image.layers() if "usr/bin/tini" in image.listing(one))
        assert f"{STATUS}/tini" in image.listing(tini)
        yaml = next(one for one in child.layers() if f"{STATUS}/libyaml-0-2" in child.listing(one))
        assert child.layers().index(yaml) > child.layers().index(tini)
        assert b"libyaml-0.so.2\0" in _visible(child, CACHE)
        assert b"libyaml-0.so.2\0" not in _visible(image, CACHE)
        assert b"libc.so.6\0" in _visible(child, CACHE)
        # The rest of what lies below stays what it is.
        for path in ("etc/passwd", "etc/nsswitch.conf", "app/pyvenv.cfg"):
            assert _visible(child, path) == _visible(plain, path)

        run = repository.pants("slim-explain", "src/app:child", daemon=True)
        assert run.exit_code == 0, run.stderr
        assert run.stdout == "src/app:child: the same\n  linux/amd64: the same\n"

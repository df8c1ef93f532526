"""What lies in ``dist``, while it is written and after that went wrong: each layout is complete, or not there."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.monorepo import write_monorepo
from tests.integration.repository import Caches, Repository, make_repository, stopped

IMAGE = "src/service:image"
SOURCE = "src/service/service/__init__.py"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def repository(
    tmp_path_factory: pytest.TempPathFactory, plugin: Path, caches: Caches
) -> Iterator[Repository]:
    folder = tmp_path_factory.mktemp("dist") / "repository"
    with stopped(write_monorepo(make_repository(folder, caches, plugin=plugin))) as made:
        made.package(IMAGE, daemon=True)
        yield made


def check(layout: Path) -> int:
    """Read a layout as others do; return the number of its blobs, 0 where there is none."""
    found = 0

    def read(one: dict[str, Any]) -> bytes:
        nonlocal found
        data: bytes = (layout / "blobs" / one["digest"].replace(":", "/")).read_bytes()
        assert len(data) == one["size"], one
        found += 1
        return data

    try:
        (root,) = json.loads((layout / "index.json").read_bytes())["manifests"]
    except FileNotFoundError:
        return 0
    for one in json.loads(read(root))["manifests"]:
        manifest = json.loads(read(one))
        for blob in (manifest["config"], *manifest["layers"]):
            read(blob)
    return found


def state(folder: Path) -> dict[str, tuple[int, int]]:
    """Return inode and time of every file."""
    return {
        str(path.relative_to(folder)): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_polling_reader_never_sees_half_a_layout(repository: Repository) -> None:
    layout = repository.root / "dist/src.service/image"
    errors: list[str] = []
    seen: list[int] = []
    done = threading.Event()

    def poll_once() -> None:
        try:
            seen.append(check(layout))
        except (OSError, AssertionError, ValueError) as e:
            errors.append(repr(e))

    def poll() -> None:
        while not done.is_set():
            poll_once()

    reader = threading.Thread(target=poll)
    reader.start()
    try:
        for number in range(3):
            repository.write(SOURCE, f"POLLED = {number}\n")
            repository.package(IMAGE, daemon=True)
        shutil.rmtree(layout)
        repository.package(IMAGE, daemon=True)
    finally:
        done.set()
        reader.join()
    # Removing it by hand, as above, is what a reader may see.
    assert [one for one in errors if "FileNotFoundError" not in one] == []
    assert len({*seen}) <= 2
    assert max(seen) == check(layout) > 8


def test_only_what_changed_is_written(repository: Repository) -> None:
    dist = repository.root / "dist/src.service"
    before = state(dist)
    assert repository.package(IMAGE, daemon=True).started == []
    assert state(dist) == before
    repository.write(SOURCE, "EDITED = 'once'\n")
    run = repository.package(IMAGE, daemon=True)
    after = state(dist)
    new = {path for path in after if after[path][0] != before.get(path, (0, 0))[0]}
    assert len([path for path in new if "/blobs/" in path]) == 4, "layer, config, manifest, index"
    others = {path for path in new if "/blobs/" not in path and not path.startswith("image.attestations/")}
    assert others == {"image.json", "image/index.json"}
    assert {path for path in before if path not in after} == set(), "an old blob stays for its readers"
    assert "Wrote dist/src.service/image\n  index sha256:" in run.stderr
    assert [path.name for path in (repository.root / "dist").iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("before", ["absent", "complete"])
def test_a_killed_run_leaves_what_was_there(repository: Repository, before: str) -> None:
    dist = repository.root / "dist"
    layout = dist / "src.service/image"
    repository.package(IMAGE, daemon=True)
    whole = check(layout)
    repository.stop()
    if before == "absent":
        shutil.rmtree(dist)
    for _ in range(10):  # writing may be over before this process is given a look
        repository.write(SOURCE, f"KILLED = {time.time_ns()}\n")
        if killed_while_writing(repository, dist):
            break
        if before == "absent":
            shutil.rmtree(dist)
    else:
        pytest.fail("no run was caught while it wrote")
    assert check(layout) in {whole if before == "complete" else 0, whole}
    repository.package(IMAGE)
    assert check(layout) == whole
    assert list(dist.glob(".slim-image-*")) == []


def killed_while_writing(repository: Repository, dist: Path) -> bool:
    """Package, and kill the run as soon as it writes; return whether it still ran."""
    with repository.start("package", IMAGE) as process:
        while (running := process.poll() is None) and not list(dist.glob(".slim-image-*")):
            time.sleep(0.0002)
        if running:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    return running


def test_a_full_disk_leaves_what_was_there(repository: Repository) -> None:
    dist = repository.root / "dist"
    repository.package(IMAGE, daemon=True)
    size = sum(path.stat().st_size for path in (dist / "src.service").rglob("*") if path.is_file())
    shutil.rmtree(dist)
    dist.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size // 2}", "tmpfs", dist], check=True)
    try:
        failed = repository.pants("package", IMAGE)
        assert failed.exit_code == 1
        assert "No space left on device" in failed.stderr
        assert check(dist / "src.service/image") == 0
        subprocess.run(["mount", "-o", f"remount,size={size + (1 << 20)}", dist], check=True)
        repository.package(IMAGE)
        whole = check(dist / "src.service/image")
        assert whole > 8
        (dist / "filled").write_bytes(os.urandom(1 << 10))
        subprocess.run(["mount", "-o", f"remount,size={1 << 12}", dist], check=False)
        with (dist / "filled").open("wb") as file:
            fill(file.fileno())
        repository.write(SOURCE, f"FULL = {time.time_ns()}\n")
        assert repository.pants("package", IMAGE).exit_code == 1
        assert check(dist / "src.service/image") == whole
        (dist / "filled").unlink()
        repository.package(IMAGE)
        assert check(dist / "src.service/image") == whole
    finally:
        subprocess.run(["umount", dist], check=True)


def fill(file: int) -> None:
    """Write until there is no room."""
    with contextlib.suppress(OSError):
        while os.write(file, bytes(1 << 12)):
            pass


def test_files_of_others_are_not_deleted(repository: Repository) -> None:
    dist = repository.root / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    (dist / "src.service/image").mkdir(parents=True)
    mine = dist / "src.service/image/thesis.txt"
    mine.write_text("years of work")
    assert repository.failure(IMAGE) == (
        "SlimImageError: dist/src.service/image: has files that no image was written with: thesis.txt\n"
        "  -> move it away, or give the target another `output_path`: nothing of it was deleted"
    )
    assert mine.read_text() == "years of work"
    mine.unlink()
    repository.package(IMAGE, daemon=True)
    mine.write_text("years of work")
    run = repository.package(IMAGE, daemon=True)
    assert "  note: left alone, as no part of the layout: thesis.txt" in run.stderr
    assert mine.read_text() == "years of work"
    mine.unlink()


def test_an_image_that_an_archive_takes_in_is_whole_there(repository: Repository) -> None:
    repository.package(IMAGE, daemon=True)
    build = (repository.root / "src/service/BUILD").read_text()
    repository.write(
        "src/service/BUILD", build + 'archive(name="bundle", format="tar", packages=[":image"])\n'
    )
    try:
        repository.package("src/service:bundle", IMAGE, daemon=True)
        repository.package("src/service:bundle", IMAGE, daemon=True)
        whole = check(repository.root / "dist/src.service/image")
        with tarfile.open(repository.root / "dist/src.service/bundle.tar") as tar:
            tar.extractall(repository.root / "unpacked", filter="data")
        assert check(repository.root / "unpacked/src.service/image") == whole > 8
        assert (repository.root / "unpacked/src.service/image.json").is_file()
    finally:
        repository.write("src/service/BUILD", build)
    repository.package(IMAGE, daemon=True)
    assert check(repository.root / "dist/src.service/image") == whole


@pytest.mark.parametrize("path", ["../x", "."])
def test_an_output_path_that_leads_out_of_dist_ends_before_anything_is_cleared(
    repository: Repository, path: str
) -> None:
    repository.package(IMAGE, daemon=True)
    build = (repository.root / "src/service/BUILD").read_text()
    repository.write(
        "src/service/BUILD",
        build.replace('    name="image",\n', f'    name="image",\n    output_path="{path}",\n'),
    )
    before = state(repository.root / "dist")
    try:
        assert f"the field `output_path` is '{path}'" in repository.failure(IMAGE)
    finally:
        repository.write("src/service/BUILD", build)
    assert state(repository.root / "dist") == before

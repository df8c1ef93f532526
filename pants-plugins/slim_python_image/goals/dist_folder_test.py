from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections import Counter
from pathlib import Path
from typing import Any, Callable, Iterable

import pytest

from slim_python_image.goals import dist_folder
from slim_python_image.goals.dist_folder import (
    BESIDE,
    WHOLE,
    Look,
    Place,
    Wanted,
    check_replaced,
    clear_staging,
    foreign_files,
    forget,
    look,
    missing,
    move,
    process_name,
    staging_name,
)
from slim_python_image.products import SlimImageError

REPORT = f"{BESIDE}.json"
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def descriptor(data: bytes, media_type: str) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": f"sha256:{sha256(data)}", "size": len(data)}


def image(*layers: bytes) -> dict[str, bytes]:
    """Return the files of a layout, and its report."""
    config = json.dumps({"layers": len(layers)}).encode()
    blobs = [descriptor(layer, "application/vnd.oci.image.layer.v1.tar") for layer in layers]
    manifest = json.dumps({"config": descriptor(config, "c"), "layers": blobs}).encode()
    index = json.dumps({"manifests": [descriptor(manifest, MANIFEST)]}).encode()
    files = {f"blobs/sha256/{sha256(one)}": one for one in (*layers, config, manifest, index)}
    root = json.dumps({"manifests": [descriptor(index, INDEX)]}).encode()
    return {**files, "oci-layout": b"{}", "index.json": root, REPORT: b'{"of":' + root + b"}"}


def wanted(files: dict[str, bytes]) -> tuple[Wanted, ...]:
    return tuple(Wanted(path, sha256(data), len(data)) for path, data in files.items())


def package(place: Place, files: dict[str, bytes]) -> tuple[str, ...]:
    """Put a layout into its place as the goal does; return what was written."""
    found = look(place, wanted(files))
    clear_staging(place.dist)
    staged = place.dist / f"{staging_name()}test"
    for one in found.missing:
        (staged / one.path).parent.mkdir(parents=True, exist_ok=True)
        (staged / one.path).write_bytes(files[one.path])
    if found.missing:
        move(place, wanted(files), found.missing, staged)
        shutil.rmtree(staged)
    elif found.outdated:
        forget(place, wanted(files))
    return tuple(sorted(one.path for one in found.missing))


def check(layout: Path) -> int:
    """Read a layout as others do; return the number of its blobs."""
    (root,) = json.loads((layout / "index.json").read_bytes())["manifests"]
    found = 0

    def read(one: dict[str, Any]) -> bytes:
        nonlocal found
        data: bytes = (layout / "blobs" / one["digest"].replace(":", "/")).read_bytes()
        assert len(data) == one["size"]
        found += 1
        return data

    for one in json.loads(read(root))["manifests"]:
        manifest = json.loads(read(one))
        for blob in (manifest["config"], *manifest["layers"]):
            read(blob)
    return found


def names(files: Iterable[str]) -> set[str]:
    return {os.path.basename(path) for path in files if path.startswith("blobs/")}


def blobs(place: Place) -> set[str]:
    return {path.name for path in (place.layout / "blobs/sha256").iterdir()}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "dist", "src.app/image")


FIRST = image(b"base" * 1000, b"code 1")
SECOND = image(b"base" * 1000, b"code 2")


def test_only_what_changed_is_written(place: Place) -> None:
    assert package(place, FIRST) == tuple(sorted(FIRST))
    assert check(place.layout) == 5
    assert place.report.read_bytes() == FIRST[REPORT]
    inodes = {path.name: path.stat().st_ino for path in (place.layout / "blobs/sha256").iterdir()}
    assert package(place, FIRST) == ()
    base = sha256(b"base" * 1000)
    shared = {base, sha256(b'{"layers": 2}')}
    written = package(place, SECOND)
    assert set(written) == {path for path in SECOND if os.path.basename(path) not in shared} - {"oci-layout"}
    assert (place.layout / "blobs/sha256" / base).stat().st_ino == inodes[base]
    assert [path.name for path in place.dist.iterdir()] == ["src.app"]
    assert package(place, {**SECOND, f"{BESIDE}.attestations/a.json": b"{}"}) == (
        f"{BESIDE}.attestations/a.json",
    )
    assert (place.dist / "src.app/image.attestations/a.json").read_bytes() == b"{}"


def test_attestations_that_nobody_asks_for_any_more_go(place: Place) -> None:
    said = {
        f"{BESIDE}.attestations/{name}": b"{}" for name in ("a.spdx.json", "b.cdx.json", "provenance.json")
    }
    folder = place.dist / "src.app/image.attestations"
    package(place, {**FIRST, **said})
    package(place, {**FIRST, f"{BESIDE}.attestations/a.spdx.json": b"{}"})
    assert [path.name for path in folder.iterdir()] == ["a.spdx.json"]
    (folder / "notes.txt").touch()
    package(place, FIRST)
    assert [path.name for path in folder.iterdir()] == ["notes.txt"], "files of others stay"
    (folder / "notes.txt").unlink()
    package(place, FIRST)
    assert not folder.exists()
    shared = Place(place.dist, place.output, shared=True)
    package(shared, {**FIRST, **said})
    package(shared, FIRST)
    assert not folder.exists()


def test_what_the_index_before_led_to_stays_until_the_next_run(place: Place) -> None:
    package(place, FIRST)
    package(place, SECOND)
    assert blobs(place) == names(FIRST) | names(SECOND)
    # Back again, what is no longer known to be whole is written once more, and stays.
    assert names(package(place, FIRST)) == names(FIRST) - names(SECOND)
    assert blobs(place) == names(FIRST) | names(SECOND)
    package(place, FIRST)
    assert blobs(place) == names(FIRST)
    assert check(place.layout) == 5
    assert not look(place, wanted(FIRST)).outdated


@pytest.mark.parametrize("harm", ["cut", "touched", "lost", "linked", "longer"])
def test_a_blob_that_is_not_as_it_was_left_is_written_again(place: Place, harm: str) -> None:
    package(place, FIRST)
    data = b"code 1"
    path = place.layout / "blobs/sha256" / sha256(data)
    assert path.stat().st_mtime_ns == WHOLE
    if harm == "cut":
        path.write_bytes(data[:3])
        os.utime(path, ns=(WHOLE, WHOLE))
    elif harm == "touched":  # as long as it was
        path.write_bytes(b"CODE 1")
    elif harm == "longer":
        path.write_bytes(data * 2)
    else:
        path.unlink()
        if harm == "linked":
            path.symlink_to(place.report)
    assert package(place, FIRST) == (f"blobs/sha256/{sha256(data)}",)
    assert path.read_bytes() == data
    assert not path.is_symlink()


def test_documents_are_compared_by_their_content(place: Place) -> None:
    package(place, FIRST)
    text = (place.layout / "index.json").read_bytes()
    (place.layout / "index.json").write_bytes(text.replace(b"sha256", b"sha257"))
    place.report.unlink()
    assert package(place, FIRST) == (REPORT, "index.json")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count the calls that look at files."""
    found: Counter[str] = Counter()

    def counted(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counts(*arguments: Any, **more: Any) -> Any:
            found[name] += 1
            return call(*arguments, **more)

        return counts

    for name in ("stat", "lstat", "listdir", "scandir"):
        monkeypatch.setattr(os, name, counted(name, getattr(os, name)))
    monkeypatch.setattr(Path, "read_bytes", counted("read", Path.read_bytes))
    return found


def test_a_layout_that_has_not_changed_costs_one_look_at_each_file(
    place: Place, calls: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = wanted({**FIRST, f"{BESIDE}.attestations/a.spdx.json": b"{}"})
    package(place, {**FIRST, f"{BESIDE}.attestations/a.spdx.json": b"{}"})
    monkeypatch.setattr(dist_folder, "_SETTLED", 0)
    look(place, files)
    calls.clear()
    assert look(place, files) == Look((), (), outdated=False)
    assert calls["read"] == 0, "index.json, the report and the like were read by the look before"
    assert calls["listdir"] == 4, "the layout, its blobs, those by SHA-256, the attestations"
    assert calls["scandir"] == 0
    assert calls["lstat"] + calls["stat"] == len(files) + 3, "each file, and what kind three folders are"


def test_a_document_that_was_changed_just_now_is_read_each_time(place: Place, calls: Counter[str]) -> None:
    """As another change, of the same length, could have the same time."""
    package(place, FIRST)
    for number in range(3):
        text = place.report.read_bytes()
        place.report.write_bytes(text[:-1] + b"%d" % number)
        calls.clear()
        assert [one.path for one in look(place, wanted(FIRST)).missing] == [REPORT]
        assert calls["read"] == 3


def test_a_document_with_its_old_time_set_again_is_read(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(place, FIRST)
    monkeypatch.setattr(dist_folder, "_SETTLED", 0)
    before = place.report.stat()
    assert look(place, wanted(FIRST)).missing == ()
    time.sleep(0.02)  # longer than a tick, by which the kernel counts times
    place.report.write_bytes(b"x" * before.st_size)
    os.utime(place.report, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert [one.path for one in look(place, wanted(FIRST)).missing] == [REPORT]


def test_a_reader_sees_a_complete_layout_at_every_moment(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(place, FIRST)
    seen: list[int] = []

    def watched(change: Callable[..., None]) -> Callable[..., None]:
        def changes(*paths: object, **more: object) -> None:
            change(*paths, **more)
            seen.append(check(place.layout))

        return changes

    for name in ("replace", "unlink", "utime", "mkdir"):
        monkeypatch.setattr(os, name, watched(getattr(os, name)))
    for number in range(5):
        package(place, image(b"base" * 1000, b"code %d" % number))
    assert set(seen) == {5}
    assert len(seen) > 5 * 6


@pytest.mark.parametrize("moved", range(8))
def test_a_run_that_ends_between_two_moves_leaves_what_was_there_or_what_is_new(
    place: Place, monkeypatch: pytest.MonkeyPatch, moved: int
) -> None:
    package(place, FIRST)
    real, count = os.replace, 0

    def replace(source: Path, target: Path) -> None:
        nonlocal count
        if count == moved:
            raise OSError(28, "No space left on device", str(target))
        count += 1
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    if moved < len(missing(place, wanted(SECOND))):
        with pytest.raises(OSError, match="No space left"):
            package(place, SECOND)
    else:
        package(place, SECOND)
    assert check(place.layout) == 5
    monkeypatch.undo()
    package(place, SECOND)
    assert check(place.layout) == 5
    assert place.report.read_bytes() == SECOND[REPORT]


def test_blobs_may_be_shared_and_own_again(tmp_path: Path) -> None:
    own, shared = (Place(tmp_path, "src.app/image", shared=one) for one in (False, True))
    package(own, FIRST)
    assert len(package(shared, FIRST)) == 5 + 1  # its index.json went first
    assert (shared.layout / "blobs").readlink() == Path("../../blobs")
    assert check(shared.layout) == 5
    assert package(shared, FIRST) == ()
    package(shared, SECOND)
    package(shared, SECOND)
    assert blobs(shared) == names(FIRST) | names(SECOND), "other layouts may want them"
    package(own, SECOND)
    assert not (own.layout / "blobs").is_symlink()
    assert check(own.layout) == 5
    assert (tmp_path / "blobs").is_dir()


def test_two_runs_that_share_blobs_may_link_to_them_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, real = Place(tmp_path, "src.app/image", shared=True), Path.symlink_to

    def twice(link: Path, target: str) -> None:
        real(link, target)  # the other run
        real(link, target)

    monkeypatch.setattr(Path, "symlink_to", twice)
    package(place, FIRST)
    assert check(place.layout) == 5


# --- files of others ----------------------------------------------------------------------------------


def test_a_folder_of_something_else_is_not_touched(place: Place) -> None:
    place.layout.mkdir(parents=True)
    assert foreign_files(place) == ()
    for name in "abcdefg":
        (place.layout / name).touch()
    with pytest.raises(SlimImageError) as e:
        foreign_files(place)
    assert str(e.value) == (
        "dist/src.app/image: has files that no image was written with: a, b, c, d, e and 2 more\n"
        "  -> move it away, or give the target another `output_path`: nothing of it was deleted"
    )


def test_a_file_is_not_replaced_by_a_layout_nor_a_folder_by_a_report(place: Place) -> None:
    place.layout.parent.mkdir(parents=True)
    place.layout.touch()
    with pytest.raises(SlimImageError, match="is a file, where the image's layout"):
        foreign_files(place)
    place.layout.unlink()
    place.report.mkdir()
    with pytest.raises(SlimImageError, match=r"image\.json: is a folder, where the image's report"):
        foreign_files(place)


def test_files_of_others_in_a_layout_are_named_and_stay(place: Place) -> None:
    package(place, FIRST)
    for path in ("NOTES", "blobs/sha256/mine", "blobs/sha512"):
        (place.layout / path).touch()
    assert foreign_files(place) == ("NOTES", "blobs/sha256/mine", "blobs/sha512")
    package(place, SECOND)
    package(place, SECOND)
    assert foreign_files(place) == ("NOTES", "blobs/sha256/mine", "blobs/sha512")


def test_what_pants_clears_is_looked_at_first(tmp_path: Path) -> None:
    check_replaced(tmp_path, "image.tar")
    check_replaced(tmp_path, "wheels", ".whl")
    (tmp_path / "image.tar").mkdir()
    with pytest.raises(SlimImageError, match=r"image\.tar: is a folder, where a file is to be written"):
        check_replaced(tmp_path, "image.tar")
    (tmp_path / "wheels/linux-amd64").mkdir(parents=True)
    (tmp_path / "wheels/linux-amd64/a.whl").touch()
    check_replaced(tmp_path, "wheels", ".whl")
    (tmp_path / "wheels/linux-amd64/a.txt").touch()
    with pytest.raises(SlimImageError, match=r"wheels: has files that are no \.whl: linux-amd64/a\.txt\n"):
        check_replaced(tmp_path, "wheels", ".whl")
    (tmp_path / "file").touch()
    with pytest.raises(SlimImageError, match="file: is a file, where a folder is to be written"):
        check_replaced(tmp_path, "file", ".whl")


def test_what_ended_runs_left_goes(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    here = process_name().rpartition("-")[0]
    running = tmp_path / f".slim-image-{here}-{os.getppid()}-other"
    elsewhere = tmp_path / f".slim-image-0123456789ab-{child}-three"
    old = tmp_path / f".slim-image-0123456789ab-{os.getppid()}-four"
    ended = tmp_path / f".slim-image-{here}-{child}-one"
    own = tmp_path / f".slim-image-{process_name()}-two"
    for folder in (running, elsewhere, old, ended, own):
        folder.mkdir()
    os.utime(old, (0, 0))
    assert clear_staging(tmp_path) == {own.name}, "what wrote it may run in this process at this moment"
    assert {path.name for path in tmp_path.iterdir()} == {running.name, elsewhere.name, own.name}, (
        "a process of another container has the number of one that ended here"
    )

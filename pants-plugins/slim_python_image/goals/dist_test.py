from __future__ import annotations

import asyncio
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Awaitable, Callable, Iterable

import pytest
from pants.core.target_types import ArchiveTarget, GenericTarget
from pants.engine.addresses import Address
from pants.engine.fs import EMPTY_DIGEST, EMPTY_FILE_DIGEST, FileEntry
from pants.engine.internals.options_parsing import _Options
from pants.engine.target import Target

from slim_python_image import engine
from slim_python_image.goals import dist, package_image
from slim_python_image.goals.dist import (
    DistFolder,
    Goals,
    LayoutRequest,
    PlacedLayout,
    ReplacedRequest,
    Staged,
    TakenIn,
    is_image,
    named_by,
    same_place,
    takers,
)
from slim_python_image.goals.dist_folder import DOCUMENTS, Place, Wanted, staging_name
from slim_python_image.goals.package_image import ImageReport
from slim_python_image.products import SlimImageError
from slim_python_image.target_types import SlimPythonImageTarget

NAMES = frozenset({"image", "app"})


def address(name: str) -> Address:
    return Address("src", target_name=name)


IMAGE = SlimPythonImageTarget({"base": ":b", "entry_point": "a"}, address("image"))


def archive(*packages: str) -> Target:
    return ArchiveTarget({"format": "tar", "packages": packages}, address("archive"))


def generic(**fields: Any) -> Target:
    return GenericTarget(fields, address("generic"))


def test_what_may_be_an_image_is_what_ends_like_one() -> None:
    named = ["src/app:image", ":image", "src/app", "!:image", "//src/app:app@x=1", "image"]
    others = ["src/app:other", ":lib", "src/image/lib", "//src/app:image2"]
    assert list(named_by(generic(dependencies=[*named, *others]), NAMES)) == named
    assert list(named_by(archive(*named, *others), NAMES)) == named
    assert list(named_by(generic(), NAMES)) == []


def test_who_takes_packages_in_depends_on_the_goals() -> None:
    both = (archive(), generic())
    assert is_image(IMAGE)
    assert takers((IMAGE, *both), ["package"]) == both[:1]
    assert takers((IMAGE, *both), ["test", "package"]) == both


def test_two_images_of_one_place_are_an_error() -> None:
    def image(name: str, **fields: str) -> Target:
        return SlimPythonImageTarget({"base": ":b", "entry_point": "a", **fields}, address(name))

    alone = TakenIn(frozenset(), True, same_place((IMAGE, image("other", output_path="src/other"))))
    alone.check_alone("src/image")
    images = (IMAGE, image("other", output_path="src/image"), image("third", output_path="src//image"))
    with pytest.raises(SlimImageError) as e:
        TakenIn(frozenset(), True, same_place(images)).check_alone("src/image")
    assert str(e.value) == (
        "dist/src/image is the place of src:image and src:other and src:third\n"
        "  -> give each an `output_path` of its own"
    )


def test_dist_is_looked_at_after_all_else_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """As soon as one answer is another, Pants lets go of what it still checks of a rule, and that runs anew."""
    order: list[str] = []

    def fake(name: str) -> Callable[..., Awaitable[None]]:
        async def run(*_: object, **__: object) -> None:
            await asyncio.sleep(0)
            order.append(name)

        return run

    for name in ("report_image", "place_layout"):  # the report is one of the built image
        monkeypatch.setattr(package_image, name, fake(name))
    layout = LayoutRequest(IMAGE.address, "src/image", False, (), ())
    asyncio.run(package_image.look_at_layout.rule.func(layout, TakenIn(frozenset(), packaged=True), None))
    assert order == ["report_image", "place_layout"]


def placed(tmp_path: Path, output: str, left: Iterable[str] = ()) -> PlacedLayout:
    folder = DistFolder(tmp_path / "dist", "dist", ".slim-image-1-", frozenset(left))
    request = LayoutRequest(IMAGE.address, output, False, (), ())
    return asyncio.run(dist.place_layout(request, TakenIn(frozenset(), packaged=True), folder))


def test_dist_is_listed_once_for_all_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For each image, 300 images listed 600 names 300 times."""
    listed: list[str] = []
    real = os.listdir

    def listdir(path: Any) -> list[str]:
        listed.append(os.fspath(path))
        return real(path)

    monkeypatch.setattr(os, "listdir", listdir)
    folder = tmp_path / "dist"
    folder.mkdir()
    where: Any = (SimpleNamespace(relpath=Path("dist")), SimpleNamespace(path=str(tmp_path)))
    looked = asyncio.run(dist.look_at_dist.rule.func(Goals(("package",)), *where))
    assert looked == DistFolder(folder, "dist", staging_name())
    assert listed == [str(folder)]
    for number in range(3):
        assert placed(tmp_path, f"image_{number}").staged is not None
    assert listed.count(str(folder)) == 1
    assert asyncio.run(dist.look_at_dist.rule.func(Goals(("publish",)), *where)).path == folder
    assert listed.count(str(folder)) == 1


def test_where_all_is_there_nothing_is_asked_of_the_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    async def entries(digest: Any) -> list[FileEntry]:
        asked.append(digest)
        return [FileEntry("oci-layout", EMPTY_FILE_DIGEST)]

    async def create(entries: Iterable[FileEntry]) -> Any:
        return [one.path for one in entries]

    monkeypatch.setattr(engine, "entries", entries)
    monkeypatch.setattr(engine, "create_entries", create)
    files = asyncio.run(dist.wanted_files([EMPTY_DIGEST]))
    assert files == (Wanted("oci-layout", EMPTY_FILE_DIGEST.fingerprint, 0),)
    folder = DistFolder(tmp_path / "dist", "dist", ".slim-image-1-")
    request = LayoutRequest(IMAGE.address, "src/image", False, (EMPTY_DIGEST,), files)
    taken_in = TakenIn(frozenset(), packaged=True)
    found = asyncio.run(dist.place_layout(request, taken_in, folder))
    assert found.staged is not None
    assert found.digest == [f"{found.staged.folder.name}/oci-layout"]
    (tmp_path / "dist/src/image").mkdir(parents=True)
    (tmp_path / "dist/src/image/oci-layout").touch()
    asked.clear()
    assert asyncio.run(dist.place_layout(request, taken_in, folder)).digest == EMPTY_DIGEST
    assert asked == []


def test_what_a_run_of_this_process_left_goes(tmp_path: Path) -> None:
    staged = placed(tmp_path, "src/image").staged
    assert staged is not None
    other = staged.folder.with_name(".slim-image-1-other")
    for folder in (staged.folder, other):
        folder.mkdir(parents=True)
    placed(tmp_path, "src/image", left=[staged.folder.name, other.name])
    assert not staged.folder.exists()
    assert other.exists(), "another run of this process may write to it at this moment"


def test_who_takes_an_image_in_is_not_looked_for_again_when_other_options_change() -> None:
    """Options as a whole are others in each run: all targets were read again in each, for nothing."""
    rules = (dist.images_taken_in, dist.check_place, dist.look_at_dist, package_image.look_at_layout)
    assert not [one for one in rules if _Options in one.rule.input_selectors]
    runs = [SimpleNamespace(options=SimpleNamespace(goals=["package"])) for _ in range(2)]
    first, second = (asyncio.run(dist.goals_of_run.rule.func(one)) for one in runs)
    assert first == second == Goals(("package",))


def test_an_image_is_one_record_of_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def files(*_: object) -> tuple[Wanted, ...]:
        return ()

    found = placed(tmp_path, "src/image")

    async def look(*_: object, **__: object) -> PlacedLayout:
        return found

    monkeypatch.setattr(package_image, "wanted_files", files)
    monkeypatch.setattr(package_image, "look_at_layout", look)
    said = ImageReport(EMPTY_DIGEST, (".json", ".attestations"), ("  index sha256:1",))
    field_set: Any = SimpleNamespace(address=IMAGE.address)
    package = asyncio.run(
        package_image._package_layout(field_set, "src/image", EMPTY_DIGEST, said, shared=False)
    )
    (artifact,) = package.artifacts
    assert [str(line) for line in artifact.extra_log_lines] == [
        "Wrote dist/src/image",
        "  index sha256:1",
        "Wrote dist/src/image.json",
        "Wrote dist/src/image.attestations",
    ]


def test_the_line_of_the_log_moves_what_was_written(tmp_path: Path) -> None:
    file = Wanted("oci-layout", "", 2)
    staged = Staged(IMAGE.address, Place(tmp_path, "src/image"), "dist", tmp_path / "new", (file,), (file,))
    assert str(staged) == "Wrote dist/src/image", "nothing was written yet"
    staged.folder.mkdir()
    with pytest.raises(SlimImageError) as e:
        str(staged)
    assert str(e.value) == (
        f"src:image: {staged.folder}/oci-layout: No such file or directory: the layout cannot be moved into its "
        "place\n  -> every layout there is still whole; make room or mend the rights, and package again"
    )
    (staged.folder / "oci-layout").write_text("{}")
    assert str(staged) == "Wrote dist/src/image"
    assert (tmp_path / "src/image/oci-layout").read_text() == "{}"
    assert not staged.folder.exists()
    assert str(staged) == "Wrote dist/src/image", "publish asks again"
    assert staged.wrote(".json") == "Wrote dist/src/image.json"


@pytest.mark.parametrize("goal", ["package", "publish"])
@pytest.mark.parametrize("written_by", ["archive", "another target"])
def test_attestations_that_pants_does_not_replace_go_before_it_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, goal: str, written_by: str
) -> None:
    async def entries(_: object) -> list[FileEntry]:
        return [FileEntry(f"{DOCUMENTS}/linux-amd64.spdx.json", EMPTY_FILE_DIGEST)]

    monkeypatch.setattr(engine, "entries", entries)
    folder = tmp_path / "dist/src/image.attestations"
    folder.mkdir(parents=True)
    for name in ("linux-amd64.spdx.json", "linux-arm64.spdx.json", "provenance.json"):
        (folder / name).touch()
    where: Any = (SimpleNamespace(relpath="dist"), SimpleNamespace(path=str(tmp_path)))
    if written_by == "archive":
        request = ReplacedRequest(("src/image.tar",), image="src/image")
        asyncio.run(dist.check_place.rule.func(request, Goals((goal,)), *where))
    else:
        files = (Wanted(f"{DOCUMENTS}/linux-amd64.spdx.json", "", 0),)
        layout = LayoutRequest(IMAGE.address, "src/image", False, (), files)
        taken_in = TakenIn(frozenset({IMAGE.address}), packaged=goal == "package")
        looked = DistFolder(tmp_path / "dist", "dist", ".slim-image-1-")
        assert asyncio.run(dist.place_layout(layout, taken_in, looked)) == PlacedLayout()
    assert len(list(folder.iterdir())) == (1 if goal == "package" else 3)

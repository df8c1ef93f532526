from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Awaitable, Callable

import pytest
from pants.core.target_types import ArchiveTarget, GenericTarget
from pants.engine.addresses import Address
from pants.engine.fs import EMPTY_DIGEST, EMPTY_FILE_DIGEST, FileEntry
from pants.engine.target import Target

from slim_python_image import engine
from slim_python_image.goals import dist, package_image
from slim_python_image.goals.dist import (
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
from slim_python_image.goals.dist_folder import DOCUMENTS, Place, Wanted
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

    for name in ("build_image", "report_image", "place_layout"):
        monkeypatch.setattr(package_image, name, fake(name))
    layout = LayoutRequest(IMAGE.address, "src/image", EMPTY_DIGEST, EMPTY_DIGEST, shared=False)
    asyncio.run(
        package_image.look_at_layout.rule.func(layout, TakenIn(frozenset(), packaged=True), None, None)
    )
    assert order == ["build_image", "report_image", "place_layout"]


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
        options = SimpleNamespace(options=SimpleNamespace(goals=[goal]))
        request = ReplacedRequest(("src/image.tar",), image="src/image")
        asyncio.run(dist.check_place.rule.func(request, options, *where))
    else:
        layout = LayoutRequest(IMAGE.address, "src/image", EMPTY_DIGEST, EMPTY_DIGEST, shared=False)
        taken_in = TakenIn(frozenset({IMAGE.address}), packaged=goal == "package")
        assert asyncio.run(dist.place_layout(layout, taken_in, *where)) == PlacedLayout()
    assert len(list(folder.iterdir())) == (1 if goal == "package" else 3)

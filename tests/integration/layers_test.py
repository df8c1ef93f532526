"""Groups, bounded layers and budgets through ``./pants``: what is in the images, and what is said."""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ociwheel_testing.wheel_writer import write_wheel

from tests.integration.repository import BASE, Caches, Repository, make_repository, stopped
from tests.support.layers import MIB, noise

pytestmark = pytest.mark.slow

BUILD = "src/app/BUILD"
IMAGE = "src/app:image"
NAMES = ("alpha", "beta", "gamma")


def write_wheels(folder: Path) -> list[Path]:
    large = {
        "alpha/__init__.py": b"",
        "alpha/data/one": noise(600_000),
        "alpha/data/two": noise(500_000),
        "alpha/lib/three": noise(900_000),
    }
    return [
        write_wheel(folder, "alpha", files=large),
        write_wheel(folder, "beta", files={"beta/__init__.py": b"", "beta/data": noise(3000)}),
        write_wheel(folder, "gamma", files={"gamma.py": b""}),
    ]


@pytest.fixture(scope="module")
def repository(
    tmp_path_factory: pytest.TempPathFactory, plugin: Path, caches: Caches
) -> Iterator[Repository]:
    """Give a repository with an image of three distributions, packaged."""
    folder = tmp_path_factory.mktemp("layers")
    with stopped(make_repository(folder / "repository", caches, plugin=plugin)) as made:
        files = write_wheels(folder / "wheels")
        toml = (made.root / "pants.toml").read_text()
        made.write("pants.toml", f'{toml}\n[python-repos]\nfind_links = ["{(folder / "wheels").as_uri()}"]\n')
        made.write("3rdparty/python/BUILD", 'python_requirements(name="reqs")\n')
        made.write("3rdparty/python/requirements.txt", "".join(f"{name}\n" for name in NAMES))
        hashes = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
        lines = (f"{name}==1.0 --hash=sha256:{one}\n" for name, one in zip(NAMES, hashes, strict=True))
        made.write("3rdparty/python/default.lock", "".join(lines))
        made.write("src/app/app.py", "")
        build_file(made)
        made.package(IMAGE, daemon=True)
        yield made


def build_file(repository: Repository, **fields: object) -> None:
    listed = "".join(f", {name}={value!r}" for name, value in fields.items())
    wanted = ", ".join(f'"3rdparty/python:reqs#{name}"' for name in NAMES)
    repository.write(
        BUILD,
        'python_sources(name="lib")\n'
        f'slim_python_image(name="image", entry_point="app", base="{BASE}", platforms=["linux/amd64"], '
        f'dependencies=[":lib", {wanted}]{listed})\n',
    )


def parts_of(repository: Repository, kind: str) -> list[Any]:
    """Return the layers of one kind that the report tells of."""
    (platform,) = json.loads((repository.root / "dist/src.app/image.json").read_bytes())["platforms"]
    return [one for one in platform["layers"] if any(c["type"] == kind for c in one["contents"])]


def tree(repository: Repository) -> dict[str, tuple[int, float, str]]:
    """Return what the layers of the image unpack to."""
    layout = repository.layout("src.app/image")
    found = {}
    for digest in layout.layers():
        with tarfile.open(layout.blob(digest)) as archive:
            for member in archive:
                file = archive.extractfile(member) if member.isfile() else None
                content = hashlib.sha256(file.read()).hexdigest() if file else member.linkname
                found[member.name] = (member.mode, member.mtime, content)
    return found


def test_groups_and_bounded_layers_hold_the_same_files(repository: Repository, tmp_path: Path) -> None:
    plain, digests = tree(repository), [one["digest"] for one in parts_of(repository, "wheel")]
    assert [one["title"] for one in parts_of(repository, "wheel")] == ["alpha 1.0", "2 pure wheels"]
    earlier = tmp_path / "image.json"
    shutil.copy2(repository.root / "dist/src.app/image.json", earlier)

    build_file(repository, layer_groups={"both": ["alpha", "b*"]})
    repository.package(IMAGE, daemon=True)
    assert [one["title"] for one in parts_of(repository, "wheel")] == ["both (2 wheels)", "gamma 1.0"]
    assert [c["name"] for c in parts_of(repository, "wheel")[0]["contents"]] == ["alpha", "beta"]
    assert tree(repository) == plain

    build_file(repository, layer_groups={"both": ["alpha", "b*"]}, max_layer_size="1.2MiB")
    repository.package(IMAGE, daemon=True)
    made = parts_of(repository, "wheel")
    assert [one["title"] for one in made] == [
        "both (2 wheels), part 1 of 2",
        "both (2 wheels), part 2 of 2",
        "gamma 1.0",
    ]
    assert all(one["size"] <= 1.2 * MIB for one in made)
    assert [[(c["name"], c["unpacked_size"]) for c in one["contents"]] for one in made[:2]] == [
        [
            ("alpha", made[0]["contents"][0]["unpacked_size"]),
            ("beta", made[0]["contents"][1]["unpacked_size"]),
        ],
        [("alpha", 900_000)],
    ]
    assert tree(repository) == plain

    run = repository.pants("slim-explain", f"--against={earlier}", IMAGE, daemon=True)
    assert run.exit_code == 0, run.stderr
    assert "  field layer_groups added ({'both': 'alpha, b*'})\n" in run.stdout
    assert f"  field max_layer_size added ({int(1.2 * MIB)})\n" in run.stdout
    assert "layer `both (2 wheels), part 1 of 2`: added" in run.stdout

    # What needs no division is what it was.
    build_file(repository, max_layer_size=4 * MIB)
    repository.package(IMAGE, daemon=True)
    assert [one["digest"] for one in parts_of(repository, "wheel")] == digests


def test_base_and_own_code_are_divided_too(repository: Repository) -> None:
    build_file(repository)
    data = repository.root / "src/app/data"
    data.mkdir()
    for name, size in (("one.bin", 8 * MIB), ("two.bin", 9 * MIB)):
        (data / name).write_bytes(noise(size))
    repository.edit(BUILD, "dependencies=[", 'dependencies=[":data", ')
    text = (repository.root / BUILD).read_text()
    repository.write(BUILD, f'resources(name="data", sources=["data/*.bin"])\n{text}')
    repository.package(IMAGE, daemon=True)
    plain = tree(repository)
    whole = {kind: parts_of(repository, kind) for kind in ("deb", "source", "wheel")}

    repository.edit(BUILD, "entry_point=", 'max_layer_size="12MiB", entry_point=')
    run = repository.package(IMAGE, daemon=True)
    assert tree(repository) == plain
    for kind in ("deb", "source"):
        made = parts_of(repository, kind)
        assert len(made) > len(whole[kind])
        assert all(one["size"] <= 12 * MIB for one in made), [(one["title"], one["size"]) for one in made]
    assert [one["title"] for one in parts_of(repository, "source")] == [
        f"sources of {IMAGE}, part {number} of 2" for number in (1, 2)
    ]
    # What fits is the layer that it was.
    kept = {one["digest"] for one in parts_of(repository, "deb")} & {one["digest"] for one in whole["deb"]}
    assert kept
    assert [one["digest"] for one in parts_of(repository, "wheel")] == [
        one["digest"] for one in whole["wheel"]
    ]
    assert "more than `max_layer_size`" not in run.stderr

    (data / "three.bin").write_bytes(noise(13 * MIB))
    failed = repository.failure(IMAGE)
    place = "/app/lib/python3.11/site-packages/data/three.bin"
    assert f"{place}: it has 1363" in failed, failed
    assert failed.endswith(
        "  -> divide the file, leave it out of the image, or raise `max_layer_size` of the image or of [slim-image]"
    )
    shutil.rmtree(data)


def test_groups_that_do_not_fit_are_told_before_anything_is_built(repository: Repository) -> None:
    build_file(repository, layer_groups={"a": ["alpha", "beeta"], "b": ["*"]})
    assert repository.failure(IMAGE) == (
        f"SlimImageError: {IMAGE}: the field `layer_groups` does not fit the image\n"
        "  'beeta' of 'a' matches no distribution of the image\n"
        "  alpha is in 'a' (alpha) and 'b' (*)\n"
        "  -> name each distribution in one group, and leave out what the image does not have"
    )
    build_file(repository, layer_groups={"a b": ["alpha"]})
    assert repository.failure(IMAGE) == (
        f"InvalidTargetException: {BUILD}:2: {IMAGE}: the field `layer_groups` has the group 'a b'; expected a "
        "name of letters, digits, '.', '_' and '-', such as 'torch'."
    )


def test_a_budget_says_what_is_large_and_what_grew(repository: Repository) -> None:
    report = repository.root / "dist/src.app/image.json"
    build_file(repository, size_budget={"alpha": "1MiB"})
    before = report.read_bytes()
    over = (
        f"SlimImageError: {IMAGE}: it is larger than the field `size_budget` allows\n"
        "  linux/amd64: alpha has 1.9 MiB, 0.9 MiB more than its budget of 1.0 MiB\n"
    )
    remedy = "  -> leave out what is not needed (`exclude`, fewer requirements), or raise the budget"
    later = "; `./pants slim-sizes --record ::` writes down what later errors compare with"
    assert repository.failure(IMAGE) == f"{over}{remedy}{later}"
    assert report.read_bytes() == before

    run = repository.pants("slim-sizes", "--record", IMAGE, daemon=True)
    assert run.exit_code == 0, run.stderr
    assert "    budget alpha: 1.9 MiB of 1.0 MiB\n" in run.stdout
    assert "         1.9 MiB  alpha\n" in run.stdout
    file = repository.root / "image-sizes.json"
    recorded = json.loads(file.read_bytes())
    sizes = recorded["images"][IMAGE]["linux/amd64"]
    assert set(sizes) == {"the base", "first-party code", *NAMES}
    sizes["alpha"] -= 512 * 1024
    file.write_text(json.dumps(recorded))
    assert repository.failure(IMAGE) == f"{over}    grown since image-sizes.json: alpha +0.5 MiB\n{remedy}"
    build_file(repository, size_budget={"alpha": "2MiB", "*": "1GiB"})
    repository.package(IMAGE, daemon=True)

"""Makes repositories: N images over M locked wheels, and N trivial archives to compare with."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ociwheel_testing.big_wheel import sha256_of
from ociwheel_testing.wheel_writer import write_wheel

from tests.integration.repository import BASE, Caches, Repository, make_repository

WHEELS = 50
PER_IMAGE = 8
# Every tenth wheel is large enough for a layer of its own.
_LARGE_EVERY = 10
_LARGE_BYTES = 1 << 20
_SMALL_BYTES = 20_000


@dataclass(frozen=True)
class Shape:
    """How large a repository is.

    :param images: how many images.
    :param wheels: how many locked wheels.
    :param per_image: how many of them each image imports.
    """

    images: int
    wheels: int = WHEELS
    per_image: int = PER_IMAGE

    def uses(self, image: int) -> list[int]:
        """Return the wheels that an image imports: the same for the same numbers."""
        chosen = random.Random(image).sample(range(self.wheels), self.per_image)  # noqa: S311
        return sorted(chosen)

    def users(self, wheel: int) -> int:
        """Return how many images import a wheel."""
        return sum(wheel in self.uses(image) for image in range(self.images))


def wheel_name(number: int) -> str:
    """Return the name of a wheel and of its module."""
    return f"made_{number:03}"


def write_wheels(folder: Path, shape: Shape) -> dict[tuple[int, str], str]:
    """Write the wheels, number 0 in two versions; return their hashes."""
    hashes = {}
    for number in range(shape.wheels):
        name = wheel_name(number)
        size = _LARGE_BYTES + (1 << 19) if number % _LARGE_EVERY == 1 else _SMALL_BYTES
        for version in ("1.0", "1.1") if number == 0 else ("1.0",):
            noise = random.Random(f"{name} {version}").randbytes(size)  # noqa: S311
            files = {f"{name}/__init__.py": f"VERSION = {version!r}\n".encode(), f"{name}/data.bin": noise}
            files |= {f"{name}/part_{n}.py": f"PART = {n}\n".encode() for n in range(10)}
            hashes[number, version] = sha256_of(write_wheel(folder, name, version, files=files))
    return hashes


def lock_text(hashes: dict[tuple[int, str], str], shape: Shape, *, first: str = "1.0") -> str:
    """Return a lock of all wheels.

    :param first: the version of the first one.
    """
    lines = []
    for number in range(shape.wheels):
        version = first if number == 0 else "1.0"
        lines.append(f"{wheel_name(number)}=={version} --hash=sha256:{hashes[number, version]}\n")
    return "".join(lines)


def _service(shape: Shape, image: int) -> Iterator[tuple[str, str]]:
    name = f"service_{image:03}"
    folder = f"src/{name}"
    imports = "".join(f"import {wheel_name(number)}\n" for number in shape.uses(image))
    yield (
        f"{folder}/BUILD",
        f"""\
python_sources(name="lib", sources=["{name}/*.py"])
slim_python_image(
    name="image",
    dependencies=[":lib"],
    entry_point="{name}.app",
    base="{BASE}",
    platforms=["linux/amd64"],
)
""",
    )
    yield f"{folder}/{name}/__init__.py", ""
    yield f"{folder}/{name}/app.py", f"{imports}from common import GREETING\n\nprint(GREETING, {image})\n"
    yield f"{folder}/{name}/helpers.py", f"NUMBER = {image}\n"


def images_repository(folder: Path, caches: Caches, plugin: Path, shape: Shape) -> Repository:
    """Make a repository of images."""
    links = folder / "links"
    hashes = write_wheels(links, shape)
    repository = make_repository(folder / "repository", caches, plugin=plugin)
    toml = (repository.root / "pants.toml").read_text()
    repository.write("pants.toml", f'{toml}\n[python-repos]\nfind_links = ["{links.as_uri()}"]\n')
    repository.write("3rdparty/python/BUILD", 'python_requirements(name="reqs")\n')
    names = [f"{wheel_name(number)}\n" for number in range(shape.wheels)]
    repository.write("3rdparty/python/requirements.txt", "".join(names))
    repository.write("3rdparty/python/default.lock", lock_text(hashes, shape))
    repository.write("3rdparty/python/newer.lock", lock_text(hashes, shape, first="1.1"))
    repository.write("src/common/BUILD", 'python_sources(name="lib", sources=["common/*.py"])\n')
    repository.write("src/common/common/__init__.py", 'GREETING = "hello"\n')
    for image in range(shape.images):
        for path, text in _service(shape, image):
            repository.write(path, text)
    return repository


def archives_repository(folder: Path, caches: Caches, plugin: Path, count: int) -> Repository:
    """Make a repository of as many of Pants's own ``archive`` targets, one small file in each."""
    repository = make_repository(folder / "repository", caches, plugin=plugin)
    for number in range(count):
        name = f"archive_{number:03}"
        repository.write(f"src/{name}/text.txt", f"{number}\n")
        repository.write(
            f"src/{name}/BUILD",
            'file(name="text", source="text.txt")\narchive(name="archive", format="tar", files=[":text"])\n',
        )
    return repository

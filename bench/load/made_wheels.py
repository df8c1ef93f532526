"""Wheels of a large image, made: their sizes differ as real ones' do, and a mirror keeps them."""

from __future__ import annotations

import hashlib
import json
import random
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from ociwheel_testing.big_wheel import sha256_of
from ociwheel_testing.wheel_writer import write_wheel

from ociwheel.fetch.simple_api import IndexFile, normalize

MEGABYTE = 1_000_000
VERSION = "1.0"
MODULES = 25
"""Modules of each distribution: Python compiles them, and an image has each twice."""
# The n-th largest has a share of 1 / (n + this): a few are large, most are small, as in real images.
_FLATTEN = 5
_LINES_OF_MODULE = 60


@dataclass(frozen=True)
class Shape:
    """What is made.

    :param distributions: how many.
    :param megabytes: all wheels together, millions of bytes.
    """

    distributions: int
    megabytes: int

    def name(self, number: int) -> str:
        """Return the name of a distribution and of its package; other shapes have other names."""
        return f"made_{self.distributions}_{self.megabytes}_{number:04}"

    def names(self) -> list[str]:
        """Return all names, the largest first."""
        return [self.name(number) for number in range(self.distributions)]

    def sizes(self) -> list[int]:
        """Return the bytes of noise in each distribution, the largest first."""
        shares = [1 / (number + _FLATTEN) for number in range(self.distributions)]
        return [int(self.megabytes * MEGABYTE * share / sum(shares)) for share in shares]


def _files(name: str, size: int) -> Iterator[tuple[str, bytes]]:
    source = random.Random(name)  # noqa: S311  the same wheels on each machine
    yield f"{name}/__init__.py", f"VERSION = {VERSION!r}\n".encode()
    yield f"{name}/data.bin", source.randbytes(size)
    for module in range(MODULES):
        lines = (
            f'def function_{n}(value):\n    return value * {source.randrange(10**6)} + len("{name}")\n'
            for n in range(_LINES_OF_MODULE)
        )
        yield f"{name}/module_{module:02}.py", "".join(lines).encode()


def _metadata(wheel: Path, name: str) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(f"{name}-{VERSION}.dist-info/METADATA")


def fill(mirror: Path, shape: Shape) -> dict[str, str]:
    """Write wheels into a mirror's folder, those that are not there yet; return their hashes by name.

    Beside each lies its metadata, as large public indexes have it (PEP 658).

    :param mirror: as :class:`bench.side.mirror.Mirror` has it.
    """
    hashes = {}
    for name, size in zip(shape.names(), shape.sizes(), strict=True):
        page = mirror / "pages" / f"{normalize(name)}.json"
        if not page.exists() or not json.loads(page.read_text())[0]["has_metadata"]:
            folder = mirror / "files" / normalize(name)
            wheel = write_wheel(folder, name, VERSION, files=dict(_files(name, size)))
            metadata = _metadata(wheel, name)
            wheel.with_name(f"{wheel.name}.metadata").write_bytes(metadata)
            # Its address is never asked: the file lies where the mirror keeps what it has fetched.
            file = IndexFile(
                wheel.name,
                f"made:{wheel.name}",
                sha256_of(wheel),
                wheel.stat().st_size,
                has_metadata=True,
                metadata_sha256=hashlib.sha256(metadata).hexdigest(),
            )
            page.parent.mkdir(parents=True, exist_ok=True)
            page.with_suffix(".part").write_text(json.dumps([asdict(file)]))
            page.with_suffix(".part").rename(page)
        hashes[name] = json.loads(page.read_text())[0]["sha256"]
    return hashes


def lock_text(hashes: dict[str, str], names: list[str]) -> str:
    """Return a lock of some of them, for Pants and for uv."""
    return "".join(f"{name}=={VERSION} --hash=sha256:{hashes[name]}\n" for name in names)

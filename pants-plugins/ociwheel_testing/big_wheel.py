"""Writes wheels of any size without holding them in memory."""

from __future__ import annotations

import base64
import hashlib
import random
import zipfile
from collections.abc import Iterator
from pathlib import Path

from ociwheel_testing.elf_writer import Elf, elf_bytes

_BLOCK_BYTES = 1 << 20
# Of the wheel's bytes: one file of data, one library, one program among the scripts.
_SHARES = {"data": 0.4, "library": 0.3, "program": 0.3}


def _noise(seed: int, size: int) -> Iterator[bytes]:
    """Yield ``size`` bytes that no compressor makes smaller, the same for the same seed."""
    source = random.Random(seed)  # noqa: S311 (not for secrets)
    while size > 0:
        block = source.randbytes(min(_BLOCK_BYTES, size))
        yield block
        size -= len(block)


def write_big_wheel(
    folder: Path,
    size: int,
    *,
    name: str = "big",
    version: str = "1.0",
    compressed: bool = False,
    pieces: int = 1,
) -> Path:
    """Write one wheel for linux_x86_64 whose content is incompressible.

    :param size: bytes of its content: most in a file of data, the rest in a library and a program.
    :param compressed: deflate its members, which is slow and gains nothing, as real wheels are.
    :param pieces: how many files stand in the place of each large one, four in a folder, such as the shards
        of a model.
    """
    info = f"{name}-{version}.dist-info"
    method = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    elf = elf_bytes(Elf(soname=f"lib{name}.so"))
    members: dict[str, tuple[bytes, int]] = {
        f"{name}/__init__.py": (b"BIG = True\n", 0),
        **_cut(f"{name}/weights.bin", b"", int(size * _SHARES["data"]), pieces),
        **_cut(f"{name}/lib{name}.so", elf, int(size * _SHARES["library"]), pieces),
        **_cut(f"{name}-{version}.data/scripts/{name}-tool", elf, int(size * _SHARES["program"]), pieces),
        f"{info}/METADATA": (f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(), 0),
        f"{info}/WHEEL": (
            b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\nTag: cp311-cp311-linux_x86_64\n",
            0,
        ),
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-cp311-cp311-linux_x86_64.whl"
    record = []
    with zipfile.ZipFile(path, "w", method, compresslevel=1) as archive:
        for seed, (member, (start, rest)) in enumerate(members.items()):
            digest = hashlib.sha256(start)
            with archive.open(member, "w", force_zip64=True) as file:
                file.write(start)
                for block in _noise(seed, rest):
                    digest.update(block)
                    file.write(block)
            value = base64.urlsafe_b64encode(digest.digest()).decode().rstrip("=")
            record.append(f"{member},sha256={value},{len(start) + rest}\n")
        archive.writestr(f"{info}/RECORD", "".join(record) + f"{info}/RECORD,,\n")
    return path


def _cut(path: str, start: bytes, size: int, pieces: int) -> dict[str, tuple[bytes, int]]:
    """Return the files that stand for a large one: how each starts, and the bytes that follow."""
    if pieces == 1:
        return {path: (start, size)}
    folder, _, file = path.rpartition("/")
    # An installer takes scripts from no folder below theirs.
    inner = "" if folder.endswith("scripts") else "part{}/"
    return {
        f"{folder}/{inner.format(number // 4)}{number:02}-{file}": (start, size // pieces)
        for number in range(pieces)
    }


def sha256_of(path: Path) -> str:
    """Return the hash of a file of any size."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""Images of musl, made of Debian's musl and of what stands for a Python that is linked with it.

No Python of musl is to be had where tests run, so such images can be locked, built on and compiled for, not run.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path

from ociwheel_testing.elf_writer import Elf, elf_bytes
from ociwheel_testing.registry import Entry, tar

from ociwheel.platforms import platform
from tests.support.base_pair import FULL, Kitchen, Layer, Recipe, added_layer, write_layout

MUSL = Recipe("musl", ("base-files", "musl"))
_AMD64 = platform("linux/amd64")
_HEADERS = "usr/include/python3.11/"
# Debian keeps what differs between architectures apart, Alpine does not.
_OWN_HEADER = "usr/include/x86_64-linux-gnu/python3.11/pyconfig.h"
_VARIABLES = "usr/lib/python3.11/_sysconfigdata__x86_64-linux-gnu.py"


def musl_image(folder: Path) -> Path:
    """Make an image that services could run on, and return its layout."""
    top = added_layer(tar(_python()), folder / "python.tar.gz")
    return write_layout(folder / "musl", {_AMD64: [Kitchen().layer(MUSL, _AMD64), top]})


def musl_builder(folder: Path) -> Path:
    """Make an image with the headers of its Python, and return its layout."""
    kitchen = Kitchen()
    headers = [*_python(), *_development(kitchen.layer(FULL, _AMD64))]
    top = added_layer(tar(headers), folder / "headers.tar.gz")
    return write_layout(folder / "musl-builder", {_AMD64: [kitchen.layer(MUSL, _AMD64), top]})


def _python() -> list[Entry]:
    program = Elf(machine=62, needed=["libc.musl-x86_64.so.1"], interp="/lib/ld-musl-x86_64.so.1")
    return [
        Entry("usr/bin/python3.11", elf_bytes(program) + b"\0003.11.2\0", mode=0o755),
        Entry("usr/lib/python3.11/os.py"),
        # As Alpine has it.
        Entry("usr/lib/libc.musl-x86_64.so.1", type=tarfile.SYMTYPE, link="ld-musl-x86_64.so.1"),
    ]


def _development(debian: Layer) -> Iterator[Entry]:
    """Yield the headers and build variables of Debian's Python, as they are called where musl is."""
    with tarfile.open(debian.blob) as archive:
        for info in archive:
            path = info.name.removeprefix("./")
            stream = archive.extractfile(info) if info.isfile() else None
            if stream is None:
                continue
            if path == _OWN_HEADER:
                yield Entry(f"{_HEADERS}pyconfig.h", stream.read())
            elif path == _VARIABLES:
                text = stream.read().replace(b"-linux-gnu", b"-linux-musl")
                yield Entry(path.replace("-gnu", "-musl"), text)
            elif path.startswith(_HEADERS) and not path.endswith("/pyconfig.h"):
                yield Entry(path, stream.read())

"""A pair like ``python:3.11-alpine``: musl, and a Python that is linked with it; nothing of glibc.

musl is Debian's, its files where Alpine has them. The builder's image has headers besides, of Python and of musl,
and no compiler.
"""

from __future__ import annotations

import stat
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

from ociwheel_testing.registry import Entry, tar

from ociwheel.platforms import platform
from tests.support.base_pair import added_layer, write_layout
from tests.support.musl_python import musl_python

_AMD64 = platform("linux/amd64")
_LOADER = "lib/ld-musl-x86_64.so.1"
_DEVELOPMENT = ("usr/local/include/", "usr/local/lib/pkgconfig/")
_DEBIAN_HEADERS = Path("/usr/include/x86_64-linux-musl")


def musl_image(folder: Path) -> Path:
    """Make the image that services run on, and return its layout."""
    return _layout(folder / "musl", lambda path: not path.startswith(_DEVELOPMENT), [])


def musl_builder(folder: Path) -> Path:
    """Make the image with headers, and return its layout."""
    return _layout(folder / "musl-builder", lambda _: True, [*_headers()])


def _layout(folder: Path, wanted: Callable[[str], bool], more: list[Entry]) -> Path:
    folder.mkdir(parents=True)
    system = added_layer(tar([*_system()]), folder.with_suffix(".system.tar.gz"))
    python = added_layer(tar([*_python(wanted), *more]), folder.with_suffix(".python.tar.gz"))
    return write_layout(folder, {_AMD64: [system, python]})


def _system() -> Iterator[Entry]:
    # Where it was compiled, the loader is a link to the library.
    yield Entry(_LOADER, Path("/", _LOADER).read_bytes(), mode=0o755)
    yield Entry("lib/libc.musl-x86_64.so.1", type=tarfile.SYMTYPE, link=Path(_LOADER).name)
    yield Entry("etc/passwd", b"root:x:0:0:root:/root:/bin/ash\n")
    yield Entry("etc/group", b"root:x:0:root\n")
    yield Entry("etc/os-release", b'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.18.0\n')
    yield Entry("tmp", type=tarfile.DIRTYPE, mode=0o1777)


def _python(wanted: Callable[[str], bool]) -> Iterator[Entry]:
    with tarfile.open(musl_python()) as archive:
        for info in archive:
            if not wanted(info.name):
                continue
            stream = archive.extractfile(info) if info.isreg() else None
            if stream:
                yield Entry(info.name, stream.read(), mode=stat.S_IMODE(info.mode))
            elif info.issym():
                yield Entry(info.name, type=tarfile.SYMTYPE, link=info.linkname)


def _headers() -> Iterator[Entry]:
    for path in sorted(_DEBIAN_HEADERS.rglob("*")):
        if path.is_file():
            yield Entry(f"usr/include/{path.relative_to(_DEBIAN_HEADERS).as_posix()}", path.read_bytes())

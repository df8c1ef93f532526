"""The doors of archives: zip, tar, ar and compressed streams, and what is made of them."""

from __future__ import annotations

import gzip
import hashlib
import io
import random
import zipfile
from collections.abc import Sequence
from pathlib import Path

from ociwheel.base.deb_layer import layer_entries
from ociwheel.base.image_files import LockedLayer, open_image
from ociwheel.base.image_trees import place
from ociwheel.base.inspect_image import learn
from ociwheel.base.sysroot import write_sysroot
from ociwheel.build.repack import repack
from ociwheel.debian.deb import read_deb
from ociwheel.digest import Digest
from ociwheel.errors import BuildError
from ociwheel.fetch.metadata import read_metadata
from ociwheel.formats.ar import read_ar
from ociwheel.formats.guard import Guard
from ociwheel.formats.streams import open_stream
from ociwheel.formats.tar import TarReader
from ociwheel.formats.zip import open_zip
from ociwheel.platforms import platform
from ociwheel.sdist.static_metadata import from_pyproject, from_setup_cfg, from_setup_py
from ociwheel.sdist.unpack import build_system, native_sources, unpack
from tests.fuzz import hostile
from tests.fuzz.harness import Door

_GUARD = Guard("input", BuildError)
_BETWEEN = b"\n--- the next layer ---\n"


def _tar(data: bytes, folder: Path) -> None:
    tar = TarReader(open_stream(io.BytesIO(data), len(data), _GUARD), _GUARD)
    for _ in tar:
        for _ in tar.chunks():
            pass


def _stream(data: bytes, folder: Path) -> None:
    open_stream(io.BytesIO(data), len(data), _GUARD).drain()


def _ar(data: bytes, folder: Path) -> None:
    for member in read_ar(io.BytesIO(data), _GUARD):
        member.open().read(100)


def _zip(data: bytes, folder: Path) -> None:
    path = folder / "input.zip"
    path.write_bytes(data)
    with open_zip(path, _GUARD) as archive:
        for entry in archive.entries:
            for _ in archive.chunks(entry):
                pass


def _deb(data: bytes, folder: Path) -> None:
    path = folder / "input.deb"
    path.write_bytes(data)
    package = read_deb(path, folder / "contents")
    layer_entries((package,))
    write_sysroot([package], folder / "tree")


def _layers(data: bytes, folder: Path) -> None:
    blobs, layers = folder / "blobs/sha256", []
    blobs.mkdir(parents=True)
    for part in data.split(_BETWEEN):
        digest = hashlib.sha256(part).hexdigest()
        (blobs / digest).write_bytes(part)
        stream = open_stream(io.BytesIO(part), len(part), _GUARD).with_hash()
        stream.drain()
        layers.append(LockedLayer(Digest.of_hex(digest), Digest.of_hex(stream.hash.hexdigest())))
    image = open_image(layers, folder)
    (folder / "scratch").mkdir()
    place(image, lambda path: path, lambda path: path.startswith("usr"), folder / "scratch")
    learn(image, platform("linux/amd64"), None, "input")


def _sdist(data: bytes, folder: Path) -> None:
    path = folder / ("demo-1.0.zip" if data.startswith(b"PK") else "demo-1.0.tar.gz")
    path.write_bytes(data)
    source = unpack(path, folder / "src")
    build_system(source)
    native_sources(source)


def _metadata(data: bytes, folder: Path) -> None:
    is_zip = data.startswith(b"PK")
    for name in ("demo-1.0-py3-none-any.whl", "demo-1.0.zip") if is_zip else ("demo-1.0.tar.gz",):
        (folder / name).write_bytes(data)
        read_metadata(folder / name)


def _repack(data: bytes, folder: Path) -> None:
    (folder / "in.whl").write_bytes(data)
    repack(folder / "in.whl", folder / "out.whl")


def _text(data: bytes, folder: Path) -> None:
    text = data.decode("utf-8", "replace")
    from_setup_py(text)
    from_setup_cfg(text)
    from_pyproject(text)


def _tars() -> Sequence[bytes]:
    rng = random.Random(1)
    tar = hostile.header(rng, "demo-1.0/setup.py", b"0", 5) + hostile.padded(b"hello") + bytes(1024)
    link = hostile.header(rng, "demo-1.0/b", b"2", 0, "a") + hostile.header(rng, "demo-1.0/a", b"0", 0)
    return [pack(content) for pack in hostile.PACKERS for content in (tar, link + bytes(1024))]


def _zips() -> Sequence[bytes]:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("demo/x.py", b"x = 1\n" * 50)
        archive.writestr("demo-1.0.dist-info/METADATA", hostile.TEXTS[2])
        archive.writestr("demo-1.0.dist-info/WHEEL", b"Wheel-Version: 1.0\n")
        archive.writestr("demo-1.0.dist-info/RECORD", b"")
    bombs = [
        hostile.overlapping_zip(files, size) for files, size in ((20_000, 1), (1000, 1 << 20), (1, 16 << 20))
    ]
    return [stream.getvalue(), *bombs]


def _debs() -> Sequence[bytes]:
    return [hostile.deb(random.Random(seed)) for seed in range(20)]


def _ars() -> Sequence[bytes]:
    return [hostile.ar([(b"debian-binary", b"2.0\n"), (b"control.tar.xz", b"xyz"), (b"data.tar/", b"")])]


def _texts() -> Sequence[bytes]:
    return [*hostile.TEXTS, b"[project]\ndependencies = ['a']\n[project.optional-dependencies]\nx = ['b']\n",
            b"[options]\ninstall_requires =\n    a\n    b\n[options.extras_require]\nx = c\n",
            b"a = ['x']\nsetup(**dict(install_requires=a))\n", b"setup(extras_require={'x:y': ['z']})\n"]  # fmt: skip


def _make_text(rng: random.Random) -> bytes:
    parts = (b"(", b"[", b"{", b"-", b"a.", b"a=", b"\n", b" ", b"'", b'"""', b"setup(", b"install_requires=", b"1,",
             b"[options]\n", b"[project]\n", b"x:", b"a;", b"[[a]]\n", b"9", b"9_", b"\\", b"lambda:", b"f'{", b"#",
             b"\t", b"a = \n  b\n", b"[options.extras_require]\n", b"extras_require={", b"*", b"not ", b"\x0c")  # fmt: skip
    times = (1, 1, 1, 2, 3, 10, 100, 1000, 20_000)
    return b"".join(rng.choice(parts) * rng.choice(times) for _ in range(rng.randrange(1, 12)))[: 1 << 18]


def _make_layers(rng: random.Random) -> bytes:
    return _BETWEEN.join(hostile.archive(rng) for _ in range(rng.randrange(1, 4)))


def _make_sdist(rng: random.Random) -> bytes:
    return hostile.zip_archive(rng) if rng.random() < 0.3 else hostile.archive(rng)


def _sdists() -> Sequence[bytes]:
    return [*_tars(), *_zips()]


def _layer_seeds() -> Sequence[bytes]:
    return [*_tars(), _BETWEEN.join(_tars()[:3]), gzip.compress(hostile.tar(random.Random(3)))]


DOORS = (
    Door("ar", _ar, _ars),
    Door("deb", _deb, _debs, hostile.deb),
    Door("layers", _layers, _layer_seeds, _make_layers),
    Door("metadata", _metadata, _sdists, _make_sdist),
    Door("repack", _repack, _zips, hostile.zip_archive),
    Door("sdist", _sdist, _sdists, _make_sdist),
    Door("setup-texts", _text, _texts, _make_text),
    Door("stream", _stream, _tars, hostile.archive),
    Door("tar", _tar, _tars, hostile.archive),
    Door("zip", _zip, _zips, hostile.zip_archive),
)

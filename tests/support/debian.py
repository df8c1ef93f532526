"""A Debian archive made up for tests: packages, suites signed with a throwaway key, mirrors of files."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import shutil
import subprocess
import tarfile
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import zstandard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

COMPRESSORS: Mapping[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": lambda data: gzip.compress(data, mtime=0),
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": lambda data: zstandard.ZstdCompressor().compress(data),
}


@dataclass(frozen=True)
class Item:
    """One entry of a made-up data tarball."""

    path: str
    content: bytes = b""
    mode: int = 0o644
    type: bytes = tarfile.REGTYPE
    link: str = ""
    uid: int = 0
    gid: int = 0


def folder(path: str, mode: int = 0o755) -> Item:
    return Item(path, mode=mode, type=tarfile.DIRTYPE)


def symlink(path: str, target: str) -> Item:
    return Item(path, mode=0o777, type=tarfile.SYMTYPE, link=target)


def hardlink(path: str, target: str) -> Item:
    return Item(path, type=tarfile.LNKTYPE, link=target)


def tarball(items: Sequence[Item]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for item in items:
            info = tarfile.TarInfo(item.path)
            info.mode, info.type, info.linkname = item.mode, item.type, item.link
            info.uid, info.gid, info.mtime = item.uid, item.gid, 1_700_000_000
            info.size = len(item.content) if item.type == tarfile.REGTYPE else 0
            tar.addfile(info, io.BytesIO(item.content))
    return stream.getvalue()


def ar(members: Sequence[tuple[str, bytes]]) -> bytes:
    """Return an ar archive as deb(5) wants it."""
    result = b"!<arch>\n"
    for name, data in members:
        header = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n"
        result += header.encode() + data + b"\n" * (len(data) % 2)
    return result


def deb(
    name: str,
    items: Sequence[Item] = (),
    *,
    version: str = "1.0-1",
    architecture: str = "amd64",
    compression: str = ".xz",
) -> bytes:
    """Return a package; items below ``DEBIAN/`` go to its control tarball."""
    scripts = [replace(i, path=f"./{i.path[7:]}", mode=0o755) for i in items if i.path.startswith("DEBIAN/")]
    items = [i for i in items if not i.path.startswith("DEBIAN/")]
    control = f"Package: {name}\nVersion: {version}\nArchitecture: {architecture}\nDescription: made up\n"
    sums = "".join(
        f"{hashlib.md5(i.content, usedforsecurity=False).hexdigest()}  {i.path.removeprefix('./')}\n"
        for i in items
        if i.type == tarfile.REGTYPE
    )
    compress = COMPRESSORS[compression]
    meta = tarball([Item("./control", control.encode()), Item("./md5sums", sums.encode()), *scripts])
    return ar(
        [
            ("debian-binary", b"2.0\n"),
            (f"control.tar{compression}", compress(meta)),
            (f"data.tar{compression}", compress(tarball([folder("./"), *items]))),
        ]
    )


def write_debs(place: Path, packages: Mapping[str, Sequence[Item]], architecture: str = "amd64") -> Path:
    """Write one package per name into a folder and return the folder."""
    place.mkdir(parents=True, exist_ok=True)
    for name, items in packages.items():
        (place / f"{name}_1.0-1_{architecture}.deb").write_bytes(deb(name, items, architecture=architecture))
    return place


def paragraph(name: str, version: str = "1.0-1", *, architecture: str = "amd64", **fields: str) -> str:
    """Return a paragraph of a package index; ``Pre_Depends`` stands for ``Pre-Depends``."""
    lines = [f"Package: {name}", f"Version: {version}", f"Architecture: {architecture}"]
    lines += [f"{key.replace('_', '-')}: {value}" for key, value in fields.items()]
    lines += [f"Filename: pool/main/{name[0]}/{name}/{name}_{version}_{architecture}.deb", "Size: 1000"]
    lines += [f"SHA256: {hashlib.sha256(f'{name} {version} {architecture}'.encode()).hexdigest()}"]
    return "\n".join(lines) + "\n"


@dataclass
class SigningKey:
    """A key that exists for the length of a test run."""

    home: Path
    keyring: Path

    def sign(self, text: str) -> bytes:
        """Return ``text`` with a cleartext signature."""
        argv = ["gpg", "--homedir", str(self.home), "--batch", "--quiet", "--clearsign"]
        return subprocess.run(argv, input=text.encode(), capture_output=True, check=True).stdout


@contextmanager
def signing_key() -> Iterator[SigningKey]:
    """Make a key; gpg's agent ends with the context."""
    # The agent's socket is below this folder, and the path of a socket must be short.
    home = Path(tempfile.mkdtemp(prefix="ow-gpg-"))
    base = ["gpg", "--homedir", str(home), "--batch", "--quiet"]
    try:
        subprocess.run(
            [*base, "--passphrase", "", "--quick-generate-key", "Nobody <nobody@invalid>", "ed25519", "sign"],
            check=True,
            capture_output=True,
        )
        keyring = home / "archive.gpg"
        exported = subprocess.run([*base, "--export"], check=True, capture_output=True).stdout
        keyring.write_bytes(exported)
        yield SigningKey(home, keyring)
    finally:
        kill = ["gpgconf", "--homedir", str(home), "--kill", "all"]
        subprocess.run(kill, check=False, capture_output=True)
        shutil.rmtree(home, ignore_errors=True)


@dataclass
class Mirror:
    """A folder that is a mirror: ``file://`` URLs of it work as mirrors do."""

    root: Path
    key: SigningKey
    date: str = "Sat, 01 Jan 2022 00:00:00 UTC"
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.root.as_uri()

    def publish(self, suite: str, indexes: Mapping[str, Sequence[str]], component: str = "main") -> Path:
        """Write a signed suite whose package indexes are ``indexes``: paragraphs by architecture."""
        dist = self.root / "dists" / suite
        lines = []
        for architecture, paragraphs in indexes.items():
            path = f"{component}/binary-{architecture}/Packages.xz"
            data = lzma.compress("\n".join(paragraphs).encode())
            (dist / path).parent.mkdir(parents=True, exist_ok=True)
            (dist / path).write_bytes(data)
            lines.append(f" {hashlib.sha256(data).hexdigest()} {len(data)} {path}")
        fields = {"Suite": suite, "Codename": suite, "Date": self.date, **self.extra}
        fields["Architectures"] = " ".join(indexes)
        text = "".join(f"{key}: {value}\n" for key, value in fields.items()) + "SHA256:\n"
        release = dist / "InRelease"
        release.write_bytes(self.key.sign(text + "\n".join(lines) + "\n"))
        return release

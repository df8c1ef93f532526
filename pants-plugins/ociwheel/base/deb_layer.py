"""A layer from Debian packages: what they ship, and the few files their scripts would have made."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from ociwheel.base.merge import Placed, merge
from ociwheel.base.policy import DROPPED_PATHS, DROPPED_STDLIB_OF_IMAGES, STDLIB
from ociwheel.errors import BaseError
from ociwheel.layer.archive import Content, Entry
from ociwheel.layer.bytecode import NotCompilable, compile_source, pyc_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ociwheel.base.deb import Package

_DROPPED = re.compile(
    "|".join([*DROPPED_PATHS, rf"{STDLIB}(?:{'|'.join(DROPPED_STDLIB_OF_IMAGES)})(?:/.*)?"])
)
_CERTIFICATE = re.compile(r"usr/share/ca-certificates/(?:.+/)?[^/]+\.crt")
_CERTIFICATE_FOLDER = "usr/share/ca-certificates"
_BUNDLE = "etc/ssl/certs/ca-certificates.crt"
_STATUS = "var/lib/dpkg/status.d"


def is_dropped(path: str) -> bool:
    """Whether a path of a package is left out of every image."""
    return _DROPPED.fullmatch(path) is not None


def contents(packages: Iterable[Package]) -> list[Content]:
    """Return the packages as a layer document names them."""
    return [Content("deb", package.name, package.version) for package in packages]


def layer_entries(packages: tuple[Package, ...]) -> list[Entry]:
    """Return the entries of a layer with ``packages``, without bytecode.

    :raises BaseError: two packages ship the same path.
    """
    placed = merge(packages, is_dropped)
    return [
        *(_entry(path, item) for path, item in placed.items() if not _is_certificate_source(path)),
        *_certificates(placed),
        *_status(packages),
    ]


def _entry(path: str, item: Placed) -> Entry:
    member = item.member
    return Entry(
        path,
        member.kind,
        member.mode,
        member.uid,
        member.gid,
        source=member.source,
        target=member.target,
        origin=item.origin,
    )


def _is_certificate_source(path: str) -> bool:
    return path == _CERTIFICATE_FOLDER or path.startswith(_CERTIFICATE_FOLDER + "/")


def _certificates(placed: Mapping[str, Placed]) -> Iterator[Entry]:
    """Yield what ``update-ca-certificates`` makes: the bundle, and OpenSSL's names for it."""
    chosen = sorted(path for path in placed if _CERTIFICATE.fullmatch(path))
    if not chosen:
        return
    origin = placed[chosen[0]].origin
    bundle = b"".join(_pem(placed[path]) for path in chosen)
    yield Entry(_BUNDLE, "file", 0o644, source=bundle, origin=origin)
    # OpenSSL looks below its own folder (OPENSSLDIR); the links come with the openssl command otherwise.
    for name, target in (("cert.pem", f"/{_BUNDLE}"), ("certs", "/etc/ssl/certs")):
        if f"usr/lib/ssl/{name}" not in placed:
            yield Entry(f"usr/lib/ssl/{name}", "symlink", 0o777, target=target, origin=origin)


def _pem(item: Placed) -> bytes:
    if item.member.source is None:
        raise BaseError("a certificate is no file", where=f"{item.origin}, /{item.member.path}")
    return item.member.source.read_bytes().rstrip(b"\n") + b"\n"


def _status(packages: Iterable[Package]) -> Iterator[Entry]:
    """Yield what vulnerability scanners read, in the form distroless images have it."""
    for package in packages:
        origin = f"{package.name} {package.version}"
        control = package.control.rstrip("\n") + "\n"
        yield Entry(f"{_STATUS}/{package.name}", "file", 0o644, source=control.encode(), origin=origin)
        if package.md5sums:
            path = f"{_STATUS}/{package.name}.md5sums"
            yield Entry(path, "file", 0o644, source=package.md5sums.encode(), origin=origin)


def bytecode_entries(entries: Iterable[Entry], minor: str) -> Iterator[Entry]:
    """Yield compiled forms of the standard library's modules, for the running interpreter.

    What does not compile (a template, a test for a syntax error) has none, as with ``compileall``.
    """
    module = re.compile(rf"usr/lib/python{re.escape(minor)}/.+\.py")
    tag = f"cpython-{minor.replace('.', '')}"
    for entry in entries:
        if entry.kind != "file" or not module.fullmatch(entry.path):
            continue
        data = entry.source.read_bytes() if isinstance(entry.source, Path) else b""
        try:
            code = compile_source(data, entry.path)
        except NotCompilable:
            continue
        yield Entry(pyc_path(entry.path, tag), "file", 0o644, source=code, origin=entry.origin)

"""A layer from Debian packages: what they ship, and the few files their scripts would have made."""

from __future__ import annotations

import posixpath
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ociwheel.base.accounts import Accounts
from ociwheel.base.imitate import Alternative, plain_path
from ociwheel.base.merge import merge
from ociwheel.base.scripts import Unknown, effects_of
from ociwheel.base.venv import PROGRAM_FOLDER
from ociwheel.debian.policy import (
    CERTIFICATE_BUNDLE,
    DROPPED_PATHS,
    DROPPED_STDLIB_OF_IMAGES,
    PERL_MODULES,
    STDLIB,
)
from ociwheel.errors import BaseError
from ociwheel.formats.entries import Content, Entry
from ociwheel.layer.bytecode import NotCompilable, compile_source, header, pyc_path

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from ociwheel.debian.deb import Package
    from ociwheel.image.users import Rows

_DROPPED = re.compile(
    "|".join([*DROPPED_PATHS, rf"{STDLIB}(?:{'|'.join(DROPPED_STDLIB_OF_IMAGES)})(?:/.*)?"])
)
_CERTIFICATE = re.compile(r"usr/(?P<local>local/)?share/ca-certificates/(?:.+/)?[^/]+\.crt")
_CERTIFICATE_FOLDER = "usr/share/ca-certificates"
_BUNDLE_BYTES = 4 << 20
"""Most bytes of all certificates: those of Mozilla have a twentieth of that."""
_STATUS = "var/lib/dpkg/status.d"
_PERL = re.compile(rf"{PERL_MODULES}(?:/.*)?")
_PERL_SCRIPT = re.compile(rb"#! ?/usr/bin/(?:env )?perl\b")
_PROGRAM = re.compile(r"usr/s?bin/[^/]+")
_SHOWN = 3
_NONE = Alternative("", "", "", -(1 << 40))


def is_dropped(path: str) -> bool:
    """Whether a path of a package is left out of every image."""
    return _DROPPED.fullmatch(path) is not None


def _is_dropped_beside_perl(path: str) -> bool:
    return is_dropped(path) and _PERL.fullmatch(path) is None


def without_interpreter(entries: Iterable[Entry], accepted: Collection[str] = ()) -> Iterator[str]:
    """Yield a line for each package whose programs start with a perl that is left out.

    :param accepted: packages of which nothing is said.
    """
    there = {entry.path: entry for entry in entries}
    if "usr/bin/perl" in there:
        return
    found: dict[str, list[str]] = {}
    for path, entry in there.items():
        if _PROGRAM.fullmatch(path):
            place = plain_path(posixpath.join("/usr/bin", entry.target)) if entry.target else path
            file = there.get(place)
            if file is not None and file.kind == "file" and file.mode & 0o111:
                with file.open() as stream:
                    if _PERL_SCRIPT.match(stream.read(64)):
                        found.setdefault(entry.origin, []).append(posixpath.basename(path))
    for origin, names in sorted(found.items()):
        if origin.partition(" ")[0] in accepted:
            continue
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        yield (
            f"{origin}: its programs {', '.join(sorted(names)[:_SHOWN])}{more} start with /usr/bin/perl, "
            "which the base leaves out; if an image calls them, name the others of the default in "
            "excluded_packages"
        )


def content(package: Package) -> Content:
    """Return a package as a layer document names it."""
    return Content("deb", package.name, package.version)


def layer_entries(
    packages: tuple[Package, ...], accepted: Collection[str] = (), below: Rows | None = None
) -> tuple[list[Entry], tuple[Unknown, ...], dict[str, list[str]]]:
    """Return the entries of a layer with ``packages``, without bytecode.

    :param accepted: packages of which what their scripts do is not needed.
    :param below: the accounts that layers below have made.
    :returns: the entries, what scripts would do that is not known, and the accounts: those of ``below``, and
        those that scripts make.
    :raises BaseError: two packages ship the same path.
    """
    has_perl = any(package.name == "perl-base" for package in packages)
    placed = merge(packages, _is_dropped_beside_perl if has_perl else is_dropped)
    effects, unknown = effects_of(packages, placed, Accounts.on(below), accepted)
    made = {path: entry for path, entry in effects.made.items() if not is_dropped(path)}
    files = {**placed, **made}
    chosen = {**files, **{entry.path: entry for entry in _chosen(effects.alternatives, files)}}
    entries = [
        *(entry for path, entry in chosen.items() if not _is_certificate_source(path)),
        *_certificates(placed),
        *_status(packages),
    ]
    return entries, unknown, effects.accounts.rows()


def _chosen(alternatives: Sequence[Alternative], files: Mapping[str, Entry]) -> Iterator[Entry]:
    """Yield the links of what ``update-alternatives`` chooses: of each name the highest priority.

    As with that program, what a package ships in the place of a link stays; a slave whose file is not
    there has none.
    """
    best: dict[str, Alternative] = {}
    for one in alternatives:
        if plain_path(one.path) in files and one.priority > best.get(one.name, _NONE).priority:
            best[one.name] = one
    for name, one in sorted(best.items()):
        origin = files[plain_path(one.path)].origin
        for link, middle, path in ((one.link, name, one.path), *one.slaves):
            plain = plain_path(link)
            if plain_path(path) in files and plain not in files and not is_dropped(plain):
                yield Entry(f"etc/alternatives/{middle}", "symlink", 0o777, target=path, origin=origin)
                yield Entry(plain, "symlink", 0o777, target=f"/etc/alternatives/{middle}", origin=origin)


def _is_certificate_source(path: str) -> bool:
    return path == _CERTIFICATE_FOLDER or path.startswith(_CERTIFICATE_FOLDER + "/")


def _certificates(placed: Mapping[str, Entry]) -> Iterator[Entry]:
    """Yield what ``update-ca-certificates`` makes: the bundle, and OpenSSL's names for it.

    As with that program, those of a company's package below /usr/local come last.
    """
    found = [one for one in map(_CERTIFICATE.fullmatch, placed) if one]
    if not found:
        return
    chosen = [one[0] for one in sorted(found, key=lambda one: (one["local"] is not None, one[0]))]
    origin = placed[chosen[0]].origin
    bundle = bytearray()
    for path in chosen:
        bundle += _pem(placed[path])
        if len(bundle) > _BUNDLE_BYTES:
            raise BaseError(f"the certificates have more than {_BUNDLE_BYTES} bytes together", where=origin)
    yield Entry(CERTIFICATE_BUNDLE, "file", 0o644, source=bytes(bundle), origin=origin)
    # OpenSSL looks below its own folder (OPENSSLDIR); the links come with the openssl command otherwise.
    for name, target in (("cert.pem", f"/{CERTIFICATE_BUNDLE}"), ("certs", "/etc/ssl/certs")):
        if f"usr/lib/ssl/{name}" not in placed:
            yield Entry(f"usr/lib/ssl/{name}", "symlink", 0o777, target=target, origin=origin)


def _pem(entry: Entry) -> bytes:
    if entry.kind != "file":
        raise BaseError("the certificate is no regular file", where=f"{entry.origin}, /{entry.path}")
    if entry.size() > _BUNDLE_BYTES // 4:
        raise BaseError(
            f"the certificate has {entry.size()} bytes; at most {_BUNDLE_BYTES // 4} make sense",
            where=f"{entry.origin}, /{entry.path}",
        )
    with entry.open() as file:
        return file.read().rstrip(b"\n") + b"\n"


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
    Modules that are those of an interpreter of ours, which runs this, were compiled when it was unpacked.
    """
    module = re.compile(rf"usr/lib/python{re.escape(minor)}/.+\.py")
    tag = f"cpython-{minor.replace('.', '')}"
    root = Path(sys.prefix).parent
    compiled = root if (root / PROGRAM_FOLDER / f"python{minor}").is_file() else None
    for entry in entries:
        if entry.kind != "file" or not module.fullmatch(entry.path):
            continue
        with entry.open() as file:
            data = file.read()
        place = pyc_path(entry.path, tag)
        code = _compiled(compiled, entry.path, data, place) if compiled else None
        if code is None:
            try:
                code = compile_source(data, entry.path)
            except NotCompilable:
                continue
        yield Entry(place, "file", 0o644, source=code, origin=entry.origin)


def _compiled(root: Path, path: str, data: bytes, place: str) -> bytes | None:
    """Return the bytecode of a module of an interpreter that the step `interpreter` unpacked.

    It is what :func:`compile_source` makes of the same source at the same path.

    :param root: of the interpreter.
    :param data: the source that is wanted.
    :param place: of the bytecode.
    """
    try:
        if (root / path).read_bytes() != data:
            return None
        code = (root / place).read_bytes()
    except OSError:
        return None
    return code if code.startswith(header(data)) else None

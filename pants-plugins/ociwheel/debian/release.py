"""The signed face of a suite: ``InRelease``, its signature, and the hashes it vouches for."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from debian.deb822 import Release as ReleaseFields

from ociwheel import process
from ociwheel.digest import is_sha256
from ociwheel.errors import BaseError, ToolError
from ociwheel.remedies import Remedy
from ociwheel.wording import QUOTED, cut, quoted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SIZE = re.compile(r"[0-9]{1,15}")
_LONGEST_DATE = 100
_CLEARSIGNED = b"-----BEGIN PGP SIGNED MESSAGE-----"
KEYS = Path(__file__).parent / "keys"
_TOOL_FOLDERS = ("/usr/bin", "/bin", "/usr/local/bin", "/opt/homebrew/bin", "/opt/local/bin")
_INSTALL_HINT = "install gpgv: apt-get install gpgv (Debian, Ubuntu), brew install gnupg (macOS)"


@dataclass(frozen=True)
class IndexedFile:
    """One file that a release vouches for."""

    path: str
    size: int
    sha256: str

    def check(self, data: bytes, where: str) -> None:
        """Compare ``data`` with the release's size and hash.

        :raises BaseError: they differ.
        """
        found = hashlib.sha256(data).hexdigest()
        if len(data) != self.size or found != self.sha256:
            raise BaseError(
                "the package index differs from what the signed InRelease says",
                where=where,
                details=[
                    f"signed: {self.size} bytes, sha256 {self.sha256}",
                    f"found:  {len(data)} bytes, sha256 {found}",
                ],
                hint=Remedy("mirror-out-of-step"),
            )


@dataclass(frozen=True)
class Release:
    """A verified release file."""

    suite: str
    codename: str
    architectures: tuple[str, ...]
    files: tuple[IndexedFile, ...]

    @cached_property
    def _by_path(self) -> Mapping[str, IndexedFile]:
        return {file.path: file for file in reversed(self.files)}

    def file(self, path: str) -> IndexedFile | None:
        """Return the entry of a path relative to the suite's folder."""
        return self._by_path.get(path)


def default_keyrings() -> tuple[Path, ...]:
    """Return the keyrings that come with the product: the Debian archive's own keys."""
    return tuple(sorted(KEYS.glob("*.gpg")))


def verified_text(signed: bytes, keyrings: Sequence[Path], where: str) -> str:
    """Return what an OpenPGP signature in ``signed`` covers, never the raw input.

    Like apt, accepts a release with several signatures of which some keys are unknown: one good
    signature is needed, and a bad one is refused.

    :raises BaseError: no signature by a key of ``keyrings``, or a bad one.
    :raises ToolError: gpgv is not there.
    """
    start = signed.find(_CLEARSIGNED)
    if start < 0:
        # Anything else that gpgv reads may be compressed, and so of any size.
        raise _unsigned(where, ["it holds no signed text"])
    gpgv = _find_gpgv()
    with tempfile.TemporaryDirectory(prefix="ociwheel-gpgv-") as folder:
        message, output = Path(folder, "InRelease"), Path(folder, "verified")
        message.write_bytes(signed[start:])
        rings = [a for k in keyrings for a in ("--keyring", str(k.resolve()))]
        argv = [gpgv, "--homedir", folder, "--status-fd", "1", *rings]
        argv += ["--output", str(output), str(message)]
        done = process.run(argv, env={"LC_ALL": "C"}, install_hint=_INSTALL_HINT)
        words = [line.split()[1:2] for line in done.stdout.splitlines() if line.startswith("[GNUPG:] ")]
        status = {word[0] for word in words if word}
        refused = status & {"BADSIG", "NODATA", "UNEXPECTED", "BADARMOR"}
        if "GOODSIG" not in status or "VALIDSIG" not in status or refused or not output.is_file():
            raise _unsigned(where, done.stderr.strip().splitlines()[-12:])
        return output.read_text(errors="replace")


def _unsigned(where: str, details: Sequence[str]) -> BaseError:
    return BaseError(
        "no good signature by a known key",
        where=where,
        details=details,
        hint="the file was changed, or the suite needs a keyring of its own: --keyring FILE",
    )


def _find_gpgv() -> str:
    folders = [*os.environ.get("PATH", "").split(os.pathsep), *_TOOL_FOLDERS]
    found = shutil.which("gpgv", path=os.pathsep.join(f for f in folders if f))
    if not found:
        raise ToolError(
            "gpgv, which checks the signature of a Debian archive, is not there", hint=_INSTALL_HINT
        )
    return found


def parse_release(text: str, suite: str, now: datetime, where: str) -> Release:
    """Read a verified release.

    :param suite: the suite that was asked for; the release must be of it, lest a mirror answers
        with another one's.
    :param now: the time, for ``Valid-Until``.
    :raises BaseError: it is of another suite, expired, or names no SHA256 hashes.
    """
    fields = ReleaseFields(text)
    names = {str(fields.get("Suite", "")), str(fields.get("Codename", ""))}
    if suite not in names:
        found = " and ".join(sorted(n for n in names if n)) or "no suite"
        raise BaseError(f"the mirror answers with the release of {cut(found, QUOTED)}", where=where)
    until = fields.get("Valid-Until")
    if until and _date(str(until), where) < now:
        raise BaseError(
            f"the release was valid until {until}",
            where=where,
            hint=Remedy("mirror-out-of-date"),
        )
    files = tuple(_indexed(item, number, where) for number, item in enumerate(_hashes(fields)))
    if not files:
        raise BaseError("the release has no SHA256 hashes", where=where)
    architectures = tuple(str(fields.get("Architectures", "")).split())
    return Release(suite, str(fields.get("Codename", "")), architectures, files)


def _hashes(fields: ReleaseFields) -> Sequence[Mapping[str, object]]:
    found = fields.get("SHA256", [])
    return found if isinstance(found, list) else []


def _indexed(item: Mapping[str, object], number: int, where: str) -> IndexedFile:
    name, size, sha256 = (str(item.get(key) or "") for key in ("name", "size", "sha256"))
    if not name or not _SIZE.fullmatch(size) or not is_sha256(sha256.lower()):
        shown = quoted(f"{sha256} {size} {name}")
        raise BaseError(
            f"expected a hash, a size and a path, found {shown}", where=f"{where}: SHA256[{number}]"
        )
    return IndexedFile(name, int(size), sha256.lower())


def _date(text: str, where: str) -> datetime:
    try:
        found = parsedate_to_datetime(text[:_LONGEST_DATE].replace("UTC", "+0000"))
    except (ValueError, TypeError, IndexError, OverflowError) as e:
        raise BaseError(f"expected a date, found {quoted(text)}", where=f"{where}: Valid-Until") from e
    return found if found.tzinfo else found.replace(tzinfo=UTC)

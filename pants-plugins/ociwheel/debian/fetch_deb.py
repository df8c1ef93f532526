"""Finding one locked Debian package on any mirror of its archive."""

from __future__ import annotations

import urllib.parse
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ociwheel.errors import FetchError, UsageError
from ociwheel.remedies import Remedy
from ociwheel.transport.download import Downloaded, WrongContentError, download
from ociwheel.transport.failure import Failure, Kind
from ociwheel.transport.hints import hint_for
from ociwheel.transport.network import Network
from ociwheel.transport.settings import NetworkSettings


@dataclass(frozen=True)
class WantedDeb:
    """One locked package file."""

    archive: str
    """``debian`` or ``debian-security``."""
    path: str
    """Below the mirror's root, ``pool/...``."""
    size: int
    """Bytes."""
    sha256: str

    def __post_init__(self) -> None:
        parts = PurePosixPath(self.path).parts
        if not parts or self.path.startswith("/") or ".." in parts or not self.path.endswith(".deb"):
            raise UsageError(f"{self.path!r} is no path of a package in an archive")

    @property
    def filename(self) -> str:
        """The file's own name."""
        return PurePosixPath(self.path).name

    @property
    def title(self) -> str:
        """``name=version (architecture)``. The pool's file names leave out the epoch."""
        parts = urllib.parse.unquote(self.filename.removesuffix(".deb")).split("_")
        return f"{parts[0]}={parts[1]} ({parts[2]})" if len(parts) == 3 else self.filename


def _no_mirror(wanted: WantedDeb) -> FetchError:
    return FetchError(
        f"no mirror of the archive {wanted.archive!r} is configured",
        where=wanted.title,
        hint=Remedy("name-mirror"),
    )


def fetch_deb(settings: NetworkSettings, network: Network, wanted: WantedDeb, output: Path) -> Downloaded:
    """Write the package to folder ``output`` from the first mirror that has it.

    :raises FetchError: no mirror has it; the message says what each answered.
    """
    mirrors = settings.debian_mirrors.get(wanted.archive, ())
    if not mirrors:
        raise _no_mirror(wanted)
    lines: list[str] = []
    failures: list[Failure] = []
    differs = False
    for mirror in mirrors:
        url = f"{mirror.rstrip('/')}/{urllib.parse.quote(wanted.path, safe='/+~:%')}"
        try:
            path = output / wanted.filename
            return download(network, url, path, sha256=wanted.sha256, size=wanted.size)
        except Failure as e:
            failures.append(e)
            lines.append(str(e))
        except WrongContentError as e:
            differs = True
            place = Failure(Kind.ANSWER, url, "").url
            lines.append(f"{place}: has {e}")
    if differs:
        raise FetchError(
            "what the mirror has is not the package that was locked",
            where=wanted.title,
            details=[f"expected {wanted.size} bytes with SHA-256 {wanted.sha256}", *lines],
            hint="a proxy or mirror answers with something else, or the file was tampered with: "
            "look at the URL before anything else",
        )
    raise FetchError(
        "no mirror has this version any more" if _all_gone(failures) else "no mirror gives this package",
        where=wanted.title,
        details=lines,
        hint=hint_for(failures, Remedy("package-gone")),
    )


def _all_gone(failures: list[Failure]) -> bool:
    return all(failure.kind is Kind.NOT_FOUND for failure in failures)

"""Finding locked Debian packages on any mirror of their archive: one, or several at a time."""

from __future__ import annotations

import threading
import urllib.parse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ociwheel.errors import ErrorCollector, FetchError, UsageError
from ociwheel.remedies import Remedy
from ociwheel.transport.download import Downloaded, WrongContentError, download
from ociwheel.transport.failure import Failure, Kind
from ociwheel.transport.hints import hint_for
from ociwheel.transport.network import Network
from ociwheel.transport.settings import NetworkSettings

_AT_ONCE = 4
"""Downloads of one process: enough that one waits while another's bytes are hashed and written."""


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


def fetch_debs(
    settings: NetworkSettings, network: Network, wanted: Sequence[WantedDeb], output: Path
) -> list[Downloaded]:
    """Write packages to folder ``output``, several at a time.

    Each that is given is there, whatever becomes of the others.

    :returns: in the order of ``wanted``.
    :raises UsageError: two would be the same file.
    :raises FetchError: some are not given; all of these are told.
    """
    twice = [name for name, times in Counter(one.filename for one in wanted).items() if times > 1]
    if twice:
        raise UsageError(f"two of the packages have the file name {twice[0]!r}")
    found = _at_once(settings, network, wanted, output)
    errors = ErrorCollector()
    # A full disk is one error, not one of each package.
    for error in {str(one): one for one in found if isinstance(one, FetchError)}.values():
        errors.add(error)
    errors.raise_if_any()
    return [one for one in found if isinstance(one, Downloaded)]


def _at_once(
    settings: NetworkSettings, network: Network, wanted: Sequence[WantedDeb], output: Path
) -> list[Downloaded | BaseException]:
    """Return what became of each package.

    Threads of our own: a pool of `concurrent.futures` loads `logging`, which costs a small step a tenth of
    all it does, and waits for downloads under way when the user has ended the step.
    """
    found: dict[int, Downloaded | BaseException] = {}
    rest = iter(enumerate(wanted))
    take = threading.Lock()

    def work() -> None:
        while True:
            with take:
                number, one = next(rest, (-1, None))
            if one is None:
                return
            try:
                found[number] = fetch_deb(settings, network, one, output)
            except BaseException as e:  # noqa: BLE001 (raised again below)
                found[number] = e

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(_AT_ONCE, len(wanted)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in found.values():
        if isinstance(one, BaseException) and not isinstance(one, FetchError):
            raise one
    return [found[number] for number in range(len(wanted))]

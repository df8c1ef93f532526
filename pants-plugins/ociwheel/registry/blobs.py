"""Finding one locked blob in any of the repositories that may have it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ociwheel.digest import Digest
from ociwheel.errors import FetchError, UsageError
from ociwheel.image_name import ImageName
from ociwheel.reading import bytes_of, parse_json
from ociwheel.registry.client import RegistryClient
from ociwheel.registry.logins import logins
from ociwheel.registry.refusals import login_hint, not_allowed, reading_hint
from ociwheel.registry.session import Session
from ociwheel.remedies import Remedy
from ociwheel.transport.download import Downloaded, WrongContentError, download
from ociwheel.transport.failure import Failure, Kind
from ociwheel.transport.settings import NetworkSettings

_MOST_REPOSITORIES = 1 << 20
"""Bytes of a file of them."""
REPOSITORIES = "registry-blobs"
"""The folder below the machine's, with a file per blob."""


@dataclass(frozen=True)
class WantedBlob:
    """One locked blob."""

    digest: Digest
    size: int
    """Bytes."""


def known_repositories(wanted: WantedBlob, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of images whose repositories have a blob, as the machine's folder says."""
    folder = environ.get("OCIWHEEL_MACHINE")
    path = Path(folder) / REPOSITORIES / wanted.digest.hex if folder else None
    try:
        value = parse_json(bytes_of(path, _MOST_REPOSITORIES)) if path else []
    except (OSError, ValueError):
        return ()
    return tuple(v for v in value if isinstance(v, str)) if isinstance(value, list) else ()


def fetch_blob(
    settings: NetworkSettings,
    wanted: WantedBlob,
    names: Sequence[str],
    output: Path,
    *,
    environ: Mapping[str, str],
) -> Downloaded:
    """Write a blob to ``output/blobs/sha256/<hex>`` from the first repository that has it.

    :param names: images of the repositories to ask, in order.
    :raises FetchError: none has it; the message says what each answered.
    """
    if not names:
        raise FetchError(
            "this machine does not know which registry has it",
            where=wanted.digest,
            hint=Remedy("blob-repository-unknown"),
        )
    login = logins(environ)
    lines: list[str] = []
    failures: list[Failure] = []
    hint: str | None = None
    for text in names:
        try:
            name = ImageName.parse(text)
        except UsageError as e:
            lines.append(e.render())
            continue
        client = RegistryClient(Session(name.domain, settings, login), name)
        path = output / wanted.digest.path
        try:
            return download(
                client, client.blob_url(wanted.digest), path, sha256=wanted.digest.hex, size=wanted.size
            )
        except Failure as e:
            failures.append(e)
            denied = e.kind is Kind.CREDENTIALS
            lines.append(
                f"{name.repository_name}: {not_allowed(e, login(name.repository_name), 'read')}"
                if denied
                else str(e)
            )
            hint = login_hint(name.domain) if denied else hint
        except WrongContentError as e:
            lines.append(f"{name.repository_name}: gives {e}, not {wanted.size}")
    gone = all(failure.kind is Kind.NOT_FOUND for failure in failures) and len(failures) == len(lines)
    relocked = Remedy("relock-base")
    raise FetchError(
        "the base's blob is gone: no registry has it any more" if gone else "no registry gives this blob",
        where=wanted.digest,
        details=lines,
        hint=relocked if gone or not failures else hint or reading_hint(failures, relocked),
    )

"""What to do about machines that do not give what they were asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ociwheel.remedies import Remedy
from ociwheel.transport.failure import Failure, Kind

_HINTS: Mapping[Kind, str | Remedy] = {
    Kind.TLS: Remedy("trust-certificates"),
    Kind.PROXY: "check the proxy: HTTPS_PROXY, HTTP_PROXY and NO_PROXY, or `pip config set global.proxy URL`",
    Kind.CREDENTIALS: "give credentials: user and password in the index URL, a line `machine HOST login USER "
    "password PASSWORD` in ~/.netrc, or `keyring set URL USER`",
    Kind.UNREACHABLE: "check the network of this machine and the index URLs, then try again",
    Kind.SERVER: "the server is in trouble: try again later, or add another index",
    Kind.ANSWER: "check that the URL is that of a simple index (it often ends in /simple)",
}
# The failure whose remedy most likely brings the file back is the one to give a hint for.
_ORDER = (Kind.TLS, Kind.PROXY, Kind.CREDENTIALS, Kind.UNREACHABLE, Kind.SERVER, Kind.ANSWER)


def hint_for(
    failures: Iterable[Failure], otherwise: str | Remedy, own: Mapping[Kind, str | Remedy] | None = None
) -> str | Remedy:
    """Return what to do about ``failures``; ``otherwise`` when all are plain 404s.

    :param own: what is said of kinds otherwise than of an index of wheels.
    """
    kinds, words = {failure.kind for failure in failures}, {**_HINTS, **(own or {})}
    return next((words[kind] for kind in _ORDER if kind in kinds), otherwise)

"""Where redirects lead, and how many of them: the one loop that follows them."""

from __future__ import annotations

from collections.abc import Callable

from ociwheel.transport.connection import Response
from ociwheel.transport.failure import Failure, Kind
from ociwheel.transport.urls import join_url, split_url, split_userinfo
from ociwheel.wording import quoted

_STATUSES = frozenset({301, 302, 303, 307, 308})


def follow(url: str, send: Callable[[str], Response], most: int) -> Response:
    """Return the answer at the end of redirects.

    :param send: asks one URL; it decides which credentials that one gets.
    :param most: redirects.
    :raises Failure: there are more, or one leads to where none may lead.
    """
    for _ in range(most + 1):
        response = send(url)
        location = response.headers.get("Location")
        if response.status not in _STATUSES or not location:
            return response
        response.close()
        url = redirected(url, location)
    raise Failure(Kind.ANSWER, url, f"redirects more than {most} times")


def redirected(url: str, location: str) -> str:
    """Return where a redirect leads, which is never from https to http."""
    target = join_url(split_userinfo(url)[0], location)
    if target is None or not split_url(target).geturl():
        raise Failure(Kind.ANSWER, url, f"redirects to {quoted(location)}, which is no URL")
    before, after = split_url(url).scheme, split_url(target).scheme
    if after not in ("http", "https"):
        raise Failure(Kind.ANSWER, url, f"redirects to a URL of scheme {quoted(after)}")
    if before == "https" and after == "http":
        raise Failure(Kind.ANSWER, url, "redirects from https to http")
    return target

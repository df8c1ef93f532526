"""GET over http(s) for indexes and mirrors: credentials of each origin, redirects, attempts."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from ociwheel.transport.connection import Connections, Response
from ociwheel.transport.credentials import Credentials, basic
from ociwheel.transport.failure import StatusFailure, phrase
from ociwheel.transport.redirect import follow
from ociwheel.transport.retry import Retry
from ociwheel.transport.settings import NetworkSettings
from ociwheel.transport.urls import split_userinfo

ATTEMPTS = 5
BACKOFF = 0.5
RETRY_AFTER_CAP = 30.0
MAX_REDIRECTS = 10


class Network:
    """Reads URLs with the settings of this machine.

    :param settings: proxies, certificates, credentials, time limits.
    :param sleep: how to wait between attempts, seconds.
    """

    def __init__(
        self,
        settings: NetworkSettings,
        credentials: Credentials | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._connections = Connections(settings)
        self._credentials = credentials or Credentials.of(settings)
        self._retry = Retry(ATTEMPTS, BACKOFF, RETRY_AFTER_CAP, sleep=sleep)

    def get(self, url: str, use: Callable[[Response], Any], *, accept: str = "*/*") -> Any:
        """GET ``url`` and return what ``use`` makes of the answer.

        ``use`` runs again from the start when the connection breaks while it reads.

        :raises Failure: after :data:`ATTEMPTS` attempts, or at once when more would be useless.
        """

        def once() -> Any:
            with contextlib.closing(self._open(url, accept)) as response:
                if not HTTPStatus.OK <= response.status < HTTPStatus.MULTIPLE_CHOICES:
                    asked = response.headers.get("Retry-After")
                    raise StatusFailure(response.status, response.url, phrase(response.status), asked)
                return use(response)

        return self._retry.run(once)

    def _open(self, url: str, accept: str) -> Response:
        """Open ``url``. At each hop only the credentials of that hop's own origin are sent."""
        asked_keyring = False

        def send(url: str) -> Response:
            nonlocal asked_keyring
            login = self._credentials.login(url)
            while True:
                headers = {"Accept": accept, **({"Authorization": basic(login)} if login else {})}
                response = self._connections.open("GET", split_userinfo(url)[0], headers)
                if response.status != HTTPStatus.UNAUTHORIZED or asked_keyring:
                    return response
                asked_keyring = True
                login = self._credentials.after_refusal(url)
                if login is None:
                    return response
                response.close()

        return follow(url, send, MAX_REDIRECTS)

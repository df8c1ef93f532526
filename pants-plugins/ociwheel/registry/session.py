"""Requests to one registry: authentication, redirects, and retries with back-off.

Specification: OCI distribution-spec 1.1; authentication as Docker's registry token specification
(``WWW-Authenticate: Bearer realm=…``) and RFC 7617 have it. Standard library only, on top of the one door
to the network (:mod:`ociwheel.transport.network`): its proxies, certificates and time limits count here too.
"""

from __future__ import annotations

import re
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from http import HTTPStatus

from ociwheel.image_name import DEFAULT_API, DEFAULT_DOMAIN, is_loopback
from ociwheel.reading import parse_json
from ociwheel.registry.logins import RegistryLogin
from ociwheel.registry.messages import Answer, Challenge, Request
from ociwheel.transport.connection import Body, Connections, Response
from ociwheel.transport.credentials import origin_of
from ociwheel.transport.failure import RETRIED, Failure, Kind
from ociwheel.transport.redirect import follow
from ociwheel.transport.retry import Retry
from ociwheel.transport.settings import NetworkSettings
from ociwheel.wording import quoted

ATTEMPTS = 8
BACKOFF = 0.25
PAUSE_CAP = 20.0
MAX_REDIRECTS = 5

# RFC 6750 2.1 allows less; what is sent as a header must at least be one visible word.
_TOKEN = re.compile(r"[!-~]{1,65536}")


class Session:
    """Requests to one registry.

    :param domain: host and port, as image names have it.
    :param login: finds the credentials for ``domain/repository``; asked only when the registry wants them.
    :param insecure: plain HTTP, or a certificate that is not checked, is accepted; always on loopback.
    """

    def __init__(
        self,
        domain: str,
        settings: NetworkSettings,
        login: Callable[[str], RegistryLogin | None],
        *,
        insecure: bool = False,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.domain = domain
        self.login = login
        self._lenient = insecure or is_loopback(domain)
        self._scheme = "http" if self._lenient else "https"
        self._challenge: Challenge | None = None
        self._connecting = threading.Lock()
        self._connected: bool | Failure | None = None
        self._turns: dict[tuple[str, ...], threading.Lock] = {}
        self._tokens: dict[tuple[str, ...], str] = {}
        self._lock = threading.RLock()
        self._connections = Connections(self._own(settings))
        self.retry = Retry(ATTEMPTS, BACKOFF, PAUSE_CAP, spread=True, sleep=sleep)

    def _own(self, settings: NetworkSettings) -> NetworkSettings:
        proxies = dict(settings.proxies)
        if is_loopback(self.domain):
            # Nobody's proxy reaches this machine's loopback interface.
            hosts = [proxies.get("no", ""), self.domain.rpartition(":")[0] or self.domain]
            proxies["no"] = ",".join(filter(None, hosts))
        trusted = settings.trusted_hosts | ({self.domain} if self._lenient else frozenset())
        return replace(settings, proxies=proxies, trusted_hosts=trusted)

    def url(self, path: str) -> str:
        """Return the URL of a path of the API."""
        host = DEFAULT_API if self.domain == DEFAULT_DOMAIN else self.domain
        return f"{self._scheme}://{host}/v2/{path}"

    def connect(self, repository: str) -> None:
        """Find out how the registry is reached and what credentials it wants, unless that is known.

        :raises Failure: it does not answer, or is none.
        """
        with self._connecting:
            if self._connected is None:
                try:
                    self._connect(repository)
                except Failure as e:
                    # Whoever waited for this answer has it too.
                    self._connected = e
                    raise
                self._connected = True
            elif isinstance(self._connected, Failure):
                raise self._connected

    def _connect(self, repository: str) -> None:
        answer = self._hello(repository)
        if self._lenient and answer.status == HTTPStatus.BAD_REQUEST:
            self._scheme = "https"
            answer = self._hello(repository)
        # Who asks is told with the first request that needs it: this one would want a token of its own.
        if answer.status not in (HTTPStatus.OK, HTTPStatus.UNAUTHORIZED):
            what = f"does not answer as a registry: GET /v2/ gave {answer.text()}"
            raise Failure(Kind.ANSWER, self.url(""), what)

    def _hello(self, repository: str) -> Answer:
        request = Request("GET", self.url(""), repository, ())

        def once() -> Answer:
            response = self._authorized(request)
            # Only the registry itself may say where credentials go.
            if response.status == HTTPStatus.UNAUTHORIZED and self._is_home(response.url):
                self._challenge = Challenge.choose(response.headers)
            return self._settled(Answer.read(response, request.method), request)

        return self.retry.run(once, f"{self.domain}: {request.method}")

    def open(self, request: Request) -> Response:
        """Send a request with the credentials that the registry wants.

        :returns: the answer, whatever its status.
        :raises Failure: there is none.
        """
        response = self._authorized(request)
        # Only the registry itself may say where credentials go.
        challenged = response.status == HTTPStatus.UNAUTHORIZED and self._is_home(response.url)
        if challenged and self._renew(Challenge.choose(response.headers), request.scopes):
            response.close()
            response = self._authorized(request)
        return response

    def once(self, request: Request) -> Answer:
        """Send a request as :meth:`open` and return the whole answer."""
        return Answer.read(self.open(request), request.method)

    def send(self, request: Request) -> Answer:
        """Send a request as :meth:`once`, again when the registry is busy or the connection breaks.

        :raises Failure: no answer, or none but that it is busy, in :data:`ATTEMPTS` attempts.
        """

        def once() -> Answer:
            return self._settled(self.once(request), request)

        return self.retry.run(once, f"{self.domain}: {request.method}")

    @staticmethod
    def _settled(answer: Answer, request: Request) -> Answer:
        """Return an answer that another attempt would not change."""
        if answer.status in RETRIED:
            raise answer.failure(request.url)
        return answer

    # --- authentication -------------------------------------------------------------------------------

    def _authorized(self, request: Request) -> Response:
        authorization = self._authorization(request.repository, request.scopes)

        def send(url: str) -> Response:
            # A storage service behind the registry, where it sends uploads and readers, gets no credentials.
            own = {"Authorization": authorization} if authorization and self._is_home(url) else {}
            return self._connections.open(request.method, url, {**request.headers, **own}, request.body)

        return follow(request.url, send, MAX_REDIRECTS)

    def _is_home(self, url: str) -> bool:
        return origin_of(url) == origin_of(self.url(""))

    def _renew(self, challenge: Challenge | None, scopes: tuple[str, ...]) -> bool:
        """Forget a token that was refused; tell whether another attempt makes sense."""
        with self._lock:
            known = self._challenge is not None
            self._challenge = challenge or self._challenge
            had = self._tokens.pop(scopes, None)
        return challenge is not None and (had is not None or not known)

    def _authorization(self, repository: str, scopes: tuple[str, ...]) -> str | None:
        challenge = self._challenge
        if challenge is None:
            return None
        login = self.login(f"{self.domain}/{repository}")
        if challenge.scheme == "basic":
            return login.basic() if login and not login.is_token else None
        with self._lock:
            turn = self._turns.setdefault(scopes, threading.Lock())
        # Who wants another token need not wait for this one.
        with turn:
            token = self._tokens.get(scopes)
            if token is None:
                token = self._tokens[scopes] = self._token(challenge.parameters, scopes, login)
        return f"Bearer {token}"

    def _token(
        self, challenge: Mapping[str, str], scopes: tuple[str, ...], login: RegistryLogin | None
    ) -> str:
        realm = challenge.get("realm", "")
        if not realm.startswith("https://" if self._scheme == "https" else ("http://", "https://")):
            unsafe = f"asks for a token of {quoted(realm)}, which is no safe URL"
            raise Failure(Kind.ANSWER, self.url(""), unsafe)
        query = [("service", challenge["service"])] if "service" in challenge else []
        headers, body, method, url = {}, None, "GET", realm
        if login and login.is_token:
            form = [*query, ("scope", " ".join(scopes)), ("client_id", "ociwheel")]
            form += [("grant_type", "refresh_token"), ("refresh_token", login.secret)]
            data = urllib.parse.urlencode(form).encode()
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            method, body = "POST", Body(data, len(data))
        else:
            query += [("scope", one) for one in scopes]
            url = f"{realm}{'&' if '?' in realm else '?'}{urllib.parse.urlencode(query)}"
            headers = {"Authorization": login.basic()} if login else {}

        def once() -> Answer:
            answer = Answer.read(self._connections.open(method, url, headers, body), method)
            if answer.status >= HTTPStatus.BAD_REQUEST:
                raise answer.failure(realm)
            return answer

        answer = self.retry.run(once, f"{self.domain}: token")
        try:
            found = parse_json(answer.body)
            token = found.get("token") or found["access_token"]
        except (ValueError, KeyError, TypeError, AttributeError) as e:
            raise Failure(Kind.CREDENTIALS, realm, f"gave no token: {answer.text()}") from e
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise Failure(Kind.CREDENTIALS, realm, "gave a token that no header can hold")
        return token


def scope(repository: str, actions: str) -> str:
    """Return a scope of the token specification."""
    return f"repository:{repository}:{actions}"


def merged(*groups: Iterable[str]) -> tuple[str, ...]:
    """Return the scopes of several groups, each once."""
    return tuple(dict.fromkeys(one for group in groups for one in group))

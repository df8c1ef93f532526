"""Requests to one registry: authentication, redirects, and retries with back-off.

Specification: OCI distribution-spec 1.1; authentication as Docker's registry token specification
(``WWW-Authenticate: Bearer realm=…``) and RFC 7617 have it. Standard library only, on top of the one door
to the network (:mod:`ociwheel.transport.network`): its proxies, certificates and time limits count here too.
"""

from __future__ import annotations

import http.client
import random
import re
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any, TypeVar

from ociwheel import __version__
from ociwheel.notes import note
from ociwheel.reading import parse_json
from ociwheel.registry.logins import RegistryLogin
from ociwheel.registry.messages import RETRIED, Answer, Body, Challenge, Opened, Request
from ociwheel.registry.reference import DEFAULT_API, DEFAULT_DOMAIN, is_loopback
from ociwheel.transport.credentials import Credentials
from ociwheel.transport.network import Failure, Kind, Network, failure_of, redirected
from ociwheel.transport.settings import NetworkSettings
from ociwheel.transport.urls import split_url
from ociwheel.wording import quoted

ATTEMPTS = 8
BACKOFF = 0.25
"""Seconds before the second attempt; doubled before each further one."""
PAUSE_CAP = 20.0
"""Seconds: the longest pause, also when the registry asks for a longer one."""
MAX_REDIRECTS = 5

# RFC 6750 2.1 allows less; what is sent as a header must at least be one visible word.
_TOKEN = re.compile(r"[!-~]{1,65536}")
_REDIRECTS = frozenset({301, 302, 307, 308})
_T = TypeVar("_T")


class Session(Network):
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
        self._tokens: dict[tuple[str, ...], str] = {}
        self._lock = threading.RLock()
        # Logins of package indexes are none of a registry's business.
        super().__init__(self._own(settings), Credentials((), None, None), sleep)

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
        """Find out how the registry is reached and what credentials it wants.

        :raises Failure: it does not answer, or is none.
        """
        answer = self.send(self._hello(repository))
        if self._lenient and answer.status == HTTPStatus.BAD_REQUEST:
            self._scheme = "https"
            answer = self.send(self._hello(repository))
        # A registry may want to know who asks for /v2/ itself; what a login may do shows later.
        if answer.status not in (HTTPStatus.OK, HTTPStatus.UNAUTHORIZED):
            what = f"does not answer as a registry: GET /v2/ gave {answer.text()}"
            raise Failure(Kind.ANSWER, self.url(""), what)

    def _hello(self, repository: str) -> Request:
        return Request("GET", self.url(""), repository, (scope(repository, "pull"),))

    def open(self, request: Request) -> Opened:
        """Send a request with the credentials that the registry wants.

        :returns: the answer, whatever its status.
        :raises Failure: there is none.
        """
        opened = self._authorized(request)
        # Only the registry itself may say where credentials go.
        challenged = opened.status == HTTPStatus.UNAUTHORIZED and not opened.foreign
        if challenged and self._renew(opened.answer(), request.scopes):
            opened = self._authorized(request)
        return opened

    def once(self, request: Request) -> Answer:
        """Send a request as :meth:`open` and return the whole answer."""
        return self.open(request).answer()

    def send(self, request: Request) -> Answer:
        """Send a request as :meth:`once`, again when the registry is busy or the connection breaks.

        :raises Failure: no answer, or none but that it is busy, in :data:`ATTEMPTS` attempts.
        """

        def once() -> Answer:
            answer = self.once(request)
            if answer.status in RETRIED:
                raise answer.failure(request.url)
            return answer

        return self.again(request.method, once)

    def again(self, what: str, once: Callable[[], _T]) -> _T:
        """Do something up to :data:`ATTEMPTS` times, until it is no :class:`Failure` that may pass."""
        for attempt in range(ATTEMPTS):
            try:
                return once()
            except Failure as e:
                if e.retry_after is None or attempt == ATTEMPTS - 1:
                    raise
                self.pause(what, e.answer, attempt, e.retry_after)
        raise AssertionError("unreachable")

    def pause(self, what: str, reason: str, attempt: int, asked: float = 0.0) -> None:
        """Wait before another attempt, longer after each; ``asked`` is the registry's ``Retry-After``."""
        # Clients that were refused together do not come back together.
        own = BACKOFF * 2**attempt * random.uniform(0.5, 1)  # noqa: S311 (no secret)
        seconds = min(max(asked, own), PAUSE_CAP)
        note(f"{self.domain}: {what}: {reason}; trying again in {seconds:.1f} s")
        self._sleep(seconds)

    # --- authentication -------------------------------------------------------------------------------

    def _authorized(self, request: Request) -> Opened:
        authorization = self._authorization(request.repository, request.scopes)
        url = request.url
        home = _origin(self.url(""))
        for _ in range(MAX_REDIRECTS):
            # A storage service behind the registry, where it sends uploads and readers, gets no credentials.
            foreign = _origin(url) != home
            own = {"Authorization": authorization} if authorization and not foreign else {}
            headers = {**request.headers, **own}
            opened = self._exchange(request.method, url, headers, request.body, foreign=foreign)
            if opened.status not in _REDIRECTS or not opened.location:
                return opened
            opened.answer()
            url = redirected(url, opened.location)
        raise Failure(Kind.ANSWER, request.url, f"redirects more than {MAX_REDIRECTS} times")

    def _renew(self, answer: Answer, scopes: tuple[str, ...]) -> bool:
        """Forget a token that was refused; tell whether another attempt makes sense."""
        with self._lock:
            known = self._challenge is not None
            self._challenge = answer.challenge or self._challenge
            had = self._tokens.pop(scopes, None)
        return answer.challenge is not None and (had is not None or not known)

    def _authorization(self, repository: str, scopes: tuple[str, ...]) -> str | None:
        challenge = self._challenge
        if challenge is None:
            return None
        login = self.login(f"{self.domain}/{repository}")
        if challenge.scheme == "basic":
            return login.basic() if login and not login.is_token else None
        with self._lock:
            if scopes not in self._tokens:
                self._tokens[scopes] = self._token(challenge.parameters, scopes, login)
            return f"Bearer {self._tokens[scopes]}"

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
            answer = self._exchange(method, url, headers, body, foreign=True).answer()
            if answer.status >= HTTPStatus.BAD_REQUEST:
                raise answer.failure(realm)
            return answer

        answer = self.again("token", once)
        try:
            found = parse_json(answer.body)
            token = found.get("token") or found["access_token"]
        except (ValueError, KeyError, TypeError, AttributeError) as e:
            raise Failure(Kind.CREDENTIALS, realm, f"gave no token: {answer.text()}") from e
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise Failure(Kind.CREDENTIALS, realm, "gave a token that no header can hold")
        return token

    # --- one request ----------------------------------------------------------------------------------

    def _exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: Body | None, *, foreign: bool
    ) -> Opened:
        if not url.startswith(("http://", "https://")):
            raise Failure(Kind.ANSWER, url, "is no URL of http or https")
        stream = body.open() if body else None
        try:
            request = urllib.request.Request(url, data=stream, method=method)  # noqa: S310 (checked above)
            request.add_header("User-Agent", f"ociwheel/{__version__}")
            # A transparent recompression would change the bytes that the digest is of.
            request.add_header("Accept-Encoding", "identity")
            if body or method in ("PUT", "POST"):
                request.add_header("Content-Length", str(body.size if body else 0))
                request.add_header("Content-Type", "application/octet-stream")
            for name, value in headers.items():
                request.add_unredirected_header(name, value)
            raw: Any = self._opener(url).open(request, timeout=self._settings.timeout)
        except urllib.error.HTTPError as e:
            raw = e
        except (OSError, http.client.HTTPException, ValueError) as e:
            raise self._proxied(url, failure_of(url, e)) from e
        finally:
            if stream:
                stream.close()
        return Opened(method, url, raw, foreign=foreign)


def scope(repository: str, actions: str) -> str:
    """Return a scope of the token specification."""
    return f"repository:{repository}:{actions}"


def merged(*groups: Iterable[str]) -> tuple[str, ...]:
    """Return the scopes of several groups, each once."""
    return tuple(dict.fromkeys(one for group in groups for one in group))


def _origin(url: str) -> str:
    parts = split_url(url)
    return f"{parts.scheme}://{parts.netloc}"

"""Requests to one registry: authentication, redirects, and retries with back-off.

Specification: OCI distribution-spec 1.1; authentication as Docker's registry token specification
(``WWW-Authenticate: Bearer realm=…``) and RFC 7617 have it. Standard library only.
"""

from __future__ import annotations

import http.client
import io
import json
import random
import re
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any

from ociwheel import __version__
from ociwheel.errors import OciwheelError, redact
from ociwheel.fetch.network import tls_context
from ociwheel.fetch.settings import NetworkSettings
from ociwheel.notes import note
from ociwheel.registry.credentials import RegistryLogin
from ociwheel.registry.reference import DEFAULT_API, DEFAULT_DOMAIN, is_loopback

ATTEMPTS = 8
BACKOFF = 0.25
"""Seconds before the second attempt; doubled before each further one."""
PAUSE_CAP = 20.0
"""Seconds: the longest pause, also when the registry asks for a longer one."""
MAX_REDIRECTS = 5
MAX_DOCUMENT = 4 << 20
"""Bytes of an answer: manifests are at most 4 MiB (distribution-spec, "Pushing Manifests")."""

RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same request may succeed."""
_REDIRECTS = frozenset({301, 302, 307, 308})
_REFUSED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')


class RegistryError(OciwheelError):
    """A registry that refuses, or does not answer as one."""

    exit_code = 21


class Broken(Exception):  # noqa: N818 (one attempt's outcome, not what the user reads)
    """A connection that broke or could not be made."""

    def __init__(self, reason: str, *, useless: bool = False) -> None:
        self.useless = useless
        """Another attempt would end the same way."""
        super().__init__(reason)


@dataclass(frozen=True)
class Body:
    """What a request sends: bytes, or a file that is read again for each attempt."""

    source: bytes | Path
    size: int

    def open(self) -> IO[bytes]:
        """Return the content from its start."""
        return io.BytesIO(self.source) if isinstance(self.source, bytes) else self.source.open("rb")


@dataclass(frozen=True)
class Request:
    """A request to the registry's API.

    :param repository: the repository whose login is used.
    :param scopes: what a token must allow, ``repository:NAME:pull,push``.
    """

    method: str
    url: str
    repository: str
    scopes: tuple[str, ...]
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body | None = None


@dataclass(frozen=True)
class Answer:
    """A registry's answer."""

    status: int
    headers: Mapping[str, str]
    """By name in lower case."""
    body: bytes
    foreign: bool = False
    """It is another host's, to which the registry led."""

    @property
    def codes(self) -> frozenset[str]:
        """The error codes of the distribution specification that the answer names."""
        return frozenset(str(error.get("code")) for error in self._errors())

    def _errors(self) -> list[dict[str, Any]]:
        try:
            errors = json.loads(self.body)["errors"]
            return [error for error in errors if isinstance(error, dict)]
        except (ValueError, KeyError, TypeError):
            return []

    def text(self) -> str:
        """Return the answer in words."""
        try:
            phrase = HTTPStatus(self.status).phrase
        except ValueError:
            phrase = ""
        words = [f"{e.get('code', '')}: {e.get('message', '')}".strip(": ") for e in self._errors()]
        return f"{self.status} {phrase}".strip() + (f" ({'; '.join(words)})" if words else "")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None


@dataclass
class Session:
    """Requests to one registry.

    :param domain: host and port, as image names have it.
    :param login: finds the credentials for ``domain/repository``.
    :param insecure: plain HTTP, or a certificate that is not checked, is accepted; always on loopback.
    """

    domain: str
    settings: NetworkSettings
    login: Callable[[str], RegistryLogin | None]
    insecure: bool = False
    sleep: Callable[[float], None] = time.sleep
    _scheme: str | None = None
    _challenge: str | None = None
    _tokens: dict[tuple[str, ...], str] = field(default_factory=dict, repr=False)
    _openers: dict[tuple[bool, bool], urllib.request.OpenerDirector] = field(default_factory=dict, repr=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def url(self, path: str) -> str:
        """Return the URL of a path of the API."""
        host = DEFAULT_API if self.domain == DEFAULT_DOMAIN else self.domain
        return f"{self._scheme}://{host}/v2/{path}"

    def connect(self, repository: str) -> None:
        """Find out how the registry is reached and what credentials it wants.

        :raises RegistryError: it does not answer, or is none.
        """
        with self._lock:
            if self._scheme is not None:
                return
            lenient = self.insecure or is_loopback(self.domain)
            self._scheme = "http" if lenient else "https"
            answer = self._retried("GET", lambda: self._send("GET", self.url(""), {}, None))
            if lenient and answer.status == HTTPStatus.BAD_REQUEST:
                self._scheme = "https"
                answer = self._retried("GET", lambda: self._send("GET", self.url(""), {}, None))
            if answer.status not in (HTTPStatus.OK, HTTPStatus.UNAUTHORIZED):
                raise RegistryError(
                    f"it does not answer as a registry: GET /v2/ gave {answer.text()}", where=self.domain
                )
            if answer.status == HTTPStatus.UNAUTHORIZED:
                self._challenge = answer.headers.get("www-authenticate", "Basic")
                self._authorization(repository, (scope(repository, "pull"),))

    def once(self, request: Request) -> Answer:
        """Send a request with the credentials that the registry wants.

        :returns: the answer, whatever its status.
        :raises Broken: there is none.
        """
        answer = self._authorized(request)
        # Only the registry itself may say where credentials go.
        challenged = answer.status == HTTPStatus.UNAUTHORIZED and not answer.foreign
        if challenged and self._renew(answer, request.scopes):
            answer = self._authorized(request)
        return answer

    def send(self, request: Request) -> Answer:
        """Send a request as :meth:`once`, again when the registry is busy or the connection breaks.

        :raises RegistryError: no answer after :data:`ATTEMPTS` attempts.
        """
        return self._retried(request.method, lambda: self.once(request))

    def pause(self, what: str, reason: str, attempt: int, asked: str = "") -> None:
        """Wait before another attempt, longer after each; ``asked`` is the registry's ``Retry-After``."""
        wait = float(asked) if asked.isdigit() else 0.0
        # Clients that were refused together do not come back together.
        own = BACKOFF * 2**attempt * random.uniform(0.5, 1)  # noqa: S311 (no secret)
        seconds = min(max(wait, own), PAUSE_CAP)
        note(f"{self.domain}: {what}: {reason}; trying again in {seconds:.1f} s")
        self.sleep(seconds)

    def _retried(self, what: str, once: Callable[[], Answer]) -> Answer:
        for attempt in range(ATTEMPTS):
            asked = ""
            try:
                answer = once()
                if answer.status not in RETRIED or attempt == ATTEMPTS - 1:
                    return answer
                reason, asked = answer.text(), answer.headers.get("retry-after", "")
            except Broken as e:
                if e.useless or attempt == ATTEMPTS - 1:
                    tries = "" if e.useless else f" after {ATTEMPTS} attempts"
                    raise RegistryError(
                        f"the registry cannot be reached{tries}: {e}",
                        where=self.domain,
                        hint="check the address, the proxy settings, and that the registry runs",
                    ) from e
                reason = str(e)
            self.pause(what, reason, attempt, asked)
        raise AssertionError("unreachable")

    # --- authentication -------------------------------------------------------------------------------

    def _authorized(self, request: Request) -> Answer:
        authorization = self._authorization(request.repository, request.scopes)
        url = request.url
        home = _origin(self.url(""))
        for _ in range(MAX_REDIRECTS):
            # A storage service behind the registry, where it sends uploads and readers, gets no credentials.
            foreign = _origin(url) != home
            own = {"Authorization": authorization} if authorization and not foreign else {}
            answer = self._send(request.method, url, {**request.headers, **own}, request.body)
            location = answer.headers.get("location")
            if answer.status not in _REDIRECTS or not location:
                return replace(answer, foreign=foreign)
            url = urllib.parse.urljoin(url, location)
        raise Broken(f"{request.method} is redirected more than {MAX_REDIRECTS} times", useless=True)

    def _renew(self, answer: Answer, scopes: tuple[str, ...]) -> bool:
        """Forget a token that was refused; tell whether another attempt makes sense."""
        challenge = answer.headers.get("www-authenticate")
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
        kind, _, rest = challenge.partition(" ")
        if kind.lower() != "bearer":
            return login.basic() if login else None
        with self._lock:
            if scopes not in self._tokens:
                self._tokens[scopes] = self._token(dict(_PARAMETER.findall(rest)), scopes, login)
            return f"Bearer {self._tokens[scopes]}"

    def _token(
        self, challenge: Mapping[str, str], scopes: tuple[str, ...], login: RegistryLogin | None
    ) -> str:
        realm = challenge.get("realm", "")
        if not realm.startswith("https://" if self._scheme == "https" else ("http://", "https://")):
            raise RegistryError(f"it asks for a token of {realm!r}, which is no safe URL", where=self.domain)
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
        answer = self._retried("token", lambda: self._send(method, url, headers, body))
        if answer.status in _REFUSED:
            raise self.refused(answer, None, login)
        try:
            found = json.loads(answer.body)
            token = found.get("token") or found["access_token"]
        except (ValueError, KeyError, TypeError, AttributeError) as e:
            what = f"its token service {_origin(realm)} gave no token: {answer.text()}"
            raise RegistryError(what, where=self.domain) from e
        return str(token)

    def refused(self, answer: Answer, place: str | None, login: RegistryLogin | None) -> RegistryError:
        """Return the error of an answer 401 or 403."""
        where = place or self.domain
        if login is None:
            what = f"the registry wants credentials, and none are known: {answer.text()}"
        elif place is None or answer.status == HTTPStatus.UNAUTHORIZED:
            what = f"the registry refuses the credentials of {login.user!r}: {answer.text()}"
        else:
            what = f"{login.user!r} may not write there: {answer.text()}"
        command = f"docker login {self.domain}, podman login {self.domain} or skopeo login {self.domain}"
        return RegistryError(what, where=where, hint=f"log in with an account that may: {command}")

    # --- one request ----------------------------------------------------------------------------------

    def _opener(self, url: str) -> urllib.request.OpenerDirector:
        host = urllib.parse.urlsplit(url).netloc
        every = dict(self.settings.proxies)
        bypass = is_loopback(host) or bool(
            urllib.request.proxy_bypass_environment(host, every)  # type: ignore[attr-defined]
        )
        lenient = (self.insecure or is_loopback(self.domain)) and host == self.domain
        with self._lock:
            if (bypass, lenient) not in self._openers:
                context = tls_context(self.settings.ca_bundle)
                if lenient:
                    context.check_hostname = False
                    context.verify_mode = ssl.CERT_NONE
                proxies = {} if bypass else {k: v for k, v in every.items() if k in ("http", "https")}
                self._openers[bypass, lenient] = urllib.request.build_opener(
                    urllib.request.ProxyHandler(proxies),
                    urllib.request.HTTPSHandler(context=context),
                    _NoRedirect(),
                )
            return self._openers[bypass, lenient]

    def _send(self, method: str, url: str, headers: Mapping[str, str], body: Body | None) -> Answer:
        if not url.startswith(("http://", "https://")):
            raise Broken(f"{url!r} is no URL of http or https", useless=True)
        stream = body.open() if body else None
        try:
            request = urllib.request.Request(url, data=stream, method=method)  # noqa: S310 (checked above)
            request.add_header("User-Agent", f"ociwheel/{__version__}")
            if body or method in ("PUT", "POST"):
                request.add_header("Content-Length", str(body.size if body else 0))
                request.add_header("Content-Type", "application/octet-stream")
            for name, value in headers.items():
                request.add_unredirected_header(name, value)
            with self._opener(url).open(request, timeout=self.settings.timeout) as raw:
                return _answer(raw.status, raw.headers, raw)
        except urllib.error.HTTPError as e:
            with e:
                return _answer(e.code, e.headers, e)
        except (OSError, http.client.HTTPException, ValueError) as e:
            raise _broken(e) from e
        finally:
            if stream:
                stream.close()


def scope(repository: str, actions: str) -> str:
    """Return a scope of the token specification."""
    return f"repository:{repository}:{actions}"


def merged(*groups: Iterable[str]) -> tuple[str, ...]:
    """Return the scopes of several groups, each once."""
    return tuple(dict.fromkeys(one for group in groups for one in group))


def _answer(status: int, headers: Any, stream: Any) -> Answer:
    try:
        data = stream.read(MAX_DOCUMENT + 1)
    except (OSError, http.client.HTTPException) as e:
        raise _broken(e) from e
    if len(data) > MAX_DOCUMENT:
        raise Broken(f"an answer of more than {MAX_DOCUMENT} bytes", useless=True)
    return Answer(status, {name.lower(): value for name, value in headers.items()}, data)


def _broken(error: Exception) -> Broken:
    inner: Any = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(inner, ssl.SSLCertVerificationError):
        return Broken(f"its certificate is not trusted: {inner.verify_message}", useless=True)
    if isinstance(inner, ssl.SSLError) and "WRONG_VERSION" in str(inner):
        return Broken(
            "it does not speak TLS; name it in `insecure_registries` if that is right", useless=True
        )
    words = inner.strerror if isinstance(inner, OSError) and inner.strerror else str(inner)
    useless = isinstance(error, ValueError) and not isinstance(error, OSError)
    return Broken(redact(words or type(inner).__name__), useless=useless)


def _origin(url: str) -> str:
    parts = urllib.parse.urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"

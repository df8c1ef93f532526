"""Reads manifests and blobs of a registry: OCI distribution-spec 1.1, "Pull", and Docker's token protocol.

On top of the one door to the network (:mod:`ociwheel.fetch.network`), so that proxies, certificates, time
limits and retries are those of every other fetch.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from ociwheel.fetch.credentials import Credentials
from ociwheel.fetch.network import (
    MAX_REDIRECTS,
    Failure,
    Kind,
    Network,
    Response,
    failure_of,
    redirected,
    status_failure,
)
from ociwheel.fetch.settings import NetworkSettings, host_of
from ociwheel.registry.credentials import RegistryLogin
from ociwheel.registry.reference import ImageName

INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFEST_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
# distribution-spec, "Pushing Manifests": registries "SHOULD NOT" take more than 4 megabytes.
MOST_DOCUMENT_BYTES = 4 << 20
# Docker's token specification: a token without `expires_in` is good for 60 seconds at least.
_PARAMETER = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

Logins = Callable[[ImageName], RegistryLogin | None]


@dataclass(frozen=True)
class Document:
    """A JSON document of a registry, verified."""

    media_type: str
    digest: str
    size: int
    """Bytes."""
    value: Mapping[str, Any]

    def descriptor(self) -> dict[str, Any]:
        """Return the document's descriptor."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


class RegistryClient(Network):
    """Reads one repository.

    :param logins: finds the login of a repository; it is asked only when the registry wants one.
    """

    def __init__(
        self,
        settings: NetworkSettings,
        name: ImageName,
        logins: Logins,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        # Logins of package indexes are none of a registry's business.
        super().__init__(settings, Credentials((), None, None), sleep)
        self.name = name
        self._logins = logins
        self._authorization: str | None = None

    def manifest(self, reference: str) -> Document:
        """Return a manifest or an index.

        :param reference: a tag or a digest.
        :raises Failure: the registry does not give it, or something else.
        """
        url = self.name.url("manifests", reference)
        accept = ", ".join((*INDEX_TYPES, *MANIFEST_TYPES))
        return self._document(url, accept, reference if reference.startswith("sha256:") else None)

    def config(self, digest: str) -> Document:
        """Return an image configuration.

        :raises Failure: the registry does not give it, or something else.
        """
        return self._document(self.blob_url(digest), "*/*", digest)

    def blob_url(self, digest: str) -> str:
        """Return where a blob is."""
        return self.name.url("blobs", digest)

    def _document(self, url: str, accept: str, digest: str | None) -> Document:
        def use(response: Response) -> tuple[str, bytes]:
            body = bytearray()
            for chunk in response.chunks():
                body += chunk
                if len(body) > MOST_DOCUMENT_BYTES:
                    raise Failure(Kind.ANSWER, url, f"a document of more than {MOST_DOCUMENT_BYTES} bytes")
            return response.content_type.partition(";")[0].strip(), bytes(body)

        media_type, data = self.get(url, use, accept=accept)
        found = f"sha256:{hashlib.sha256(data).hexdigest()}"
        if digest is not None and found != digest:
            raise Failure(Kind.ANSWER, url, f"gives another document, {found}")
        try:
            value = json.loads(data)
        except ValueError as e:
            raise Failure(Kind.ANSWER, url, f"does not answer in JSON: {e}") from e
        if not isinstance(value, dict):
            raise Failure(Kind.ANSWER, url, "answers with something that is no JSON object")
        # image-spec: "mediaType SHOULD be used"; where it is missing the header says what it is.
        return Document(str(value.get("mediaType") or media_type), found, len(data), value)

    def _follow(self, url: str, headers: Mapping[str, str]) -> Response:
        """Open ``url``; the registry's token goes to the registry only, not where it redirects to."""
        registry = host_of(url)
        asked = False
        for _ in range(MAX_REDIRECTS + 1):
            own = host_of(url) == registry
            try:
                return Response(url, self._open(url, headers, self._authorization if own else None))
            except urllib.error.HTTPError as e:
                with e:
                    if e.code == HTTPStatus.UNAUTHORIZED and own and not asked:
                        asked = True
                        self._authorization = self._answer(e.headers.get_all("WWW-Authenticate") or [], url)
                        if self._authorization is not None:
                            continue
                    location = e.headers.get("Location") if 300 <= e.code < 400 else None
                    if location is None:
                        raise status_failure(url, e) from e
                url = redirected(url, location)
            except (OSError, http.client.HTTPException, ValueError) as e:
                raise self._proxied(url, failure_of(url, e)) from e
        raise Failure(Kind.ANSWER, url, f"redirects more than {MAX_REDIRECTS} times")

    def _open(
        self, url: str, headers: Mapping[str, str], authorization: str | None, body: bytes | None = None
    ) -> Any:
        if not url.startswith(("http://", "https://")):
            raise Failure(Kind.ANSWER, url, "is no URL of http or https")
        request = urllib.request.Request(url, data=body, headers=dict(headers))  # noqa: S310 (checked above)
        request.add_header("User-Agent", "ociwheel")
        request.add_header("Accept-Encoding", "identity")
        if authorization:
            request.add_unredirected_header("Authorization", authorization)
        return self._opener(url).open(request, timeout=self._settings.timeout)

    def _answer(self, challenges: list[str], url: str) -> str | None:
        """Return the ``Authorization`` that a registry's challenge asks for, ``None``: nothing will help."""
        login = self._logins(self.name)
        for challenge in challenges:
            scheme, _, rest = challenge.strip().partition(" ")
            parameters = dict(_PARAMETER.findall(rest))
            if scheme.lower() == "bearer" and parameters.get("realm"):
                return f"Bearer {self._token(parameters, login, url)}"
            if scheme.lower() == "basic" and login is not None and not login.is_token:
                return login.basic()
        return None

    def _token(self, parameters: Mapping[str, str], login: RegistryLogin | None, url: str) -> str:
        """Ask the token service (distribution's token specification).

        :raises Failure: it gives none.
        """
        realm = parameters["realm"]
        if urllib.parse.urlsplit(url).scheme == "https" and not realm.startswith("https://"):
            raise Failure(Kind.CREDENTIALS, url, "sends logins to a place without TLS")
        query = {"scope": parameters.get("scope") or f"repository:{self.name.repository}:pull"}
        if parameters.get("service"):
            query["service"] = parameters["service"]
        body, authorization = None, None
        if login is not None and login.is_token:
            fields = {"grant_type": "refresh_token", "refresh_token": login.secret, "client_id": "ociwheel"}
            body = urllib.parse.urlencode({**query, **fields}).encode()
        else:
            realm += ("&" if "?" in realm else "?") + urllib.parse.urlencode(query)
            authorization = login.basic() if login else None
        try:
            with contextlib.closing(self._open(realm, {}, authorization, body)) as answer:
                value = json.loads(answer.read(MOST_DOCUMENT_BYTES))
        except urllib.error.HTTPError as e:
            with e:
                raise status_failure(parameters["realm"], e) from e
        except (OSError, http.client.HTTPException, ValueError) as e:
            raise failure_of(parameters["realm"], e) from e
        token = value.get("token") or value.get("access_token") if isinstance(value, dict) else None
        if not isinstance(token, str):
            raise Failure(Kind.CREDENTIALS, parameters["realm"], "gives no token")
        return token

"""Names of images in registries and engines, as a Dockerfile's ``FROM`` writes them.

Grammar: distribution/reference, ``[domain/]path[:tag][@digest]``. A name without a domain is one of
the default registry, and one path component there means the folder ``library``.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, replace

from ociwheel.digest import FORM, Digest
from ociwheel.errors import UsageError
from ociwheel.wording import quoted

DEFAULT_DOMAIN = "docker.io"
# Where the default registry answers the distribution API, and the name under which its logins are kept.
DEFAULT_API = f"registry-1.{DEFAULT_DOMAIN}"
DEFAULT_LOGIN = f"https://index.{DEFAULT_DOMAIN}/v1/"

_LONGEST = 1000
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*", re.ASCII)
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]{{1,5}})?", re.ASCII)
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)


@dataclass(frozen=True)
class ImageName:
    """A repository in a registry, and which image of it."""

    domain: str
    """Host, with its port where it has one."""
    repository: str
    """Path below the registry, ``library/python``."""
    tag: str | None
    digest: Digest | None

    @staticmethod
    def parse(text: str) -> ImageName:
        """Parse a name; the tag is ``latest`` where there is neither tag nor digest.

        :raises UsageError: it is not one.
        """
        # Longer ones are no names (distribution/reference: 255), and would take long to look at.
        rest, at, digest = text.partition("@") if len(text) <= _LONGEST else ("", "", "")
        first, slash, path = rest.partition("/")
        if slash and ("." in first or ":" in first or first == "localhost" or first != first.lower()):
            domain = first
        else:
            domain, path = DEFAULT_DOMAIN, rest
        path, colon, tag = path.partition(":")
        fits = (
            _DOMAIN.fullmatch(domain)
            and _PATH.fullmatch(path)
            and (not colon or _TAG.fullmatch(tag))
            and (not at or Digest.fits(digest))
        )
        if not fits:
            raise UsageError(
                f"{quoted(text)} is no name of an image",
                hint="write it as in a Dockerfile: python:3.11-slim, registry.example.com/python:3.11-slim, "
                f"or with @{FORM}",
            )
        if domain == DEFAULT_DOMAIN and "/" not in path:
            path = f"library/{path}"
        return ImageName(domain, path, tag or (None if digest else "latest"), Digest(digest) if at else None)

    @staticmethod
    def parse_tag(text: str) -> ImageName:
        """Parse the name that an image gets, with a tag and no digest.

        :raises UsageError: it is not one.
        """
        name = ImageName.parse(text)
        if name.digest:
            raise UsageError(
                f"{quoted(text)} has a digest: that is not given to an image, it follows from its content",
                hint="write NAME:TAG, for example team/service:1.2",
            )
        return name

    @property
    def reference(self) -> str:
        """What the registry is asked for: the digest where the name has one, else the tag."""
        return self.digest or self.tag or "latest"

    @property
    def plain(self) -> str:
        """The name without the registry: what a lock may hold."""
        path = self.repository.removeprefix("library/") if self.domain == DEFAULT_DOMAIN else self.repository
        return path + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")

    @property
    def repository_name(self) -> str:
        """Registry and repository, without tag and digest."""
        return f"{self.domain}/{self.repository}"

    @property
    def full(self) -> str:
        """The name with its registry, and the folder of the default one, written out."""
        tag, digest = f":{self.tag}" if self.tag else "", f"@{self.digest}" if self.digest else ""
        return f"{self.repository_name}{tag}{digest}"

    def __str__(self) -> str:
        name = self.plain if self.domain == DEFAULT_DOMAIN else f"{self.domain}/{self.plain}"
        return str(name)

    def at(self, digest: Digest) -> ImageName:
        """Return the name of one image of the same repository by its digest."""
        return replace(self, tag=None, digest=digest)

    def url(self, kind: str, reference: str) -> str:
        """Return a URL of the distribution API.

        :param kind: ``manifests`` or ``blobs``.
        """
        host = DEFAULT_API if self.domain == DEFAULT_DOMAIN else self.domain
        scheme = "http" if is_loopback(self.domain) else "https"
        return f"{scheme}://{host}/v2/{self.repository}/{kind}/{reference}"


def is_loopback(domain: str) -> bool:
    """Tell whether a registry is on this machine, where Docker too asks without TLS."""
    host = domain.rpartition(":")[0] if re.search(r":\d+$", domain) else domain
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False

"""Names of images as Docker writes them, ``registry:5000/team/name:tag``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ociwheel.errors import UsageError

# The grammar of distribution/reference: domain, path components, tag.
_REFERENCE = re.compile(
    r"(?P<name>(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::\d+)?/)?"
    r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?",
    re.ASCII,
)


@dataclass(frozen=True)
class Reference:
    """A repository and a tag."""

    name: str
    tag: str

    @staticmethod
    def parse(text: str) -> Reference:
        """Parse a reference; the tag is ``latest`` when there is none.

        :raises UsageError: it is not one.
        """
        match = _REFERENCE.fullmatch(text)
        if match is None:
            raise UsageError(
                f"{text!r} is not an image reference",
                hint="write NAME:TAG, the name in lower case, for example team/service:1.2",
            )
        return Reference(match["name"], match["tag"] or "latest")

    def __str__(self) -> str:
        return f"{self.name}:{self.tag}"

    def canonical(self) -> str:
        """Return the reference with Docker's default registry and folder written out."""
        first, slash, _ = self.name.partition("/")
        if slash and ("." in first or ":" in first or first == "localhost"):
            return str(self)
        return f"docker.io/{self}" if slash else f"docker.io/library/{self}"

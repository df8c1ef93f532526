"""Digests of content, the only ones there are here: SHA-256.

Registries and layouts write ``sha256:<64 hexadecimal digits>`` (OCI image-spec, descriptor.md), locks and
indexes the digits alone. A :class:`Digest` is parsed once and stays what it is; as a text it is a digest as
documents hold it. Standard library only, and for Python 3.9 too: the backend calls it.
"""

from __future__ import annotations

import hashlib
import re

_PREFIX = "sha256:"
_HEX = re.compile(r"[0-9a-f]{64}")
FORM = f"{_PREFIX}<64 hex digits>"
"""How one is written, for messages."""
BLOBS = "blobs/sha256"
"""The folder of a layout that has content by its digest (image-layout.md)."""


class Digest(str):
    """A digest as registries write it, ``sha256:<hex>``."""

    __slots__ = ()

    @staticmethod
    def parse(text: object) -> Digest:
        """Return the digest that a text is.

        :raises ValueError: it is none; the message is one short line.
        """
        if not Digest.fits(text):
            raise ValueError(f"expected a digest {FORM}")
        return Digest(text)

    @staticmethod
    def fits(text: object) -> bool:
        """Tell whether a value is a digest's text."""
        return isinstance(text, str) and text.startswith(_PREFIX) and is_sha256(text[len(_PREFIX) :])

    @staticmethod
    def of(data: bytes) -> Digest:
        """Return the digest of bytes."""
        return Digest.of_hex(hashlib.sha256(data).hexdigest())

    @staticmethod
    def of_hex(digits: str) -> Digest:
        """Return the digest that a SHA-256 in hexadecimal is."""
        return Digest(_PREFIX + digits)

    @property
    def hex(self) -> str:
        """The digits alone."""
        return self[len(_PREFIX) :]

    @property
    def path(self) -> str:
        """Where a layout has the content, ``blobs/sha256/<hex>``."""
        return f"{BLOBS}/{self.hex}"


def is_sha256(text: str) -> bool:
    """Tell whether a text is a SHA-256 in lower case hexadecimal."""
    return _HEX.fullmatch(text) is not None

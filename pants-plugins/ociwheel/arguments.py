"""Values on command lines, for ``type=`` of arguments."""

from __future__ import annotations

import argparse

from ociwheel.digest import Digest, is_sha256


def sha256_argument(text: str) -> str:
    """Return a SHA-256 in lower case hexadecimal."""
    if not is_sha256(text.lower()):
        raise argparse.ArgumentTypeError(f"{text!r} is no SHA-256 (64 hexadecimal digits)")
    return text.lower()


def digest_argument(text: str) -> Digest:
    """Return a digest as registries write it."""
    try:
        return Digest.parse(text)
    except ValueError as e:
        raise argparse.ArgumentTypeError(f"{e}, found {text!r}") from e

"""Names of images in this machine's engine."""

from __future__ import annotations

from pants.engine.addresses import Address


def local_name(address: Address, platform: str) -> str:
    """Return the image's name in the engine, where it is in no registry."""
    path = "/".join(part for part in (address.spec_path, address.target_name) if part).lower()
    parts = ["".join(c if c.isalnum() and c.isascii() else "-" for c in part) for part in path.split("/")]
    name = "/".join(part.strip("-") or "x" for part in parts)
    return f"localhost/slim-python-image/{name}:{platform.replace('/', '-')}"

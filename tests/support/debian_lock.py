"""A small lock of a base of Debian packages, for tests of what has become of them."""

from __future__ import annotations

from typing import Any


def package(name: str, version: str, architecture: str) -> dict[str, Any]:
    """Return a locked package."""
    return {
        "name": name,
        "version": version,
        "architecture": architecture,
        "archive": "debian",
        "path": f"pool/{name}.deb",
        "size": 1,
        "sha256": "0" * 64,
    }


_ROWS = [
    *(package("libssl3", "3.0.9", architecture) for architecture in ("amd64", "arm64")),
    *(package("libc6", "2.36-9", architecture) for architecture in ("amd64", "arm64")),
    package("libc6-dev", "2.36-9", "amd64"),
    package("tzdata", "2024a-0", "all"),
    package("gone", "1", "amd64"),
]
LOCK: dict[str, Any] = {
    "schema": "ociwheel.debian-lock/1",
    "inputs": {"suites": ["tiny", "tiny-security"], "components": ["main"]},
    "python": "3.11",
    "platforms": {
        "linux/amd64": {
            "target": {
                "platform": "linux/amd64",
                "python": "3.11.2",
                "libc": "glibc",
                "libc_version": "2.36",
            },
            "layers": [
                {"title": "l", "bytecode": False, "packages": ["libssl3=3.0.9:amd64", "tzdata=2024a-0:all"]}
            ],
            "builder": ["libc6-dev=2.36-9:amd64"],
        }
    },
    "interpreters": {
        "linux/amd64": ["libc6=2.36-9:amd64"],
        "linux/arm64": ["libc6=2.36-9:arm64", "libssl3=3.0.9:arm64"],
    },
    "packages": {f"{one['name']}={one['version']}:{one['architecture']}": one for one in _ROWS},
}
"""Images have `libssl3` and `tzdata`; the rest builds them."""

"""Make the locks of tools, ``ociwheel/tools.lock`` and ``ociwheel/zstd/tools.lock``.

``PYTHONPATH=pants-plugins python build-support/generate_tools_lock.py``, for whoever changes a version below.
Pinning is by hash; the files hold no host.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping

from ociwheel.errors import LockError, OciwheelError
from ociwheel.fetch.index import IndexClient
from ociwheel.fetch.simple_api import IndexFile, belongs_to
from ociwheel.fetch.toolbox import TOOLS_LOCK
from ociwheel.transport import settings
from ociwheel.zstd.wheels import ZSTD_LOCK

LIBRARIES = {
    "installer": "1.1.0",
    "packaging": "26.3",
    "pyelftools": "0.33",
    "pyproject-hooks": "1.3.3",
    "python-debian": "1.1.1",
}
NATIVE = {"zlib-ng": "1.1.0"}
ZSTD = {"zstandard": "0.25.0"}
PYTHONS = ("cp311", "cp312", "cp313", "cp314")
ZIG = ("ziglang", "0.17.1")
PIP = ("pip", "26.3")

# The end of our tag (see sandbox/__main__.py): what a wheel's platform tag starts and ends with.
MACHINES = {
    "linux-aarch64": ("manylinux", "aarch64"),
    "linux-x86_64": ("manylinux", "x86_64"),
    "macosx-arm64": ("macosx", "arm64"),
    "macosx-x86_64": ("macosx", "x86_64"),
}
Fits = Callable[[str, str, str], bool]


def _find(client: IndexClient, name: str, version: str, fits: Fits) -> dict[str, str]:
    """Return the first wheel, by file name, whose three tags fit."""
    found: dict[str, IndexFile] = {}
    for offer in client.offers(name):
        for file in offer.files:
            if not file.filename.endswith(".whl") or not belongs_to(file.filename, name, version):
                continue
            python, abi, platform = file.filename.removesuffix(".whl").split("-")[-3:]
            if file.sha256 and fits(python, abi, platform):
                found[file.filename] = file
    if not found:
        raise LockError("no wheel fits", where=f"{name} {version}")
    first = found[min(found)]
    return {"name": name, "version": version, "filename": first.filename, "sha256": str(first.sha256)}


def _pure(_python: str, _abi: str, platform: str) -> bool:
    return platform == "any"


def _on(machine: str) -> Callable[[str], bool]:
    start, end = MACHINES[machine]
    return lambda platform: any(
        tag.startswith(start) and tag.endswith((end, "universal2" if start == "macosx" else end))
        for tag in platform.split(".")
    )


def _native(client: IndexClient, wanted: Mapping[str, str]) -> Iterator[dict[str, str]]:
    for name, version in sorted(wanted.items()):
        for python in PYTHONS:
            for machine in sorted(MACHINES):
                on = _on(machine)

                def fits(
                    p: str, a: str, t: str, *, wanted: str = python, on: Callable[[str], bool] = on
                ) -> bool:
                    return p == a == wanted and on(t)

                yield {"tag": f"{python}-{machine}", **_find(client, name, version, fits)}


def make_lock(client: IndexClient) -> dict[str, object]:
    """Return the content of the lock."""
    zig = {}
    for machine in sorted(MACHINES):
        on = _on(machine)
        zig[machine] = _find(client, *ZIG, lambda _p, _a, t, on=on: on(t))  # type: ignore[misc]
    return {
        "lib": [_find(client, name, version, _pure) for name, version in sorted(LIBRARIES.items())],
        "native": list(_native(client, NATIVE)),
        "pip": _find(client, *PIP, _pure),
        "zig": zig,
    }


def main() -> int:
    """Write the locks and return the exit code."""
    try:
        client = IndexClient(settings.load())
        locks = {TOOLS_LOCK: make_lock(client), ZSTD_LOCK: {"native": list(_native(client, ZSTD))}}
    except OciwheelError as e:
        sys.stderr.write(f"error: {e.render()}\n")
        return e.exit_code
    for path, lock in locks.items():
        path.write_text(json.dumps(lock, indent=1, sort_keys=True) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

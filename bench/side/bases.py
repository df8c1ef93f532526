"""The base images, made from Debian packages and pushed to the local registry once."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

from bench.side.mirror import Mirror
from bench.side.site import FULL, SLIM, UV
from bench.sizes import bases
from bench.sizes.daemon import BridgelessEngine
from tests.support.registry_server import Registry

SUITE = "bookworm"
# What the official python:3.11 images end with; Debian's pip forgets what it compiled for a lock with hashes.
PIP = "pip-24.0-py3-none-any.whl"
_ADD_PIP = f"""\
FROM @RAW@
RUN --mount=type=bind,source={PIP},target=/{PIP} \\
    python3 /{PIP}/pip install --break-system-packages --no-cache-dir --no-index --ignore-installed \\
    --root-user-action=ignore /{PIP}
"""


def push_bases(registry: Registry, mirror: Mirror, work: Path) -> None:
    """Push the pair ``python:3.11`` and ``python:3.11-slim``, and uv; what is there already stays.

    :raises EngineError: an image cannot be made.
    """
    wanted = {FULL: bases.FULL, SLIM: bases.WITHOUT_PIP}
    missing = [name for name in wanted if not registry.tag(*name.split(":"))]
    if not missing and registry.tag(*UV.split(":")):
        return
    engine = BridgelessEngine(work / "e" / "bases")
    engine.start()
    try:
        for name in missing:
            tarball = bases.make(wanted[name], SUITE, _folder(work / "bases"))
            _push_python(engine, tarball, f"{registry.host}/{name}", _pip_context(mirror, work))
        _push_uv(engine, mirror, work, f"{registry.host}/{UV}")
    finally:
        engine.stop()


def _folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path


def _pip_context(mirror: Mirror, work: Path) -> Path:
    folder = _folder(work / "bases" / "pip")
    wheel = mirror.artifact("pip", PIP)
    if wheel is None:
        raise ValueError(f"no index has {PIP}")
    (folder / PIP).write_bytes(wheel.read_bytes())
    return folder


def _push_python(engine: BridgelessEngine, tarball: Path, name: str, context: Path) -> None:
    raw = "raw:latest"
    engine.import_base(tarball, raw)
    (context / "Dockerfile").write_text(_ADD_PIP.replace("@RAW@", raw))
    engine.docker("build", "--network", "none", "--tag", name, str(context))
    engine.docker("push", name)


def _push_uv(engine: BridgelessEngine, mirror: Mirror, work: Path, name: str) -> None:
    """Push an image of nothing but the program, as uv's guide copies it from."""
    files = [f for f in mirror.files("uv") if "manylinux" in f.filename and "x86_64" in f.filename]
    wheel = mirror.artifact("uv", files[-1].filename) if files else None
    if wheel is None:
        raise ValueError("no index has a wheel of uv for this machine")
    with zipfile.ZipFile(wheel) as archive:
        (member,) = [one for one in archive.namelist() if one.endswith("scripts/uv")]
        program = archive.read(member)
    file = work / "bases" / "uv.tar"
    with tarfile.open(file, "w") as tar:
        entry = tarfile.TarInfo("uv")
        entry.size, entry.mode = len(program), 0o755
        tar.addfile(entry, io.BytesIO(program))
    engine.docker("import", str(file), name)
    engine.docker("push", name)

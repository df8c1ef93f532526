"""The base images, made from Debian packages and pushed to the local registry once."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
import zipfile
from pathlib import Path

from bench.side.contenders.base import AMD64, ARM
from bench.side.mirror import Mirror
from bench.side.site import FULL, SLIM, UV, UV_VERSION, image_name
from bench.sizes import bases
from tests.support.engine import Engine, register_emulation
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


# By platform: Debian's name of the architecture, and that of wheels.
_ARCHITECTURES = {AMD64: ("amd64", "x86_64"), ARM: ("armhf", "armv7l")}


def push_bases(registry: Registry, mirror: Mirror, work: Path, platform: str = AMD64) -> None:
    """Push the pair ``python:3.11`` and ``python:3.11-slim``, and uv; what is there already stays.

    :raises EngineError: an image cannot be made.
    """
    wanted = {FULL: bases.FULL, SLIM: bases.WITHOUT_PIP, UV: None}
    names = {name: image_name(name, platform) for name in wanted}
    missing = [name for name in wanted if not registry.tag(*names[name].split(":"))]
    if not missing:
        return
    if platform != AMD64:
        register_emulation(platform)
    architecture, _ = _ARCHITECTURES[platform]
    engine = Engine(work / "e" / "bases", publishes=False)
    engine.start()
    try:
        for name in missing:
            target = f"{registry.host}/{names[name]}"
            base = wanted[name]
            if base is None:
                _push_uv(engine, mirror, work, target, platform)
            else:
                tarball = bases.make(base, SUITE, _folder(work / "bases"), architecture)
                _push_python(engine, tarball, target, platform, _pip_context(mirror, work))
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


def _load(engine: Engine, tarball: Path, name: str, platform: str) -> None:
    """Load a root file system as an image of a platform; `docker import` makes one of this machine's."""
    system, machine, *variant = platform.split("/")
    with tarball.open("rb") as source:
        layer = hashlib.file_digest(source, "sha256").hexdigest()
    config: dict[str, object] = {
        "os": system,
        "architecture": machine,
        "config": {
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"]
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer}"]},
    }
    if variant:
        config["variant"] = variant[0]
    documents = {
        "config.json": config,
        "manifest.json": [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}],
    }
    archive = tarball.with_suffix(".image.tar")
    with tarfile.open(archive, "w") as tar:
        tar.add(tarball, "layer.tar")
        for member, document in documents.items():
            data = json.dumps(document).encode()
            entry = tarfile.TarInfo(member)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    engine.load(archive)
    archive.unlink()


def _push_python(engine: Engine, tarball: Path, name: str, platform: str, context: Path) -> None:
    raw = "raw:latest"
    _load(engine, tarball, raw, platform)
    (context / "Dockerfile").write_text(_ADD_PIP.replace("@RAW@", raw))
    engine.docker("build", "--platform", platform, "--network", "none", "--tag", name, str(context))
    engine.docker("push", name)


def _push_uv(engine: Engine, mirror: Mirror, work: Path, name: str, platform: str) -> None:
    """Push an image of nothing but the program, as uv's guide copies it from."""
    _, machine = _ARCHITECTURES[platform]
    plain = re.compile(rf"uv-{re.escape(UV_VERSION)}-.*manylinux.*{machine}.*\.whl")
    files = [file.filename for file in mirror.files("uv") if plain.fullmatch(file.filename)]
    wheel = mirror.artifact("uv", files[0]) if files else None
    if wheel is None:
        raise ValueError(f"no index has a wheel of uv {UV_VERSION} for {machine}")
    with zipfile.ZipFile(wheel) as archive:
        (member,) = [one for one in archive.namelist() if one.endswith("scripts/uv")]
        program = archive.read(member)
    file = work / "bases" / "uv.tar"
    with tarfile.open(file, "w") as tar:
        entry = tarfile.TarInfo("uv")
        entry.size, entry.mode = len(program), 0o755
        tar.addfile(entry, io.BytesIO(program))
    _load(engine, file, name, platform)
    engine.docker("push", name)

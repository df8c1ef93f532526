"""Makes a pair like `python:3.11-slim` and `python:3.11` from Debian packages, and pushes it to a registry.

``python -m tests.support.base_pair --registry 127.0.0.1:5000 --work DIR [PLATFORM ...]``

Packages are extracted by mmdebstrap and none of their scripts runs, so that any architecture can be made on any
machine. Python is Debian's and lies in /usr, unlike in the official images: nobody may take a place for granted.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ociwheel.fetch import apt_sources
from ociwheel.platforms import Platform, platform

SUITE = "bookworm"
SLIM = "python:3.11-slim"
FULL = "python:3.11"
PLATFORMS = ("linux/amd64", "linux/arm64", "linux/arm/v7")
_RUNTIME = (
    *("base-files", "base-passwd", "libc6", "dash", "coreutils", "ca-certificates", "netbase", "tzdata"),
    *("libstdc++6", "python3.11", "python3-distutils"),
)
_BUILDER = (*_RUNTIME, "libc6-dev", "libffi-dev", "libpython3.11-dev", "zlib1g-dev")
_EPOCH = "1970-01-01T00:00:00Z"
# What maintainer scripts would do and a base image has: merged /usr, users, the bundle of certificates.
_LINKS = 'cd "$1"; for d in bin sbin lib lib64; do mkdir -p usr/$d; ln -s usr/$d $d; done'
_FINISH = (
    'cd "$1"; cp usr/share/base-passwd/passwd.master etc/passwd; cp usr/share/base-passwd/group.master etc/group;'
    " mkdir -p etc/ssl/certs;"
    " cat usr/share/ca-certificates/mozilla/*.crt > etc/ssl/certs/ca-certificates.crt"
)


@dataclass(frozen=True)
class Pair:
    """The names of the two images in a registry."""

    image: str
    builder_image: str


def make_pair(registry: str, work: Path, platforms: Sequence[str] = PLATFORMS) -> Pair:
    """Make both images and push them.

    :param registry: host and port.
    :param work: an empty folder for intermediate files.
    """
    work.mkdir(parents=True, exist_ok=True)
    rows = [platform(name) for name in platforms]
    jobs = [(role, packages, row) for role, packages in ((SLIM, _RUNTIME), (FULL, _BUILDER)) for row in rows]
    with ThreadPoolExecutor(2) as pool:
        trees = list(pool.map(lambda job: _extract(job[2], job[1], work / _slug(job[0], job[2])), jobs))
    for role in (SLIM, FULL):
        made = {job[2]: tree for job, tree in zip(jobs, trees, strict=True) if job[0] == role}
        push(write_layout(work / f"oci-{role.replace(':', '-')}", made), f"{registry}/{role}")
    return Pair(f"{registry}/{SLIM}", f"{registry}/{FULL}")


def _slug(role: str, row: Platform) -> str:
    return f"{role.replace(':', '-')}-{row.slug}.tar"


def _extract(row: Platform, packages: Iterable[str], tar: Path) -> Path:
    """Extract packages of one architecture into a tar archive."""
    # Not the machine's own sources: updates of some architectures may be out of step with the release.
    mirrors = apt_sources.mirrors(apt_sources.read_sources(Path("/etc/apt")))["debian"]
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    sources = [f"deb [signed-by={keyring}] {mirror} {SUITE} main" for mirror in mirrors]
    command = [
        *("mmdebstrap", "--quiet", "--mode=root", "--variant=extract", "--skip=check/qemu,tar-in/mknod"),
        *(f"--architectures={row.debian}", f"--include={','.join(packages)}"),
        *(f"--setup-hook={_LINKS}", f"--extract-hook={_FINISH}"),
        *("--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*"),
        *(SUITE, str(tar), "-"),
    ]
    subprocess.run(command, input="\n".join(sources), text=True, check=True, stdout=subprocess.DEVNULL)
    return tar


def write_layout(folder: Path, trees: Mapping[Platform, Path]) -> Path:
    """Write an OCI layout with one layer per platform."""
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)
    manifests = []
    for row, tree in trees.items():
        diff_id = hashlib.sha256()
        packed = folder / "layer"
        with tree.open("rb") as source, gzip.GzipFile(packed, "wb", compresslevel=1, mtime=0) as sink:
            while chunk := source.read(1 << 20):
                diff_id.update(chunk)
                sink.write(chunk)
        layer = _adopt(blobs, packed, "application/vnd.oci.image.layer.v1.tar+gzip")
        config = {
            "created": _EPOCH,
            **row.oci_dict(),
            "config": {
                "Env": ["PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "PYTHON_VERSION=3.11.2"],
                "Cmd": ["python3.11"],
                "Labels": {"org.opencontainers.image.source": "tests"},
            },
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{diff_id.hexdigest()}"]},
            "history": [
                {"created": _EPOCH, "created_by": "/bin/sh -c #(nop) ADD file:rootfs in / "},
                {"created": _EPOCH, "created_by": 'CMD ["python3.11"]', "empty_layer": True},
            ],
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": _write(blobs, config, "application/vnd.oci.image.config.v1+json"),
            "layers": [layer],
        }
        manifests.append({**_write(blobs, manifest, str(manifest["mediaType"])), "platform": row.oci_dict()})
    kind = "application/vnd.oci.image.index.v1+json"
    index = _write(blobs, {"schemaVersion": 2, "mediaType": kind, "manifests": manifests}, kind)
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [index]}))
    return folder


def _write(blobs: Path, value: Any, kind: str) -> dict[str, Any]:
    data = json.dumps(value, sort_keys=True).encode()
    digest = hashlib.sha256(data).hexdigest()
    (blobs / digest).write_bytes(data)
    return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(data)}


def _adopt(blobs: Path, file: Path, kind: str) -> dict[str, Any]:
    with file.open("rb") as source:
        digest = hashlib.file_digest(source, "sha256").hexdigest()
    size = file.stat().st_size
    shutil.move(file, blobs / digest)
    return {"mediaType": kind, "digest": f"sha256:{digest}", "size": size}


def push(layout: Path, name: str) -> None:
    """Copy a layout with all its platforms to a registry on this machine."""
    command = ["skopeo", "copy", "--quiet", "--all", "--preserve-digests", "--insecure-policy"]
    names = ["--dest-tls-verify=false", f"oci:{layout}", f"docker://{name}"]
    subprocess.run([*command, *names], check=True, stdin=subprocess.DEVNULL)


def main() -> None:
    """Make the pair from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--registry", required=True, metavar="HOST:PORT")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="empty folder")
    parser.add_argument("platforms", nargs="*", default=PLATFORMS, metavar="PLATFORM")
    args = parser.parse_args()
    start = time.monotonic()
    pair = make_pair(args.registry, args.work, args.platforms)
    print(f"{pair.image} and {pair.builder_image}: {time.monotonic() - start:.1f} s", file=sys.stderr)


if __name__ == "__main__":
    main()

"""Makes a pair like ``python:3.11-slim`` and ``python:3.11`` from Debian packages, for a registry or as OCI layouts.

Packages are extracted by mmdebstrap and none of their scripts runs, so that any architecture can be made on
any machine. Python is Debian's and lies in /usr, unlike in the official images: nobody may take a place for
granted. The same packages give the same digests; a layer that was made once is taken from a cache.
"""

from __future__ import annotations

import argparse
import fcntl
import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from ociwheel.platforms import Platform, platform
from ociwheel.transport import apt_sources, settings
from ociwheel.transport.connection import Response
from ociwheel.transport.network import Network

SUITE = "bookworm"
PLATFORMS = ("linux/amd64", "linux/arm64", "linux/arm/v7")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

ERROR_LINES = 20

_OCI = "application/vnd.oci.image"
_EPOCH = "1970-01-01T00:00:00Z"
_RUNTIME = (
    *("base-files", "base-passwd", "libc6", "dash", "coreutils", "ca-certificates", "netbase", "tzdata"),
    *("libstdc++6", "python3.11", "python3-distutils", "python-is-python3"),
    # Not in the official slim image; what PyYAML needs where it has no wheel.
    "libyaml-0-2",
)
_HEADERS = (
    *("libc6-dev", "libffi-dev", "libgcc-12-dev", "libpython3.11-dev", "libstdc++-12-dev", "libyaml-dev"),
    "zlib1g-dev",
)
# What maintainer scripts would do and a base image has: merged /usr, users, certificates, the name of the compiler.
_LINKS = 'cd "$1"; for d in bin sbin lib lib64; do mkdir -p usr/$d; ln -s usr/$d $d; done'
_FINISH = """\
cd "$1"
for f in passwd group; do [ ! -e usr/share/base-passwd/$f.master ] || cp usr/share/base-passwd/$f.master etc/$f; done
mkdir -p etc/ssl/certs
[ ! -e usr/share/ca-certificates ] || cat usr/share/ca-certificates/mozilla/*.crt > etc/ssl/certs/ca-certificates.crt
[ ! -e usr/bin/gcc ] || ln -s gcc usr/bin/cc
rm -rf usr/share/doc/* usr/share/man/* usr/share/info/* usr/share/lintian/* usr/share/locale/* etc/apt/sources.list
"""


class PairError(Exception):
    """An image that could not be made, or pushed."""


@dataclass(frozen=True)
class Recipe:
    """One of the two images: its name, and the Debian packages it is made of, beside what they depend on."""

    name: str
    packages: tuple[str, ...]
    finish: str = ""
    """A shell script more, which runs in the file system's root."""

    @property
    def slug(self) -> str:
        """The name as a folder's."""
        return self.name.replace(":", "-")

    def plus(self, packages: Sequence[str]) -> Recipe:
        """Return the recipe with further packages."""
        return replace(self, packages=(*self.packages, *packages))


SLIM = Recipe("python:3.11-slim", _RUNTIME)
FULL = Recipe("python:3.11", (*_RUNTIME, *_HEADERS))
DISTROLESS = Recipe(
    "distroless/python:3.11",
    ("base-files", "base-passwd", "ca-certificates", "libstdc++6", "libyaml-0-2", "python3.11", "tzdata"),
    """\
find usr/bin usr/sbin -mindepth 1 ! -name 'python3*' -delete
rm -rf var/lib/dpkg usr/share/debconf usr/share/perl5
echo nonroot:x:65532:65532::/home/nonroot:/sbin/nologin >> etc/passwd
echo nonroot:x:65532: >> etc/group
""",
)
"""No shell and no package database, as distroless images are."""


@dataclass(frozen=True)
class Layer:
    """A layer in the cache."""

    blob: Path
    digest: str
    diff_id: str
    media_type: str = f"{_OCI}.layer.v1.tar+gzip"

    def descriptor(self) -> dict[str, Any]:
        """Return its descriptor."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.blob.stat().st_size}


def cache_folder() -> Path:
    """Return where layers are kept between runs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "slim-python-image/base-pair"


def debian_mirrors() -> tuple[str, ...]:
    """Return the mirrors that this machine's apt uses.

    Not apt's whole list of sources: updates of some architectures may be out of step with the release.
    """
    return tuple(apt_sources.mirrors(apt_sources.read_sources(Path("/etc/apt")))["debian"])


class Kitchen:
    """Makes layers, each once.

    :param cache: the folder that keeps them; runs at the same time wait for each other there.
    """

    def __init__(self, cache: Path | None = None) -> None:
        self._cache = cache or cache_folder()
        self._cache.mkdir(parents=True, exist_ok=True)
        self._mirrors = debian_mirrors()
        where = f"{self._mirrors[0].rstrip('/')}/dists/{SUITE}/InRelease"
        signed: bytes = Network(settings.load()).get(where, Response.read)
        # The release names the hash of every package index: it stands for the versions of all packages.
        self._release = hashlib.sha256(signed).hexdigest()

    def layer(self, recipe: Recipe, row: Platform) -> Layer:
        """Return the file system of an image."""
        inputs = [self._release, SUITE, row.debian, sorted(recipe.packages), _LINKS, _FINISH + recipe.finish]
        key = hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:32]
        blob, facts = self._cache / f"{key}.tar.gz", self._cache / f"{key}.json"
        with (self._cache / f"{key}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not facts.exists():
                made = self._make(recipe, row, blob)
                partial = facts.with_suffix(".partial")
                partial.write_text(json.dumps(made))
                partial.rename(facts)
        return Layer(blob, **json.loads(facts.read_bytes()))

    def _make(self, recipe: Recipe, row: Platform, blob: Path) -> dict[str, str]:
        sources = "".join(f"deb [signed-by={KEYRING}] {mirror} {SUITE} main\n" for mirror in self._mirrors)
        command = [
            *("mmdebstrap", "--quiet", "--mode=root", "--variant=extract", "--format=tar"),
            "--skip=check/qemu,output/dev",
            *(f"--architectures={row.debian}", f"--include={','.join(recipe.packages)}"),
            *(f"--setup-hook={_LINKS}", f"--extract-hook={_FINISH}{recipe.finish}"),
            *(SUITE, "-", "-"),
        ]
        env = {**os.environ, "SOURCE_DATE_EPOCH": "0"}
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
            given.write(sources.encode())
            given.seek(0)
            with subprocess.Popen(command, stdin=given, stdout=subprocess.PIPE, stderr=said, env=env) as made:
                assert made.stdout is not None
                diff_id = compress(made.stdout, blob)
            if made.returncode != 0:
                said.seek(0)
                end = "\n".join(said.read().decode(errors="replace").splitlines()[-ERROR_LINES:])
                raise PairError(f"mmdebstrap could not make {recipe.name} for {row.oci}:\n{end}")
        with blob.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return {"digest": f"sha256:{digest}", "diff_id": diff_id}


def compress(archive: IO[bytes], blob: Path) -> str:
    """Write an archive to a file, compressed, and return its digest before."""
    digest = hashlib.sha256()
    with gzip.GzipFile(blob, "wb", compresslevel=1, mtime=0) as sink:
        while chunk := archive.read(1 << 20):
            digest.update(chunk)
            sink.write(chunk)
    return f"sha256:{digest.hexdigest()}"


def added_layer(archive: bytes, blob: Path) -> Layer:
    """Write a tar archive to a file, as a layer."""
    diff_id = compress(io.BytesIO(archive), blob)
    return Layer(blob, f"sha256:{hashlib.sha256(blob.read_bytes()).hexdigest()}", diff_id)


def write_layout(folder: Path, layers: Mapping[Platform, Sequence[Layer]]) -> Path:
    """Write an OCI layout of an image, from its layers by platform; they are links to where they are."""
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)

    def put(value: Any, kind: str) -> dict[str, Any]:
        data = json.dumps(value, sort_keys=True).encode()
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": f"{_OCI}.{kind}", "digest": f"sha256:{digest}", "size": len(data)}

    manifests = []
    for row, own in layers.items():
        for layer in own:
            (blobs / layer.digest.partition(":")[2]).symlink_to(layer.blob.absolute())
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{_OCI}.manifest.v1+json",
            "config": put(configuration(row, own), "config.v1+json"),
            "layers": [layer.descriptor() for layer in own],
        }
        manifests.append({**put(manifest, "manifest.v1+json"), "platform": row.oci_dict()})
    index = {"schemaVersion": 2, "mediaType": f"{_OCI}.index.v1+json", "manifests": manifests}
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    root = put(index, "index.v1+json")
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [root]}))
    return folder


def configuration(row: Platform, layers: Sequence[Layer]) -> dict[str, Any]:
    """Return an image's configuration, with what official images say and images built on it inherit."""
    return {
        "created": _EPOCH,
        **row.oci_dict(),
        "config": {
            "Env": ["PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "PYTHON_VERSION=3.11.2"],
            "Cmd": ["python3"],
            "Labels": {"org.opencontainers.image.source": "tests"},
        },
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
        "history": [
            *({"created": _EPOCH, "created_by": "/bin/sh -c #(nop) ADD file:rootfs in / "} for _ in layers),
            {"created": _EPOCH, "created_by": 'CMD ["python3"]', "empty_layer": True},
        ],
    }


def make_layouts(
    folder: Path,
    platforms: Sequence[str] = PLATFORMS,
    recipes: Sequence[Recipe] = (SLIM, FULL),
    *,
    cache: Path | None = None,
) -> dict[str, Path]:
    """Make images, and return their OCI layouts by name.

    :param folder: gets a folder per image; one that is there is replaced.
    """
    kitchen = Kitchen(cache)
    jobs = [(recipe, platform(name)) for recipe in recipes for name in platforms]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        layers = list(pool.map(lambda job: kitchen.layer(*job), jobs))
    layouts = {}
    for recipe in recipes:
        place = folder / recipe.slug
        shutil.rmtree(place, ignore_errors=True)
        own = {job[1]: [layer] for job, layer in zip(jobs, layers, strict=True) if job[0] == recipe}
        layouts[recipe.name] = write_layout(place, own)
    return layouts


def push(layout: Path, name: str) -> None:
    """Copy a layout with all its platforms to a registry on this machine.

    :raises PairError: it does not arrive.
    """
    command = ["skopeo", "copy", "--quiet", "--all", "--preserve-digests", "--insecure-policy"]
    names = ["--dest-tls-verify=false", f"oci:{layout}", f"docker://{name}"]
    done = subprocess.run(
        [*command, *names], check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise PairError(f"skopeo could not push {name}:\n{done.stderr}")


def main() -> int:
    """Make the pair from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--registry", metavar="HOST:PORT", help="push both images there, without TLS")
    parser.add_argument("--layouts", type=Path, metavar="DIR", help="keep both as OCI layouts in this folder")
    parser.add_argument("--cache", type=Path, metavar="DIR", help=f"keeps layers ({cache_folder()})")
    for recipe, option in ((SLIM, "slim"), (FULL, "full")):
        parser.add_argument(
            f"--{option}-package",
            action="append",
            default=[],
            metavar="NAME",
            help=f"a Debian package more in {recipe.name}, such as python3-pip",
        )
    parser.add_argument("platforms", nargs="*", metavar="PLATFORM", help=f"default: {' '.join(PLATFORMS)}")
    args = parser.parse_args()
    if not args.registry and not args.layouts:
        parser.error("name a --registry, a folder for --layouts, or both")
    start = time.monotonic()
    recipes = (SLIM.plus(args.slim_package), FULL.plus(args.full_package))
    try:
        with tempfile.TemporaryDirectory(prefix="base-pair-") as scratch:
            folder = args.layouts or Path(scratch)
            layouts = make_layouts(folder, args.platforms or PLATFORMS, recipes, cache=args.cache)
            for name, layout in layouts.items():
                if args.registry:
                    push(layout, f"{args.registry}/{name}")
                print(f"{args.registry}/{name}" if args.registry else layout)
    except PairError as e:
        sys.stderr.write(f"{e}\n")
        return 1
    sys.stderr.write(f"made in {time.monotonic() - start:.1f} s\n")
    return 0

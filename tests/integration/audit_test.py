"""Images that could not start: planted faults, and the messages of ``./pants package`` about them, read whole."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ociwheel_testing.elf_writer import Elf, elf_bytes
from ociwheel_testing.wheel_writer import write_wheel

from tests.integration.repository import BASE, Caches, Repository, make_repository, stopped
from tests.support.opening import CAIROCFFI, MAGIC, WEASYPRINT

pytestmark = pytest.mark.slow

SITE = "app/lib/python3.11/site-packages"
TAG = "cp311-cp311-manylinux_2_17_x86_64"
OTHERWISE = (
    "  -> choose another version of the wheel, build it from its sdist, or name the file or the library in "
    "accept_missing of the image"
)
ARM64 = 183


# Modules without the interpreter's tag in their names: what makes them modules is a function.
MODULES = ("_algebra", "_bundle", "_gpu", "_psycopg", "aarch64", "modern", "packed", "x86_64")


def module(*needed: str, glibc: str = "GLIBC_2.17", **fields: object) -> bytes:
    """Return an extension module for amd64 that needs libraries."""
    versions = {"libc.so.6": [glibc]}
    names = [f"PyInit_{name}" for name in MODULES]
    return elf_bytes(
        Elf(needed=[*needed, "libc.so.6"], needed_versions=versions, names=names, **fields)  # type: ignore[arg-type]
    )


# By name: what a wheel of that name holds.
WHEELS: Mapping[str, Mapping[str, bytes]] = {
    "sound": {"sound.so": module()},
    "database": {"database/_psycopg.so": module("libpq.so.5")},
    "smuggled": {"smuggled.cpython-311-x86_64-linux-gnu.so": module(machine=ARM64)},
    "helper": {"helper.so": module(), "helper/agent": module(machine=ARM64, interp="/lib/ld-linux.so.1")},
    "modern": {"modern.so": module(glibc="GLIBC_2.38")},
    "bundle": {
        "bundle/_bundle.so": module("libmiddle-1a2b.so", runpath=["$ORIGIN/../bundle.libs"]),
        "bundle.libs/libmiddle-1a2b.so": module("libxslt.so.1", soname="libmiddle-1a2b.so"),
    },
    "graphics": {"graphics/_gpu.so": module("libnothing.so.1")},
    # What only native code opens, and what the machine's driver brings.
    "cluster": {
        "cluster/_gpu.so": module("libcuda.so.1"),
        "cluster/lib/libmpi_rdma.so": module("librdmacm.so.1"),
    },
    # What its own Python code opens by name, and what of the system.
    "booster": {
        "booster/__init__.py": b'import ctypes\n\nctypes.CDLL(__path__[0] + "/lib/lib_booster.so")\n',
        "booster/lib/lib_booster.so": module("libgomp.so.1", soname="lib_booster.so"),
    },
    "opener": {
        "opener.py": b'import ctypes.util\n\nMAGIC = ctypes.CDLL(ctypes.util.find_library("magic"))\n'
    },
    # What importing it opens, and cannot do without.
    "canvas": {"canvas/__init__.py": CAIROCFFI.encode()},
    "press": {"press/__init__.py": b"from .text import ffi\n", "press/text/ffi.py": WEASYPRINT.encode()},
    "sniffer": {
        "sniffer/__init__.py": b"from . import loader\n\nlibmagic = loader.load_lib()\n",
        "sniffer/loader.py": MAGIC.encode(),
    },
    # A program, as the node that playwright brings.
    "browser": {"browser/driver/node": module("libatomic.so.1", interp="/lib64/ld-linux-x86-64.so.2")},
    "packed": {"packed.so": module(relr=True)},
    "algebra": {"algebra/_algebra.so": module("libblas.so.3", "liblapack.so.3")},
    # As the modules of PyQt6: each needs what all of them need.
    "windows": {
        f"windows/{name}.abi3.so": module("libGL.so.1", "libEGL.so.1") for name in ("core", "gui", "web")
    },
    # "Any platform", with the program of one in it: some projects ship all of them.
    "everywhere": {"everywhere/x86_64.so": module(), "everywhere/aarch64.so": module(machine=ARM64)},
}


@pytest.fixture(scope="module")
def repository(
    tmp_path_factory: pytest.TempPathFactory, plugin: Path, caches: Caches
) -> Iterator[Repository]:
    """Give a repository with one image per wheel."""
    folder = tmp_path_factory.mktemp("audit")
    with stopped(make_repository(folder / "repository", caches, plugin=plugin)) as made:
        lines = []
        build = ['python_sources(name="lib")\n']
        for name, files in WHEELS.items():
            tag = "py3-none-any" if name == "everywhere" else TAG
            wheel = write_wheel(folder / "wheels", name, tag=tag, files=files)
            lines.append(f"{name}==1.0 --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n")
            build.append(image(name))
        toml = (made.root / "pants.toml").read_text()
        made.write("pants.toml", f'{toml}\n[python-repos]\nfind_links = ["{(folder / "wheels").as_uri()}"]\n')
        made.write("3rdparty/python/BUILD", 'python_requirements(name="reqs")\n')
        made.write("3rdparty/python/requirements.txt", "".join(f"{name}\n" for name in WHEELS))
        made.write("3rdparty/python/default.lock", "".join(lines))
        made.write("src/app/app.py", "")
        made.write("src/app/BUILD", "".join(build))
        yield made


def image(name: str, *, accept: str = "[]", wheels: tuple[str, ...] = ()) -> str:
    """Return the target of an image with wheels, by default the one of its own name."""
    requirements = [f"3rdparty/python:reqs#{wheel}" for wheel in wheels or (name,)]
    return (
        f'slim_python_image(name="{name}", entry_point="app", base="{BASE}", platforms=["linux/amd64"], '
        f'dependencies=[":lib", {", ".join(map(repr, requirements))}], accept_missing={accept})\n'
    )


@contextlib.contextmanager
def added(repository: Repository, target: str) -> Iterator[None]:
    """Add a target to the BUILD file, for a while."""
    build = repository.root / "src/app/BUILD"
    before = build.read_text()
    build.write_text(before + target)
    try:
        yield
    finally:
        build.write_text(before)


def add(package: str) -> str:
    return (
        f'  -> add "{package}" to extra_packages of 3rdparty/debian:bookworm-py311, then run: '
        "./pants generate-lockfiles --resolve=bookworm-py311"
    )


def test_psycopg2_on_a_base_without_libpq(repository: Repository) -> None:
    assert repository.failure("src/app:database").splitlines() == [
        "SlimImageError: src/app:database: 1 file of the image for linux/amd64 cannot be loaded:",
        (
            f"  database 1.0: /{SITE}/database/_psycopg.so needs libpq.so.5, which is not in the image; "
            "Debian's libpq5 has it"
        ),
        add("libpq5"),
    ]


def test_a_wheel_of_the_wrong_machine_under_a_name_of_the_right_one(repository: Repository) -> None:
    assert repository.failure("src/app:smuggled") == (
        f"SlimImageError: src/app:smuggled: smuggled 1.0: /{SITE}/smuggled.cpython-311-x86_64-linux-gnu.so is code for linux/arm64, "
        "not for linux/amd64\n  -> choose another version of the wheel, or build it from its sdist"
    )


def test_a_program_for_another_machine_in_a_wheel_of_the_right_one(repository: Repository) -> None:
    assert repository.failure("src/app:helper").splitlines() == [
        "SlimImageError: src/app:helper: 1 file of the image for linux/amd64 cannot be loaded:",
        f"  helper 1.0: /{SITE}/helper/agent is code for linux/arm64, not for linux/amd64",
        OTHERWISE,
    ]


def test_a_library_for_a_newer_libc_than_that_of_the_base(repository: Repository) -> None:
    lock = json.loads((repository.root / "3rdparty/debian/bookworm-py311.lock").read_bytes())
    (libc,) = {package["version"] for package in lock["packages"].values() if package["name"] == "libc6"}
    assert repository.failure("src/app:modern").splitlines() == [
        "SlimImageError: src/app:modern: 1 file of the image for linux/amd64 cannot be loaded:",
        (
            f"  modern 1.0: /{SITE}/modern.so needs GLIBC_2.38 of libc.so.6, but libc6 {libc} has versions up "
            "to GLIBC_2.36: the file was built for a newer system"
        ),
        OTHERWISE,
    ]


def test_a_missing_library_of_a_library(repository: Repository) -> None:
    assert repository.failure("src/app:bundle").splitlines() == [
        "SlimImageError: src/app:bundle: 1 file of the image for linux/amd64 cannot be loaded:",
        (
            f"  bundle 1.0: /{SITE}/bundle.libs/libmiddle-1a2b.so needs libxslt.so.1, which is not in the "
            "image; Debian's libxslt1.1 has it"
        ),
        add("libxslt1.1"),
    ]


def test_a_library_that_python_code_opens_by_name(repository: Repository) -> None:
    assert repository.failure("src/app:booster").splitlines() == [
        "SlimImageError: src/app:booster: 1 file of the image for linux/amd64 cannot be loaded:",
        (
            f"  booster 1.0: /{SITE}/booster/lib/lib_booster.so needs libgomp.so.1, which is not in the image; "
            "Debian's libgomp1 has it"
        ),
        add("libgomp1"),
    ]


def test_a_library_of_the_system_that_python_code_opens_by_name(repository: Repository) -> None:
    said = repository.package("src/app:opener", daemon=True).stderr
    told = "opener 1.0: its code opens libraries that are not in the image: magic (Debian's libmagic1 has it)"
    assert [line for line in said.splitlines() if line.startswith("  note: ")] == [f"  note: {told}"]


def test_blas_has_a_package(repository: Repository) -> None:
    assert repository.failure("src/app:algebra").splitlines() == [
        "SlimImageError: src/app:algebra: 1 file of the image for linux/amd64 cannot be loaded:",
        *(
            f"  algebra 1.0: /{SITE}/algebra/_algebra.so needs {library}.so.3, which is not in the image; "
            f"Debian's {library}3 has it"
            for library in ("libblas", "liblapack")
        ),
        add('libblas3", "liblapack3'),
    ]


def test_faults_are_told_by_library(repository: Repository) -> None:
    assert repository.failure("src/app:windows").splitlines() == [
        "SlimImageError: src/app:windows: 3 files of the image for linux/amd64 cannot be loaded, for 2 libraries:",
        *(
            f"  {library}.so.1, which is not in the image; Debian's {package} has it: needed by 3 files of "
            f"windows 1.0, first /{SITE}/windows/core.abi3.so"
            for library, package in (("libEGL", "libegl1"), ("libGL", "libgl1"))
        ),
        add('libegl1", "libgl1'),
    ]


def test_a_program_that_lacks_a_library(repository: Repository) -> None:
    assert repository.failure("src/app:browser").splitlines() == [
        "SlimImageError: src/app:browser: 1 file of the image for linux/amd64 cannot be loaded:",
        (
            f"  browser 1.0: /{SITE}/browser/driver/node needs libatomic.so.1, which is not in the image; "
            "Debian's libatomic1 has it"
        ),
        add("libatomic1"),
    ]


def test_what_importing_a_distribution_opens(repository: Repository) -> None:
    """As weasyprint, cairocffi and python-magic, whose import fails without."""
    faults = [
        f"{where} opens {name} when it is imported, but the image lacks it; Debian's {package} has it"
        for where, name, package in (
            (f"canvas 1.0: /{SITE}/canvas/__init__.py", "cairo", "libcairo2"),
            (f"press 1.0: /{SITE}/press/text/ffi.py", "libpango-1.0.so.0", "libpango-1.0-0"),
            (f"sniffer 1.0: /{SITE}/sniffer/loader.py", "magic", "libmagic1"),
        )
    ]
    optional = (
        "press 1.0: its code opens libraries that are not in the image: harfbuzz-subset (Debian's "
        "libharfbuzz-subset0 has it)"
    )
    wheels = ("canvas", "press", "sniffer")
    with added(repository, image("early", wheels=wheels)):
        assert repository.failure("src/app:early").splitlines() == [
            "SlimImageError: src/app:early: 3 files of the image for linux/amd64 cannot be loaded, for 3 libraries:",
            *(f"  {fault}" for fault in faults),
            add('libcairo2", "libmagic1", "libpango-1.0-0'),
        ]
    accept = '["cairo", "libpango-1.0.so.*", "magic"]'
    with added(repository, image("early", wheels=wheels, accept=accept)):
        told = repository.package("src/app:early", daemon=True).stderr
    assert report(repository, "early")["accepted"] == faults
    assert [line for line in told.splitlines() if line.startswith("  note: ")] == [f"  note: {optional}"]


def test_relocations_that_the_loader_refuses(repository: Repository) -> None:
    assert repository.failure("src/app:packed").splitlines() == [
        "SlimImageError: src/app:packed: 1 file of the image for linux/amd64 cannot be loaded:",
        (
            f"  packed 1.0: /{SITE}/packed.so has packed relocations (DT_RELR), which glibc refuses without a "
            "need for GLIBC_ABI_DT_RELR"
        ),
        OTHERWISE,
    ]


def test_all_faults_come_at_once(repository: Repository) -> None:
    with added(repository, image("all", wheels=("bundle", "database", "graphics", "modern", "sound"))):
        said = repository.failure("src/app:all").splitlines()
    assert (
        said[0]
        == "SlimImageError: src/app:all: 4 files of the image for linux/amd64 cannot be loaded, for 4 libraries:"
    )
    assert [line.split(":")[0].strip() for line in said[1:5]] == [
        "bundle 1.0",
        "database 1.0",
        "graphics 1.0",
        "modern 1.0",
    ]
    assert said[5:] == [add('libpq5", "libxslt1.1')]


def test_what_an_image_accepts_is_in_its_report(repository: Repository) -> None:
    fault = (
        f"graphics 1.0: /{SITE}/graphics/_gpu.so needs libnothing.so.1, which is not in the image (no Debian "
        "package known for it)"
    )
    assert repository.failure("src/app:graphics").splitlines() == [
        "SlimImageError: src/app:graphics: 1 file of the image for linux/amd64 cannot be loaded:",
        f"  {fault}",
        OTHERWISE,
    ]
    repository.edit(
        "src/app/BUILD", image("graphics"), image("graphics", accept='["libnothing.so.*", "libother.so"]')
    )
    repository.package("src/app:graphics", daemon=True)
    assert report(repository, "graphics")["accepted"] == [fault]


def test_what_nothing_starts_or_needs_is_told_and_packaged(repository: Repository) -> None:
    said = repository.package("src/app:cluster", daemon=True).stderr
    notes = [
        "cluster 1.0: 1 file not loadable without the machine's driver: libcuda.so.1",
        (
            "cluster 1.0: 1 file not loadable, which no module, program or library opened by name needs: "
            "librdmacm.so.1"
        ),
    ]
    assert [line for line in said.splitlines() if line.startswith("  note: ")] == [
        f"  note: {n}" for n in notes
    ]
    assert [
        fault.split(" needs ")[1].split(",")[0] for fault in report(repository, "cluster")["not_loadable"]
    ] == [
        "libcuda.so.1",
        "librdmacm.so.1",
    ]
    strict = image("strict", wheels=("cluster",)).replace("accept_missing=[]", "strict_audit=True")
    with added(repository, strict):
        assert repository.failure("src/app:strict").splitlines() == [
            "SlimImageError: src/app:strict: 2 files of the image for linux/amd64 cannot be loaded, for 2 libraries:",
            (
                f"  cluster 1.0: /{SITE}/cluster/_gpu.so needs libcuda.so.1, which is not in the image (no "
                "Debian package known for it)"
            ),
            (
                f"  cluster 1.0: /{SITE}/cluster/lib/libmpi_rdma.so needs librdmacm.so.1, which is not in the "
                "image; Debian's librdmacm1 has it"
            ),
            add("librdmacm1"),
        ]


def test_the_report_names_packages_that_no_file_needs(repository: Repository) -> None:
    repository.package("src/app:sound", daemon=True)
    audit = report(repository, "sound")
    assert audit["accepted"] == []
    assert audit["unused_packages"] == ["libstdc++6", "libyaml-0-2"]
    assert audit["elf_files"] > 50


def test_a_wheel_for_any_platform_with_code_for_some(repository: Repository) -> None:
    assert repository.failure("src/app:everywhere").splitlines() == [
        "SlimImageError: src/app:everywhere: 1 file of the image for linux/amd64 cannot be loaded:",
        f"  everywhere 1.0: /{SITE}/everywhere/aarch64.so is code for linux/arm64, not for linux/amd64",
        OTHERWISE,
    ]
    arm64 = image("everywhere").replace("amd64", "arm64")
    repository.edit("src/app/BUILD", image("everywhere"), arm64)
    assert repository.failure("src/app:everywhere").splitlines() == [
        "SlimImageError: src/app:everywhere: 1 file of the image for linux/arm64 cannot be loaded:",
        f"  everywhere 1.0: /{SITE}/everywhere/x86_64.so is code for linux/amd64, not for linux/arm64",
        OTHERWISE,
    ]
    repository.edit(
        "src/app/BUILD", arm64, arm64.replace("accept_missing=[]", 'accept_missing=["*/everywhere/*.so"]')
    )
    repository.package("src/app:everywhere", daemon=True)


def report(repository: Repository, name: str) -> Any:
    """Return what the report of an image says of its audit."""
    document = json.loads((repository.root / f"dist/src.app/{name}.json").read_bytes())
    (platform,) = document["platforms"]
    return platform["audit"]

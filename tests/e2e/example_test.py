"""The promises of the README, on the example itself: a fresh clone, empty caches, no container tool."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.e2e.conftest import Packaged
from tests.golden.record import digests, recorded
from tests.integration.repository import fresh_clone
from tests.support.inside import locked_hashes, locked_packages, read_inside, read_spdx
from tests.support.published_schemas import check_published
from tests.support.publisher import SERVICES

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

FORBIDDEN = ("*.whl", "gcc", "gcc-*", "cc", "clang*", "pip", "pip3*", "zig", "ld")
# What scanners read of each Debian package, such as gcc-12-base, which is a copyright file and no more.
PACKAGE_RECORDS = ("var/lib/dpkg/status.d/", "usr/share/doc/")


def test_everything_is_written(packaged: Packaged) -> None:
    dist = packaged.repository.root / "dist"
    for service in SERVICES:
        assert (dist / f"src.brewblox.{service}/image/index.json").is_file()
        report = json.loads((dist / f"src.brewblox.{service}/image.json").read_bytes())
        check_published(report)
        layout = packaged.layout(service)
        assert report["digest"] == layout.index_digest
        of_platform = dict(zip(_platform_names(packaged), range(3), strict=True))
        assert sorted(platform["platform"] for platform in report["platforms"]) == sorted(of_platform)
        for platform in report["platforms"]:
            number = of_platform[platform["platform"]]
            assert [layer["digest"] for layer in platform["layers"]] == layout.layers(number)
            wheels = dist / f"src.brewblox.{service}/wheels" / platform["platform"].replace("/", "-")
            assert {wheel["filename"] for wheel in platform["wheels"]} >= {w.name for w in wheels.iterdir()}


def test_digests_are_those_that_are_recorded(packaged: Packaged) -> None:
    """A redesign keeps every digest; what changes one says so in the changelog and records it anew.

    To record: `./pants package src::`, then `python -m tests.golden.record dist`.
    """
    assert recorded() == digests(packaged.repository.root / "dist")


def test_the_log_names_digest_size_layers_and_shared_bytes(packaged: Packaged) -> None:
    log = packaged.first.stderr
    for service in SERVICES:
        digest = packaged.layout(service).index_digest
        assert re.search(
            rf"Wrote dist/src\.brewblox\.{service}/image\n  index {digest}\n"
            r"(  linux/\S+: [\d.]+ MiB compressed, [\d.]+ MiB unpacked, \d+ layers, "
            r"[\d.]+ MiB shared with other images\n)+",
            log,
        ), log


@pytest.mark.parametrize("number", range(3))
def test_the_sbom_lists_what_is_installed_with_the_hashes_of_the_locks(
    packaged: Packaged, number: int, tmp_path: Path
) -> None:
    """Exactly what `importlib.metadata` and dpkg's `status.d` list in the image."""
    root = packaged.repository.root
    platform = _platform_names(packaged)[number]
    inside = read_inside(packaged.layout("service"), number, tmp_path)
    beside = root / "dist/src.brewblox.service/image.attestations"
    listed = read_spdx(json.loads((beside / f"{platform.replace('/', '-')}.spdx.json").read_bytes()))
    assert len(inside.distributions) > 20
    assert len(inside.packages) > 30
    assert listed.distributions.keys() == inside.distributions
    assert listed.packages.keys() == inside.packages
    hashes = locked_hashes([root / "3rdparty/python/default.lock"])
    assert {key for key, found in listed.distributions.items() if found not in hashes[key]} == set()
    debs = locked_packages(root / "3rdparty/debian/bookworm-py311.lock")
    assert {key: debs[key] for key in listed.packages} == listed.packages


@pytest.mark.parametrize("service", SERVICES)
def test_no_layer_holds_what_only_a_build_needs(packaged: Packaged, service: str) -> None:
    layout = packaged.layout(service)
    found = []
    for number in range(len(layout.index["manifests"])):
        for layer in layout.layers(number):
            for path, member in layout.listing(layer).items():
                if path.startswith(PACKAGE_RECORDS):
                    continue
                name = path.rsplit("/", 1)[-1]
                if not member.isdir() and any(fnmatch.fnmatchcase(name, glob) for glob in FORBIDDEN):
                    found.append(path)
                if re.search(r"site-packages/(pip|ensurepip)/|usr/include/", path):
                    found.append(path)
    assert found == []


def test_base_and_wheel_layers_of_the_service_are_in_the_images_that_extend_it(packaged: Packaged) -> None:
    service = packaged.layout("service")
    for child in ("devcon_spark", "history"):
        layout = packaged.layout(child)
        for number in range(len(service.index["manifests"])):
            shared = service.layers(number)[:-1]
            assert layout.layers(number)[: len(shared)] == shared
            assert layout.layers(number)[-1] != service.layers(number)[-1]


def test_the_wheelhouse_installs_without_an_index(packaged: Packaged, tmp_path: Path) -> None:
    wheels = packaged.repository.root / "dist/src.brewblox.history/wheels/linux-amd64"
    target = tmp_path / "installed"
    options = [
        "--no-index",
        "--no-deps",
        "--find-links",
        str(wheels),
        "--target",
        str(target),
        "--only-binary",
        ":all:",
    ]
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *options, "ciso8601"], check=True)
    code = "import ciso8601; print(ciso8601.parse_datetime('2026-01-02T03:04:05Z').year)"
    env = {**os.environ, "PYTHONPATH": str(target)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout == "2026\n"


COMPILED = ("ciso8601", "httptools", "netifaces")
WITHOUT_ARM_WHEEL = ("pyyaml", "ujson", "uvloop")


@pytest.mark.parametrize(
    ("platform", "machine", "names"),
    [
        ("linux-amd64", "x86_64", COMPILED),
        ("linux-arm64", "aarch64", COMPILED),
        ("linux-arm-v7", "armv7l", COMPILED + WITHOUT_ARM_WHEEL),
    ],
)
def test_compiled_wheels_fit_the_base_and_hold_no_path(
    packaged: Packaged, platform: str, machine: str, names: tuple[str, ...]
) -> None:
    dist = packaged.repository.root / "dist"
    wheels = {
        file.name.partition("-")[0].lower(): file
        for service in SERVICES
        for file in (dist / f"src.brewblox.{service}/wheels" / platform).iterdir()
    }
    for name in names:
        assert wheels[name].name.endswith(f"-cp311-cp311-linux_{machine}.whl")
        with zipfile.ZipFile(wheels[name]) as archive:
            assert any(member.endswith(".so") for member in archive.namelist())
            for member in archive.namelist():
                assert b"pants-sandbox" not in archive.read(member), member


def test_each_platform_is_in_the_index_as_docker_expects(packaged: Packaged) -> None:
    for service in SERVICES:
        rows = [row["platform"] for row in packaged.layout(service).index["manifests"]]
        assert rows == [
            {"os": "linux", "architecture": "amd64"},
            {"os": "linux", "architecture": "arm", "variant": "v7"},
            {"os": "linux", "architecture": "arm64"},
        ]


def test_exactly_what_an_edit_reaches_runs_again(packaged: Packaged) -> None:
    """Counted by the processes that Pants starts: those found in a cache do not start."""
    repository = packaged.repository
    before = {service: packaged.layout(service).index_digest for service in SERVICES}
    assert repository.package("::", daemon=True).started == []

    spark = "src/brewblox/devcon_spark/brewblox_devcon_spark/__init__.py"
    library = "src/brewblox/service/brewblox_service/__init__.py"
    try:
        with (repository.root / spark).open("a") as file:
            file.write("# an edit\n")
        started = repository.package("::", daemon=True).started
        assert started == ["Layer sources of src/brewblox/devcon_spark:image"]
        assert packaged.layout("service").index_digest == before["service"]
        assert packaged.layout("devcon_spark").index_digest != before["devcon_spark"]

        with (repository.root / library).open("a") as file:
            file.write("# an edit\n")
        assert repository.package("::", daemon=True).started == [
            # The two that extend it have the library's code in one layer, below their own.
            "Layer shared sources of src/brewblox/service:image",
            "Layer sources of src/brewblox/service:image",
        ]
    finally:
        subprocess.run(["git", "checkout", "--quiet", spark, library], cwd=repository.root, check=True)
    assert repository.package("::", daemon=True).started == []
    assert {service: packaged.layout(service).index_digest for service in SERVICES} == before


def _platform_names(packaged: Packaged) -> list[str]:
    rows = [m["platform"] for m in packaged.layout("service").index["manifests"]]
    return ["/".join([r["os"], r["architecture"], *([r["variant"]] if "variant" in r else [])]) for r in rows]


def test_another_machine_makes_the_same_digests(
    packaged: Packaged, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Another path, HOME, umask, time zone, locale and core count; nothing cached: everything runs again."""
    folder = tmp_path_factory.mktemp("a longer name for another place")
    other = fresh_clone(folder, TZ="Asia/Kathmandu", LANG="de_DE.UTF-8", LC_ALL="C.UTF-8")
    assert shutil.which("taskset"), "apt-get install util-linux"
    core = str(min(os.sched_getaffinity(0)))
    run = other.pants("package", "::", prefix=("taskset", "-c", core), umask=0o077)
    assert run.exit_code == 0, run.stderr
    assert len(run.started) > 120
    for service in SERVICES:
        layout = other.layout(f"src.brewblox.{service}/image")
        assert layout.index_digest == packaged.layout(service).index_digest
        for number in range(len(layout.index["manifests"])):
            assert layout.layers(number) == packaged.layout(service).layers(number)


def test_the_tools_people_have_accept_a_layout(packaged: Packaged, tmp_path: Path) -> None:
    layout = packaged.layout("service")
    skopeo = ["skopeo", "--insecure-policy"]
    copied = tmp_path / "copy"
    copy = [*skopeo, "copy", "--quiet", "--all", "--preserve-digests"]
    subprocess.run([*copy, f"oci:{layout.folder}", f"oci:{copied}:latest"], check=True)
    for digest in layout.layers():
        assert (copied / "blobs/sha256" / digest.partition(":")[2]).read_bytes() == layout.blob(
            digest
        ).read_bytes()
    listed = subprocess.run(
        ["umoci", "ls", "--layout", layout.folder], capture_output=True, text=True, check=True
    )
    assert listed.stdout == "latest\n"

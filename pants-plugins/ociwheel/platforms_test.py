"""A platform is its rows and nothing else: all that the core does works for one whose rows a test adds."""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from ociwheel_testing.elf_writer import Elf, elf_bytes
from ociwheel_testing.wheel_writer import write_wheel

from ociwheel import platforms
from ociwheel.base.rootfs import rootfs_entries
from ociwheel.build import target_python
from ociwheel.build.backend import Environment
from ociwheel.build.build_systems import write_build_system_files
from ociwheel.build.toolchain import zig_target
from ociwheel.build.wrappers import Toolchain, compiler_environment
from ociwheel.debian import debian_lock
from ociwheel.debian.debian_lock import build_lock
from ociwheel.debian.lock_request import Request
from ociwheel.debian.packages import Universe
from ociwheel.elf import audit_step, facts
from ociwheel.elf.reader import read_facts
from ociwheel.errors import AuditError, BaseError
from ociwheel.image.config import image_config
from ociwheel.image.config import parse_request as parse_image
from ociwheel.layer import wheel_layer_step
from ociwheel.layer.writer import Entry, write_layer
from ociwheel.plan.model import parse_request as parse_plan
from ociwheel.plan.plan_step import plan
from ociwheel.platforms import PLATFORMS, Platform
from ociwheel.sdist.unpack import BuildSystem
from ociwheel.target import Target
from tests.support.values import value_of

# The bytes of a number are the other way round.
S390X = Platform(
    "linux/s390x", "s390x", "s390x-linux-gnu", "s390x", "z13", "s390x", "gnu",
    22, 64, "/lib/ld64.so.1", "s390x", "IEEE_QUAD_BE", (2, 17),
    ("-march=z13",), "s390x-ibm-linux-gnu", "s390x", 0x0400, endian="big",
)  # fmt: skip
# Those that the product promises, those that it only has rows for, and one that it knows nothing of.
NAMES = [*(row.oci for row in PLATFORMS), S390X.oci]
MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"
TAG = f"cp{sys.version_info[0]}{sys.version_info[1]}"


@pytest.fixture(autouse=True)
def one_platform_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Add the rows of s390x."""
    rows = (*PLATFORMS, S390X)
    for module in (platforms, facts, debian_lock):
        monkeypatch.setattr(module, "PLATFORMS", rows)
    monkeypatch.setitem(platforms._BY_OCI, S390X.oci, S390X)


@pytest.fixture(params=NAMES, ids=lambda name: name.replace("/", "-"))
def row(request: pytest.FixtureRequest) -> Platform:
    """Each platform in turn."""
    return platforms.platform(request.param)


def document(row: Platform) -> dict[str, str]:
    fields = {"platform": row.oci, "python": f"{MINOR}.2", "libc": "glibc", "libc_version": "2.36"}
    return {"schema": "ociwheel.target/1", **fields}


@pytest.fixture
def target(row: Platform, tmp_path: Path) -> Target:
    (tmp_path / "target.json").write_text(json.dumps(document(row)))
    return Target.read(tmp_path / "target.json")


def module(row: Platform, **fields: Any) -> Elf:
    return Elf(
        machine=row.elf_machine,
        elf_class=row.elf_class,
        big_endian=row is S390X,
        **{"needed": ["libc.so.6"], "needed_versions": {"libc.so.6": ["GLIBC_2.17"]}, **fields},
    )


def test_rows_share_no_name() -> None:
    for column in ("oci", "debian", "triplet", "machine", "loader"):
        values = [getattr(one, column) for one in platforms.PLATFORMS]
        assert len(set(values)) == len(values), column


def test_a_plan_takes_the_wheels_of_the_platform(row: Platform) -> None:
    names = [
        f"a-1-{TAG}-{TAG}-manylinux_2_31_{one.machine}.whl" for one in platforms.PLATFORMS
    ] + ["a-1.tar.gz"]  # fmt: skip
    files = [{"filename": n, "sha256": hashlib.sha256(n.encode()).hexdigest(), "size": None} for n in names]
    entry = {
        "name": "a",
        "version": "1",
        "marker": None,
        "requires_python": None,
        "requires_dist": [f'b; platform_machine == "{row.machine}"', "c; platform_machine == 'vax'"],
        "files": files,
        "where": "lock:1",
    }
    other = {
        **entry,
        "name": "b",
        "requires_dist": [],
        "files": [{**files[0], "filename": "b-1-py3-none-any.whl"}],
    }
    request = {
        "roots": [{"requirement": "a", "origin": "x"}],
        "entries": [entry, other],
        "lockfile": "lock",
        "no_binary": [],
        "only_binary": [],
    }
    found = plan(parse_plan(value_of(request)), Target.parse(value_of(document(row))))["artifacts"]
    assert [one["filename"] for one in found] == [
        f"a-1-{TAG}-{TAG}-manylinux_2_31_{row.machine}.whl",
        "b-1-py3-none-any.whl",
    ]


def test_a_base_asks_for_the_packages_of_its_architecture(row: Platform) -> None:
    asked = []

    def load(architecture: str) -> Universe:
        asked.append(architecture)
        raise BaseError(f"no {architecture} here")

    value = {"suites": ["bookworm"], "platforms": [row.oci], "python": "3.11"}
    with pytest.raises(BaseError, match=f"no {row.debian} here"):
        build_lock(Request.parse(value_of(value)), load)
    assert set(asked) == {row.debian, "amd64", "arm64"}


def test_the_compiler_is_told(row: Platform, target: Target, tmp_path: Path) -> None:
    assert zig_target(target) == f"{row.zig_arch}-linux-{row.zig_abi}.2.36"
    assert compiler_environment(target)["CC"] == f"{row.triplet}-cc"
    include = tmp_path / f"sysroot/usr/include/python{MINOR}"
    include.mkdir(parents=True)
    (include / "Python.h").touch()
    library = tmp_path / f"sysroot/usr/lib/python{MINOR}"
    library.mkdir(parents=True)
    variables = {"EXT_SUFFIX": f".cpython-{TAG[2:]}-{row.triplet}.so", "CC": "gcc"}
    (library / f"_sysconfigdata__{row.triplet}.py").write_text(f"build_time_vars = {variables!r}\n")
    told = target_python.write_target_python(tmp_path / "sysroot", target, tmp_path / "python")
    assert told["_PYTHON_HOST_PLATFORM"] == f"linux-{row.machine}"
    assert told["_PYTHON_SYSCONFIGDATA_NAME"] == f"_sysconfigdata__{row.triplet}"
    toolchain = Toolchain(tmp_path / "zig", tmp_path / "sysroot", target)
    environment = Environment(tmp_path / "venv/bin/python", tmp_path / "site", tmp_path)
    system = BuildSystem((), "mesonpy", ())
    write_build_system_files(system, toolchain, environment, tmp_path / "bin", tmp_path / "files")
    cross = (tmp_path / "files/cross.ini").read_text().splitlines()
    assert f"endian = '{'big' if row is S390X else 'little'}'" in cross
    assert f"longdouble_format = '{row.long_double}'" in cross
    assert f"cpu = '{row.machine}'" in cross


def test_a_wheel_of_the_platform_is_layered_and_one_of_another_is_not(
    row: Platform, target: Target, tmp_path: Path
) -> None:
    write_wheel(
        tmp_path / "wheels",
        tag=f"{TAG}-{TAG}-manylinux_2_17_{row.machine}.manylinux_2_36_{row.machine}",
        files={f"demo.cpython-{TAG[2:]}-{row.triplet}.so": elf_bytes(module(row))},
    )
    parser = argparse.ArgumentParser()
    wheel_layer_step.configure(parser)
    arguments = ["--wheels", str(tmp_path / "wheels"), "--target", str(tmp_path / "target.json")]
    made = wheel_layer_step.run(
        parser.parse_args([*arguments, "--title", "t", "--output", str(tmp_path / "out")])
    )
    assert made["elf_files"] == 1
    assert f"linux_{row.machine}" in {tag.platform for tag in target.tags}


def test_the_audit_reads_its_files_and_refuses_others(row: Platform, tmp_path: Path) -> None:
    folder = f"usr/lib/{row.triplet}"
    libc = module(row, soname="libc.so.6", needed=(), needed_versions={}, defined_versions=["GLIBC_2.17"])
    stranger = platforms.platform("linux/arm64" if row.oci != "linux/arm64" else "linux/amd64")
    files = {
        f"{folder}/libc.so.6": libc,
        f"usr{row.loader}": module(row, needed=(), needed_versions={}, soname=row.loader.split("/")[-1]),
        "usr/bin/python": module(row, interp=row.loader),
        "app/good.so": module(row),
        "app/missing.so": module(row, needed=["libpq.so.5"], needed_versions={}),
        "app/newer.so": module(row, needed_versions={"libc.so.6": ["GLIBC_2.99"]}),
        "app/stranger.so": module(stranger),
    }
    entries = [
        Entry(e.path, e.kind, e.mode, target=e.target)
        for e in rootfs_entries(Target.parse(value_of(document(row))), "/app")
    ]
    links = [entry for entry in entries if entry.kind == "symlink" and entry.path.startswith("lib")]
    placed = [
        Entry(path, "file", 0o755, source=elf_bytes(elf), origin="demo 1") for path, elf in files.items()
    ]
    write_layer([*links, *placed], tmp_path / "layer", title="t", contents=())
    request = {"platform": row.oci, "facts": [str(tmp_path / "layer/layer-facts.json")], "strict": True}
    (tmp_path / "request.json").write_text(json.dumps(request))
    parser = argparse.ArgumentParser()
    audit_step.configure(parser)
    with pytest.raises(AuditError) as e:
        audit_step.run(parser.parse_args(["--request", str(tmp_path / "request.json")]))
    what, *faults, _hint = str(e.value).splitlines()
    assert what == f"3 files of the image for {row.oci} cannot be loaded, for 2 libraries:"
    assert [fault.strip().partition(" ")[2].split(";")[0] for fault in faults] == [
        "1: /app/missing.so needs libpq.so.5, which is not in the image",
        (
            "1: /app/newer.so needs GLIBC_2.99 of libc.so.6, but demo 1 has versions up to GLIBC_2.17: the file "
            "was built for a newer system"
        ),
        f"1: /app/stranger.so is code for {stranger.oci}, not for {row.oci}",
    ]


def test_facts_are_read_in_its_byte_order(row: Platform) -> None:
    elf = module(row, soname="libdemo.so.1", needed_versions={"libc.so.6": ["GLIBC_2.4"]})
    found = read_facts(io.BytesIO(elf_bytes(elf)), "app/x.so", "demo 1")
    assert found is not None
    assert (found.machine, found.elf_class, found.soname) == (
        row.elf_machine,
        row.elf_class,
        "libdemo.so.1",
    )
    assert (found.needed, found.needed_versions) == (("libc.so.6",), {"libc.so.6": ("GLIBC_2.4",)})
    assert facts.machine_name(found.machine, found.elf_class) == row.oci


def test_the_image_says_its_platform_as_docker_does(row: Platform, tmp_path: Path) -> None:
    layer = write_layer([Entry("x", "file", 0o644, source=b"")], tmp_path, title="t", contents=())
    request = {
        "platform": row.oci,
        "layers": [layer],
        "config": {"entrypoint": ["/x"]},
        "created": 0,
        "annotations": {},
    }
    config = image_config(parse_image(request))
    operating_system, architecture, *variant = row.oci.split("/")
    assert (config["os"], config["architecture"]) == (operating_system, architecture)
    assert config.get("variant") == (variant[0] if variant else None)
    assert row.oci_dict() == {
        "os": operating_system,
        "architecture": architecture,
        **({"variant": variant[0]} if variant else {}),
    }

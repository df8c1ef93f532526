"""Planted faults: images made of real (tiny) ELF files, written as layers, then audited."""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ociwheel_testing.elf_writer import Elf, elf_bytes

from ociwheel.base.deb_layer import layer_entries
from ociwheel.debian.deb import read_debs
from ociwheel.elf import audit_step
from ociwheel.errors import AuditError
from ociwheel.layer.writer import Entry, write_layer
from tests.support.debian import Item, symlink, write_debs

_LIB = "usr/lib/x86_64-linux-gnu"
_SITE = "app/lib/python3.11/site-packages"
_NOT_THERE = "which is not in the image"
_OTHERWISE = (
    "  -> choose another version of the wheel, build it from its sdist, or name the file or the library in "
    "accept_missing of the image"
)
_INTERP = "/lib64/ld-linux-x86-64.so.2"
_LIBC = Elf(
    soname="libc.so.6",
    needed=["ld-linux-x86-64.so.2"],
    defined_versions=["GLIBC_2.2.5", "GLIBC_2.17", "GLIBC_2.36", "GLIBC_PRIVATE"],
)
_BASE: dict[str, tuple[Elf, str]] = {
    f"{_LIB}/ld-linux-x86-64.so.2": (Elf(soname="ld-linux-x86-64.so.2"), "libc6 2.36-9"),
    f"{_LIB}/libc.so.6": (_LIBC, "libc6 2.36-9"),
    f"{_LIB}/libz.so.1.2.13": (Elf(soname="libz.so.1", needed=["libc.so.6"]), "zlib1g 1:1.2.13"),
    "usr/bin/python3.11": (
        Elf(needed=["libc.so.6", "libz.so.1"], interp=_INTERP),
        "python3.11-minimal 3.11.2",
    ),
}
_LINKS = [
    Entry("lib", "symlink", 0, target="usr/lib"),
    Entry("lib64", "symlink", 0, target="usr/lib64"),
    Entry(
        "usr/lib64/ld-linux-x86-64.so.2",
        "symlink",
        0,
        target=f"/lib/{_LIB.rpartition('/')[2]}/ld-linux-x86-64.so.2",
    ),
    Entry(f"{_LIB}/libz.so.1", "symlink", 0, target="libz.so.1.2.13"),
]
_PACKAGES = ["libc6", "zlib1g", "python3.11-minimal"]


def _named(path: str, elf: Elf) -> Elf:
    """Give what is not named like a library the function that makes it a module of Python."""
    name = path.rpartition("/")[2]
    is_module = path.startswith(_SITE) and not name.startswith("lib")
    return replace(elf, names=[f"PyInit_{name.partition('.')[0]}"]) if is_module else elf


def _layer(
    folder: Path,
    files: Mapping[str, tuple[Elf, str]],
    links: Sequence[Entry] = (),
    opened: Mapping[str, Any] | None = None,
) -> str:
    entries = [
        Entry(path, "file", 0o755, source=elf_bytes(_named(path, elf)), origin=origin)
        for path, (elf, origin) in files.items()
    ]
    write_layer([*entries, *links], folder, title="t", contents=(), opened=opened)
    return str(folder / "layer-facts.json")


def _audit(
    tmp_path: Path,
    wheels: Mapping[str, tuple[Elf, str]],
    *,
    base: Mapping[str, tuple[Elf, str]] = _BASE,
    links: Sequence[Entry] = (),
    accept: Sequence[str] = (),
    packages: Sequence[str] = _PACKAGES,
    base_links: Sequence[Entry] = _LINKS,
    opened: Mapping[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    facts = [_layer(tmp_path / "base", base, base_links), _layer(tmp_path / "wheels", wheels, links, opened)]
    request = {"platform": "linux/amd64", "facts": facts, "accept": accept, "lock_packages": packages, **more}
    (tmp_path / "request.json").write_text(json.dumps(request))
    parser = argparse.ArgumentParser()
    audit_step.configure(parser)
    return audit_step.run(parser.parse_args(["--request", str(tmp_path / "request.json")]))


def _fails(tmp_path: Path, wheels: Mapping[str, tuple[Elf, str]], **more: Any) -> str:
    with pytest.raises(AuditError) as e:
        _audit(tmp_path, wheels, **more)
    return str(e.value)


def _module(**fields: Any) -> Elf:
    return Elf(**{"needed": ["libc.so.6"], "needed_versions": {"libc.so.6": ["GLIBC_2.17"]}, **fields})


def test_a_sound_image(tmp_path: Path) -> None:
    assert _audit(tmp_path, {f"{_SITE}/_a.so": (_module(), "a 1")}) == {
        "schema": "ociwheel.audit/1",
        "elf_files": 5,
        "accepted": [],
        "unused_packages": [],
        "not_loadable": [],
        "notes": [],
    }


def test_psycopg2_without_libpq(tmp_path: Path) -> None:
    wheels = {
        f"{_SITE}/psycopg2/_psycopg.so": (_module(needed=["libpq.so.5", "libc.so.6"]), "psycopg2 2.9.9")
    }
    assert _fails(tmp_path, wheels) == (
        "1 file of the image for linux/amd64 cannot be loaded:\n"
        f"  psycopg2 2.9.9: /{_SITE}/psycopg2/_psycopg.so needs libpq.so.5, which is not in the image; "
        "Debian's libpq5 has it\n"
        '  -> add "libpq5" to the packages of the base and lock it again'
    )


def test_a_missing_library_of_a_library(tmp_path: Path) -> None:
    base = {
        **_BASE,
        f"{_LIB}/libpq.so.5": (_module(soname="libpq.so.5", needed=["libssl.so.3"]), "libpq5 15"),
    }
    wheels = {f"{_SITE}/_p.so": (_module(needed=["libpq.so.5"]), "p 1")}
    assert _fails(tmp_path, wheels, base=base) == (
        "1 file of the image for linux/amd64 cannot be loaded:\n"
        f"  libpq5 15: /{_LIB}/libpq.so.5 needs libssl.so.3, which is not in the image; "
        "Debian's libssl3 has it\n"
        '  -> add "libssl3" to the packages of the base and lock it again'
    )


def test_code_for_another_machine(tmp_path: Path) -> None:
    assert _fails(tmp_path, {f"{_SITE}/_a.so": (_module(machine=183), "a 1")}) == (
        "1 file of the image for linux/amd64 cannot be loaded:\n"
        f"  a 1: /{_SITE}/_a.so is code for linux/arm64, not for linux/amd64\n"
        f"{_OTHERWISE}"
    )


def test_a_wheel_for_a_newer_libc(tmp_path: Path) -> None:
    module = _module(needed_versions={"libc.so.6": ["GLIBC_2.17", "GLIBC_2.38"]})
    assert _fails(tmp_path, {f"{_SITE}/_a.so": (module, "a 1")}) == (
        "1 file of the image for linux/amd64 cannot be loaded:\n"
        f"  a 1: /{_SITE}/_a.so needs GLIBC_2.38 of libc.so.6, but libc6 2.36-9 has versions up to "
        "GLIBC_2.36: the file was built for a newer system\n"
        f"{_OTHERWISE}"
    )


def test_a_version_that_a_library_lacks(tmp_path: Path) -> None:
    base = {**_BASE, f"{_LIB}/libx.so.1": (_module(soname="libx.so.1", defined_versions=["X_1"]), "libx1 1")}
    module = _module(needed=["libx.so.1"], needed_versions={"libx.so.1": ["X_1", "X_2"]})
    assert "needs X_2 of libx.so.1, but libx1 1 does not have it\n" in _fails(
        tmp_path, {f"{_SITE}/_a.so": (module, "a 1")}, base=base
    )


def test_a_loader_that_is_not_there(tmp_path: Path) -> None:
    program = Elf(interp="/lib/ld-musl-x86_64.so.1", needed=["libc.so.6"])
    assert (
        "a 1: /app/bin/tool needs the loader /lib/ld-musl-x86_64.so.1, which is not in the image\n"
        in _fails(tmp_path, {"app/bin/tool": (program, "a 1")})
    )


def test_all_faults_come_at_once_with_one_line_to_add(tmp_path: Path) -> None:
    wheels = {
        f"{_SITE}/_a.so": (_module(needed=["libpq.so.5", "libown.so.1"]), "a 1"),
        f"{_SITE}/_b.so": (_module(needed=["libyaml-0.so.2", "libz.so.1"]), "b 2"),
    }
    assert _fails(tmp_path, wheels) == (
        "2 files of the image for linux/amd64 cannot be loaded, for 3 libraries:\n"
        f"  a 1: /{_SITE}/_a.so needs libown.so.1, {_NOT_THERE} (no Debian package known for it)\n"
        f"  a 1: /{_SITE}/_a.so needs libpq.so.5, which is not in the image; Debian's libpq5 has it\n"
        f"  b 2: /{_SITE}/_b.so needs libyaml-0.so.2, {_NOT_THERE}; Debian's libyaml-0-2 has it\n"
        '  -> add "libpq5", "libyaml-0-2" to the packages of the base and lock it again'
    )


@pytest.mark.parametrize("glob", ["libcuda.so.*", f"/{_SITE}/_a.so", "*/_a.so"])
def test_accepted_faults(tmp_path: Path, glob: str) -> None:
    wheels = {f"{_SITE}/_a.so": (_module(needed=["libcuda.so.1"]), "a 1")}
    assert _audit(tmp_path, wheels, accept=[glob])["accepted"] == [
        f"a 1: /{_SITE}/_a.so needs libcuda.so.1, {_NOT_THERE} (no Debian package known for it)"
    ]


def test_private_libraries_found_through_origin(tmp_path: Path) -> None:
    # As auditwheel lays them out: libb has no search path of its own, its user loaded liba first.
    wheels = {
        f"{_SITE}/a/_a.so": (
            _module(needed=["libb-1.so", "liba-1.so"], runpath=["$ORIGIN/../a.libs"]),
            "a 1",
        ),
        f"{_SITE}/a.libs/libb-1.so": (_module(soname="libb-1.so", needed=["liba-1.so"]), "a 1"),
        f"{_SITE}/a.libs/liba-1.so": (_module(soname="liba-1.so"), "a 1"),
    }
    assert _audit(tmp_path, wheels)["elf_files"] == 7


def test_rpath_counts_for_what_is_loaded_later_and_runpath_does_not(tmp_path: Path) -> None:
    def wheels(kind: str) -> dict[str, tuple[Elf, str]]:
        return {
            f"{_SITE}/a/_a.so": (_module(needed=["libb.so"], **{kind: ["${ORIGIN}/libs"]}), "a 1"),
            f"{_SITE}/a/libs/libb.so": (_module(soname="libb.so", needed=["liba.so"]), "a 1"),
            f"{_SITE}/a/libs/liba.so": (_module(soname="liba.so"), "a 1"),
        }

    _audit(tmp_path, wheels("rpath"))
    assert (
        f"a 1: /{_SITE}/a/libs/libb.so needs liba.so, which is in the image, but not where the file's loader "
        f"looks: /{_SITE}/a/libs/liba.so\n"
    ) in _fails(tmp_path, wheels("runpath"), strict=True)
    (line,) = _audit(tmp_path, wheels("runpath"))["notes"]
    assert line == (
        "a 1: 1 file not loadable unless another distribution has loaded its libraries before: liba.so"
    )


def test_libraries_of_another_machine_are_passed_over(tmp_path: Path) -> None:
    base = {
        **_BASE,
        "usr/lib/libx.so.1": (Elf(soname="libx.so.1"), "libx1 1"),
        f"{_LIB}/libx.so.1": (Elf(soname="libx.so.1", machine=3, elf_class=32), "libx1 1"),
    }
    wheels = {f"{_SITE}/_a.so": (_module(needed=["libx.so.1"]), "a 1")}
    message = _fails(tmp_path, wheels, base=base, strict=True)
    assert f"libx1 1: /{_LIB}/libx.so.1 is code for linux/386" in message
    assert "_a.so" not in message


def test_a_later_layer_replaces_and_links_are_followed(tmp_path: Path) -> None:
    wheels = {
        f"{_SITE}/_a.so": (_module(needed=["libpq.so.5"]), "a 1"),
        "opt/libpq.so.5.15": (_module(), "b 1"),
    }
    links = [
        Entry(f"{_LIB}/libpq.so.5", "symlink", 0, target="../../../opt/libpq.so.5"),
        Entry("opt/libpq.so.5", "hardlink", 0, target="opt/libpq.so.5.15"),
    ]
    _audit(tmp_path, wheels, links=links)


def test_a_circle_of_links_is_a_missing_library(tmp_path: Path) -> None:
    links = [
        Entry(f"{_LIB}/libq.so.5", "symlink", 0, target="libr.so"),
        Entry(f"{_LIB}/libr.so", "symlink", 0, target="libq.so.5"),
    ]
    assert "needs libq.so.5" in _fails(
        tmp_path, {f"{_SITE}/_a.so": (_module(needed=["libq.so.5"]), "a 1")}, links=links
    )


def test_packages_that_nothing_needs(tmp_path: Path) -> None:
    base = {
        **_BASE,
        f"{_LIB}/libpq.so.5": (_module(soname="libpq.so.5", needed=["libk.so.3"]), "libpq5 15"),
        f"{_LIB}/libk.so.3": (_module(soname="libk.so.3"), "libk3 1"),
        f"{_LIB}/libcurl.so.4": (_module(soname="libcurl.so.4"), "libcurl4 8"),
        "usr/bin/curl": (Elf(needed=["libcurl.so.4", "libc.so.6"], interp=_INTERP), "curl 8"),
        # Nothing needs it by name: glibc opens it.
        f"{_LIB}/libgcc_s.so.1": (_module(soname="libgcc_s.so.1"), "libgcc-s1 12"),
    }
    packages = [*_PACKAGES, "libpq5", "libk3", "libcurl4", "curl", "tzdata", "libgcc-s1"]
    none = _audit(tmp_path, {f"{_SITE}/_a.so": (_module(), "a 1")}, base=base, packages=packages)
    assert none["unused_packages"] == ["libk3", "libpq5"]
    one = _audit(
        tmp_path, {f"{_SITE}/_a.so": (_module(needed=["libpq.so.5"]), "a 1")}, base=base, packages=packages
    )
    assert one["unused_packages"] == []


_OF_REGISTRY: dict[str, tuple[Elf, str]] = {
    **{path: (elf, "the base image") for path, (elf, _) in _BASE.items()},
    "usr/bin/gdb": (Elf(needed=["libnothing.so.1"], interp=_INTERP), "the base image"),
    "usr/local/lib/libown.so.1": (Elf(soname="libown.so.1", needed=["libc.so.6"]), "the base image"),
}
_TRUSTED = ["the base image"]


def test_faults_of_a_registry_s_image_are_not_ours(tmp_path: Path) -> None:
    wheels = {f"{_SITE}/_a.so": (_module(), "a 1")}
    assert _audit(tmp_path, wheels, base=_OF_REGISTRY, trusted=_TRUSTED)["elf_files"] == 7
    assert "/usr/bin/gdb needs libnothing.so.1" in _fails(tmp_path, wheels, base=_OF_REGISTRY)


def test_what_a_registry_s_image_lacks_is_not_added_to_a_lock(tmp_path: Path) -> None:
    wheels = {f"{_SITE}/_a.so": (_module(needed=["libpq.so.5"]), "a 1")}
    message = _fails(tmp_path, wheels, base=_OF_REGISTRY, trusted=_TRUSTED)
    assert "use a base image that has Debian's libpq5" in message


def test_usr_local_is_looked_through_where_ldconfig_ran(tmp_path: Path) -> None:
    wheels = {f"{_SITE}/_a.so": (_module(needed=["libown.so.1"]), "a 1")}
    assert "not where the file's loader looks: /usr/local/lib/libown.so.1" in _fails(
        tmp_path, wheels, base=_OF_REGISTRY, trusted=_TRUSTED
    )
    cached = [*_LINKS, Entry("etc/ld.so.cache", "file", 0o644), Entry("etc/ld.so.conf", "file", 0o644)]
    assert _audit(tmp_path, wheels, base=_OF_REGISTRY, trusted=_TRUSTED, base_links=cached)["accepted"] == []


def test_musl_is_its_own_loader_libc_and_libm(tmp_path: Path) -> None:
    loader = "lib/ld-musl-x86_64.so.1"
    base = {
        loader: (Elf(soname="libc.so"), "the base image"),
        "usr/local/bin/python3.11": (
            Elf(needed=["libc.musl-x86_64.so.1"], interp=f"/{loader}"),
            "the base image",
        ),
        "usr/local/lib/libown.so.1": (Elf(soname="libown.so.1", needed=["libc.so"]), "the base image"),
    }
    wheels = {f"{_SITE}/_a.so": (Elf(needed=["libc.so", "libm.so.6", "libown.so.1"]), "a 1")}
    options: dict[str, Any] = {"base": base, "base_links": [], "packages": []}
    assert _audit(tmp_path, wheels, **options, libc="musl")["elf_files"] == 4
    glibc = {f"{_SITE}/_a.so": (Elf(needed=["ld-linux-x86-64.so.2"]), "a 1")}
    assert "needs ld-linux-x86-64.so.2, which is not in the image" in _fails(
        tmp_path, glibc, **options, libc="musl"
    )


def test_on_musl_names_of_debian_are_told_as_such(tmp_path: Path) -> None:
    loader = "lib/ld-musl-x86_64.so.1"
    python = Elf(needed=["libc.musl-x86_64.so.1"], interp=f"/{loader}")
    base = {loader: (Elf(), "musl 1"), "usr/local/bin/python3": (python, "")}
    needed = ["libpq.so.5", "libnothing.so.1", "libc.musl-x86_64.so.1"]
    wheels = {f"{_SITE}/_a.cpython-311-x86_64-linux-musl.so": (Elf(needed=needed), "a 1")}
    with pytest.raises(AuditError) as e:
        _audit(tmp_path, wheels, base=base, base_links=[], packages=[], libc="musl", trusted=["musl 1"])
    where = f"  a 1: /{_SITE}/_a.cpython-311-x86_64-linux-musl.so needs"
    assert str(e.value) == (
        "1 file of the image for linux/amd64 cannot be loaded:\n"
        f"{where} libnothing.so.1, which is not in the image\n"
        f"{where} libpq.so.5, which is not in the image; libpq5 in Debian\n"
        "  -> use a base image that has libpq.so.5, then lock it again; names of packages are Debian's here, and "
        "for those of Alpine ask there: apk search so:libpq.so.5"
    )


def test_musl_behind_a_link_is_found_by_the_name_of_the_loader(tmp_path: Path) -> None:
    loader, real = "lib/ld-musl-x86_64.so.1", "lib/x86_64-linux-musl/libc.so"
    python = Elf(needed=["libc.musl-x86_64.so.1"], interp=f"/{loader}")
    base = {real: (Elf(), "the base image"), "usr/bin/python3.11": (python, "the base image")}
    links = [Entry(loader, "symlink", 0, target="x86_64-linux-musl/libc.so")]
    wheels = {f"{_SITE}/_a.so": (Elf(needed=["libc.musl-x86_64.so.1", "libm.so.6"]), "a 1")}
    assert _audit(tmp_path, wheels, base=base, base_links=links, packages=[], libc="musl")["elf_files"] == 3


@pytest.mark.parametrize("version", ["1.2.3", "1.1.24-git-12-gabcdef0", "1.2.4", "1.2.10", "?"])
def test_packed_relocations_need_a_musl_that_reads_them(tmp_path: Path, version: str) -> None:
    """ujson's musllinux wheel brings a libstdc++ that has some: on musl 1.2.3 the process dies."""
    strings = b"\0" + b"127.0.0.1\0" + version.encode() + b"\0musl libc (x86_64)\nVersion %s\n\0"
    loader, real = "lib/ld-musl-x86_64.so.1", "lib/x86_64-linux-musl/libc.so"
    python = Elf(needed=["libc.musl-x86_64.so.1"], interp=f"/{loader}")
    base = {real: (Elf(rodata=strings), "the base image"), "usr/bin/python3.11": (python, "the base image")}
    links = [Entry(loader, "symlink", 0, target="x86_64-linux-musl/libc.so")]
    packed = Elf(soname="libstdc++.so.6", needed=["libc.so"], relr=True)
    wheels = {
        f"{_SITE}/ujson.libs/libstdc++.so.6": (packed, "ujson 1"),
        f"{_SITE}/ujson.so": (Elf(needed=["libstdc++.so.6"], rpath=["$ORIGIN/ujson.libs"]), "ujson 1"),
    }
    options: dict[str, Any] = {"base": base, "base_links": links, "packages": [], "libc": "musl"}
    if version in ("1.2.4", "1.2.10", "?"):
        assert _audit(tmp_path, wheels, **options)["not_loadable"] == []
        return
    assert _fails(tmp_path, wheels, **options) == (
        "1 file of the image for linux/amd64 cannot be loaded:\n"
        f"  ujson 1: /{_SITE}/ujson.libs/libstdc++.so.6 has packed relocations (DT_RELR), which musl reads "
        f"from 1.2.4 on, and the image's is {version.partition('-')[0]}: the process would die\n"
        f"{_OTHERWISE}"
    )


def test_packed_relocations_need_a_glibc_that_reads_them(tmp_path: Path) -> None:
    old = replace(_LIBC, defined_versions=["GLIBC_2.17", "GLIBC_2.31"])
    base = {**_BASE, f"{_LIB}/libc.so.6": (old, "libc6 2.31")}
    packed, guard = "has packed relocations (DT_RELR), which", "GLIBC_ABI_DT_RELR"
    newer = "GLIBC_2.31: the file was built for a newer system"
    guarded = {"libc.so.6": ["GLIBC_2.17", guard]}
    wheels = {
        f"{_SITE}/_a.so": (_module(relr=True), "a 1"),
        f"{_SITE}/_b.so": (_module(relr=True, needed_versions=guarded), "b 1"),
    }
    assert _fails(tmp_path, wheels, base=base).splitlines()[1:3] == [
        f"  a 1: /{_SITE}/_a.so {packed} glibc reads from 2.36 on, and the image's is 2.31: the process would die",
        f"  b 1: /{_SITE}/_b.so needs {guard} of libc.so.6, but libc6 2.31 has versions up to {newer}",
    ]
    new = replace(_LIBC, defined_versions=["GLIBC_2.17", "GLIBC_2.36", "GLIBC_ABI_DT_RELR"])
    base = {**_BASE, f"{_LIB}/libc.so.6": (new, "libc6 2.36")}
    assert _fails(tmp_path, wheels, base=base).splitlines()[1:-1] == [
        f"  a 1: /{_SITE}/_a.so {packed} glibc refuses without a need for {guard}"
    ]
    del wheels[f"{_SITE}/_a.so"]
    # A file that names no version at all is taken as it is.
    wheels[f"{_SITE}/_c.so"] = (_module(relr=True, needed_versions={}), "c 1")
    assert _audit(tmp_path, wheels, base=base)["not_loadable"] == []


def test_a_library_without_name_and_needs_is_loaded_as_any(tmp_path: Path) -> None:
    """Debian's musl is one: no DT_SONAME, no DT_NEEDED."""
    base = {**_BASE, f"{_LIB}/libplain.so": (Elf(), "plain 1")}
    report = _audit(
        tmp_path,
        {f"{_SITE}/a.so": (Elf(needed=["libplain.so"]), "a 1")},
        base=base,
        packages=[*_PACKAGES, "plain"],
    )
    assert report["elf_files"] == len(base) + 1
    with pytest.raises(AuditError, match=r"needs libother\.so, which is not in the image"):
        _audit(
            tmp_path / "2", {f"{_SITE}/a.so": (Elf(needed=["libplain.so", "libother.so"]), "a 1")}, base=base
        )


def test_packages_have_the_names_of_the_bases_release(tmp_path: Path) -> None:
    wheel = {f"{_SITE}/x.so": (Elf(needed=["libssl.so.3", "libc.so.6"]), "x 1.0")}
    assert "Debian's libssl3 has it" in _fails(tmp_path / "bookworm", wheel)
    libc = Elf(
        soname="libc.so.6", needed=["ld-linux-x86-64.so.2"], defined_versions=["GLIBC_2.2.5", "GLIBC_2.41"]
    )
    base = {**_BASE, f"{_LIB}/libc.so.6": (libc, "libc6 2.41-12")}
    assert "Debian's libssl3t64 has it" in _fails(tmp_path / "trixie", wheel, base=base)


# --- as Python loads -----------------------------------------------------------------------------------

_UNREACHED = "no module, program or library opened by name needs"
_CP = "cpython-311-x86_64-linux-gnu"


def _torch(*needed: str) -> dict[str, tuple[Elf, str]]:
    """A module with a library that it needs, and files that only that library could open."""
    return {
        f"{_SITE}/torch/_C.{_CP}.so": (
            _module(needed=["libtorch.so"], runpath=["$ORIGIN/lib"]),
            "torch 2",
        ),
        f"{_SITE}/torch/lib/libtorch.so": (_module(soname="libtorch.so"), "torch 2"),
        f"{_SITE}/torch/lib/libnvshmem.so": (_module(needed=list(needed)), "torch 2"),
    }


def test_what_only_native_code_could_open_is_a_note(tmp_path: Path) -> None:
    report = _audit(tmp_path, _torch("libmpi.so.40", "librdmacm.so.1"))
    assert report["notes"] == [
        f"torch 2: 1 file not loadable, which {_UNREACHED}: libmpi.so.40, librdmacm.so.1"
    ]
    assert report["not_loadable"][0].startswith(
        f"torch 2: /{_SITE}/torch/lib/libnvshmem.so needs libmpi.so.40, which is not in the image"
    )
    assert "libmpi.so.40" in _fails(tmp_path, _torch("libmpi.so.40"), strict=True)


def test_what_a_module_needs_through_another_library_is_an_error(tmp_path: Path) -> None:
    wheels = _torch()
    wheels[f"{_SITE}/torch/lib/libtorch.so"] = (_module(needed=["libgomp.so.1"]), "torch 2")
    assert "torch/lib/libtorch.so needs libgomp.so.1" in _fails(tmp_path, wheels)


def test_a_library_that_the_distributions_own_code_opens_is_started(tmp_path: Path) -> None:
    wheels = {f"{_SITE}/lightgbm/lib/lib_lightgbm.so": (_module(needed=["libgomp.so.1"]), "lightgbm 4")}
    wheels[f"{_SITE}/x/lib/lib_lightgbm.so"] = (_module(needed=["libgomp.so.1"]), "x 1")
    opened = {"lightgbm 4": {"files": ["lib_lightgbm.so"], "calls": []}}
    message = _fails(tmp_path, wheels, opened=opened)
    assert message.startswith("1 file of the image for linux/amd64 cannot be loaded:\n  lightgbm 4: ")
    assert '  -> add "libgomp1" to the packages' in message


@pytest.mark.parametrize(
    ("path", "names", "is_module"),
    [
        ("a/_b.cpython-311-x86_64-linux-gnu.so", [], True),
        ("a/_b.abi3.so", [], True),
        ("a/_b.so", ["PyInit__b"], True),
        ("a/_b.so", ["PyInit_other"], False),
        ("a/libb.so", [], False),
        ("a/_b.cpython-310-x86_64-linux-gnu.so", ["PyInit__b"], False),
        ("a.libs/_b.abi3.so", [], False),
        ("a-b/_b.abi3.so", [], False),
        ("a/_b.so.1", ["PyInit__b"], False),
    ],
)
def test_what_python_can_import(tmp_path: Path, path: str, names: list[str], is_module: bool) -> None:
    elf = _module(needed=["libnothing.so.1"], names=names)
    entry = Entry(f"{_SITE}/{path}", "file", 0o755, source=elf_bytes(elf), origin="a 1")
    write_layer([entry], tmp_path / "one", title="t", contents=())
    facts = [_layer(tmp_path / "base", _BASE, _LINKS), str(tmp_path / "one/layer-facts.json")]
    more: dict[str, Any] = {"facts": facts}
    if is_module:
        assert "libnothing.so.1" in _fails(tmp_path, {}, **more)
    else:
        assert len(_audit(tmp_path, {}, **more)["notes"]) == 1


def test_libraries_of_the_driver_are_notes(tmp_path: Path) -> None:
    wheels = {f"{_SITE}/_cuda.so": (_module(needed=["libcuda.so.1", "libnvidia-ml.so.1"]), "cupy 13")}
    assert _audit(tmp_path, wheels)["notes"] == [
        "cupy 13: 1 file not loadable without the machine's driver: libcuda.so.1, libnvidia-ml.so.1"
    ]
    assert "libcuda.so.1" in _fails(tmp_path, wheels, strict=True)


def test_pools_that_numba_does_without_are_notes(tmp_path: Path) -> None:
    pool = f"{_SITE}/numba/np/ufunc/omppool.{_CP}.so"
    assert len(_audit(tmp_path, {pool: (_module(needed=["libgomp.so.1"]), "numba 0.60")})["notes"]) == 1
    assert "libgomp.so.1" in _fails(tmp_path, {pool: (_module(needed=["libgomp.so.1"]), "other 1")})


def test_the_library_path_of_the_image(tmp_path: Path) -> None:
    wheels = {
        f"{_SITE}/_a.so": (_module(needed=["libown.so"]), "a 1"),
        "opt/own/libown.so": (_module(soname="libown.so"), "a 1"),
    }
    assert "libown.so" in _fails(tmp_path, wheels)
    assert _audit(tmp_path, wheels, library_path=["/opt/own"])["notes"] == []


def test_the_message_is_by_library(tmp_path: Path) -> None:
    qt = {
        f"{_SITE}/PyQt6/Qt{n}.abi3.so": (_module(needed=["libGL.so.1", "libegl.so.9"]), "PyQt6 6.7")
        for n in range(20)
    }
    qt[f"{_SITE}/cv2/cv2.abi3.so"] = (_module(needed=["libGL.so.1"]), "opencv-python 4")
    assert _fails(tmp_path, qt) == (
        "21 files of the image for linux/amd64 cannot be loaded, for 2 libraries:\n"
        f"  libGL.so.1, {_NOT_THERE}; Debian's libgl1 has it: needed by 20 files of PyQt6 6.7, 1 file of "
        f"opencv-python 4, first /{_SITE}/PyQt6/Qt0.abi3.so\n"
        f"  libegl.so.9, {_NOT_THERE} (no Debian package known for it): needed by 20 files of PyQt6 6.7, first "
        f"/{_SITE}/PyQt6/Qt0.abi3.so\n"
        '  -> add "libgl1" to the packages of the base and lock it again'
    )


def test_libraries_that_code_opens_and_the_image_lacks(tmp_path: Path) -> None:
    calls = [
        ["gobject-2.0-0", "gobject-2.0", "libgobject-2.0.so.0", "libgobject-2.0.dylib"],
        ["magic"],
        ["kernel32"],
        ["z"],
        ["libz.so.1", "zlib1.dll"],
    ]
    opened = {"weasyprint 62": {"files": [], "calls": calls}}
    (line,) = _audit(tmp_path, {}, opened=opened)["notes"]
    assert line == (
        "weasyprint 62: its code opens libraries that are not in the image: libgobject-2.0.so.0 (Debian's "
        "libglib2.0-0 has it), magic (Debian's libmagic1 has it)"
    )


def _openblas(tmp_path: Path) -> list[Entry]:
    """Return what a layer of Debian's package has: made of a package of its shape, script included."""
    place = f"{_LIB}/openblas-pthread"
    link, name = f"/{_LIB}/libopenblas.so.0", "libopenblas.so.0-x86_64-linux-gnu"
    script = f"#!/bin/sh\nset -e\nupdate-alternatives --install {link} {name} /{place}/libopenblas.so.0 100\n"
    data = elf_bytes(_module(soname="libopenblas.so.0"))
    items = [
        Item(f"./{place}/libopenblasp-r0.3.21.so", data),
        symlink(f"./{place}/libopenblas.so.0", "libopenblasp-r0.3.21.so"),
        Item("DEBIAN/postinst", script.encode()),
    ]
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    debs = write_debs(tmp_path / "debs", {"libopenblas0-pthread": items})
    return layer_entries(read_debs(debs, scratch))[0]


def test_what_code_opens_when_it_is_imported_is_an_error(tmp_path: Path) -> None:
    ffi = f"{_SITE}/cairocffi/ffi.py"
    early = [{"path": ffi, "names": ["cairo-2", "cairo", "libcairo.so.2"]}]
    opened = {
        "cairocffi 1": {"files": [], "calls": [["cairo-2", "cairo", "libcairo.so.2"]], "at_import": early}
    }
    assert _fails(tmp_path, {}, opened=opened) == (
        "1 file of the image for linux/amd64 cannot be loaded:\n"
        f"  cairocffi 1: /{ffi} opens cairo when it is imported, but the image lacks it; "
        "Debian's libcairo2 has it\n"
        '  -> add "libcairo2" to the packages of the base and lock it again'
    )
    # Let pass it is told once, and not again by a note.
    passed = _audit(tmp_path, {}, opened=opened, accept=["cairo"])
    assert (len(passed["accepted"]), passed["notes"]) == (1, [])
    there = {f"{_LIB}/libcairo.so.2": (_module(soname="libcairo.so.2"), "libcairo2 1")}
    assert _audit(tmp_path, {}, opened=opened, base={**_BASE, **there})["accepted"] == []
    own = {f"{_SITE}/cairocffi.libs/libcairo-1f2e3d4c.so.2.1": (_module(), "cairocffi 1")}
    assert _audit(tmp_path, own, opened=opened)["notes"] == []
    # Of a library that no package has nothing is known: perhaps it is another system's.
    opened["cairocffi 1"]["at_import"] = [{"path": ffi, "names": ["libobjc.dylib", "nothing-like-it"]}]
    assert _audit(tmp_path, {}, opened=opened)["accepted"] == []


def test_blas_is_found_after_the_advice_was_taken(tmp_path: Path) -> None:
    wheels = {f"{_SITE}/_blas.so": (_module(needed=["libopenblas.so.0", "libc.so.6"]), "blas 1")}
    assert _fails(tmp_path, wheels) == (
        "1 file of the image for linux/amd64 cannot be loaded:\n"
        f"  blas 1: /{_SITE}/_blas.so needs libopenblas.so.0, which is not in the image; Debian's "
        "libopenblas0-pthread has it\n"
        '  -> add "libopenblas0-pthread" to the packages of the base and lock it again'
    )
    made = [*_LINKS, *_openblas(tmp_path)]
    packages = [*_PACKAGES, "libopenblas0-pthread"]
    assert _audit(tmp_path / "then", wheels, base_links=made, packages=packages)["not_loadable"] == []

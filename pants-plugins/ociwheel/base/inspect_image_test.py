from __future__ import annotations

import copy
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from ociwheel_testing.elf_writer import Elf, elf_bytes
from ociwheel_testing.registry import Entry, Layer, tar

from ociwheel.base.image_files import ImageFiles, LockedLayer, open_image
from ociwheel.base.image_trees import write_image_interpreter, write_image_sysroot
from ociwheel.base.inspect_image import BaseImage, learn
from ociwheel.base.registry_lock import registry_lock, render
from ociwheel.base.sysroot_runtime import SysrootRuntime, find_runtime
from ociwheel.base.venv_layer_step import venv_entries
from ociwheel.cli.main import main
from ociwheel.documents import canonical, document
from ociwheel.errors import BaseError, UsageError
from ociwheel.platforms import platform

LINK, DIR = tarfile.SYMTYPE, tarfile.DIRTYPE
GLIBC, MUSL = "/lib64/ld-linux-x86-64.so.2", "/lib/ld-musl-x86_64.so.1"


def program(interp: str | None = GLIBC, version: str = "3.11.9", machine: int = 62) -> bytes:
    return (
        elf_bytes(Elf(machine=machine, needed=["libc.so.6"], interp=interp))
        + b"\0"
        + version.encode()
        + b"\0"
    )


def official(version: str = "3.11.9") -> list[Entry]:
    """As the official images have it: Python below /usr/local, the version in its library."""
    return [
        Entry("lib", type=LINK, link="usr/lib"),
        Entry("lib64", type=LINK, link="usr/lib64"),
        Entry("bin", type=LINK, link="usr/bin"),
        Entry("usr/lib64/ld-linux-x86-64.so.2", type=LINK, link="../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"),
        Entry("usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", elf_bytes(Elf())),
        Entry("usr/lib/x86_64-linux-gnu/libc.so.6", elf_bytes(Elf(soname="libc.so.6")) + b"stable release version 2.36.\n"),
        Entry("usr/local/bin/python3.11", program(version="no"), mode=0o755),
        Entry("usr/local/bin/python3", type=LINK, link="python3.11"),
        Entry("usr/local/lib/libpython3.11.so.1.0", elf_bytes(Elf()) + b"\0" + version.encode() + b"\0"),
        Entry("usr/local/lib/python3.11/os.py", b"os"),
        Entry("usr/local/lib/python3.11/test/big.py", b"x"),
        Entry("usr/local/lib/python3.11/site-packages/pip/__init__.py", b"x"),
        Entry("etc/ssl/certs/ca-certificates.crt", b"x"),
        Entry("etc/passwd", b"root:x:0:0::/root:/bin/bash\n"),
    ]  # fmt: skip


def alpine() -> list[Entry]:
    return [
        Entry(MUSL[1:], elf_bytes(Elf()) + b"\x001.9.9\x00"),
        Entry("lib/apk/db/installed", b"P:busybox\nV:1.36.1-r5\n\nP:musl\nA:x86_64\nV:1.2.4-r2\n\n"),
        Entry("usr/local/bin/python3.12", program(MUSL, "3.12.4+"), mode=0o755),
        Entry("usr/local/bin/python3", type=LINK, link="python3.12"),
        Entry("usr/local/lib/python3.12/os.py"),
        Entry("etc/ssl/cert.pem", type=LINK, link="certs/ca-certificates.crt"),
        Entry("etc/ssl/certs/ca-certificates.crt", b"x"),
    ]


def distroless() -> list[Entry]:
    """No shell, and Python where Debian has it."""
    return [
        Entry("lib/x86_64-linux-gnu/libc.so.6", elf_bytes(Elf(defined_versions=["GLIBC_2.9", "GLIBC_2.31"]))),
        Entry("usr/bin/python3.9", program(version="3.9.2"), mode=0o755),
        Entry("usr/bin/python3", type=LINK, link="/usr/bin/python3.9"),
        Entry("usr/lib/python3.9/os.py"),
        Entry("etc/passwd", b"root:x:0:0::/:/no\nnonroot:x:65532:65532::/home/nonroot:/no\n"),
    ]


def unpacked(folder: Path, *layers: list[Entry]) -> ImageFiles:
    made = [Layer(tar(entries)) for entries in layers]
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True, exist_ok=True)
    for layer in made:
        (blobs / layer.row()["digest"].partition(":")[2]).write_bytes(layer.blob)
    return open_image([LockedLayer(**layer.row()) for layer in made], folder)


def learned(folder: Path, *layers: list[Entry], path: str | None = None) -> BaseImage:
    return learn(unpacked(folder, *layers), platform("linux/amd64"), path, "python:3 for linux/amd64")


def test_an_official_image(tmp_path: Path) -> None:
    assert learned(tmp_path, official()) == BaseImage(
        python="3.11.9", interpreter="/usr/local/bin/python3.11", stdlib="/usr/local/lib/python3.11",
        libc="glibc", libc_version="2.36", certificates="/etc/ssl/certs/ca-certificates.crt", nonroot=False,
    )  # fmt: skip


def test_an_alpine_image(tmp_path: Path) -> None:
    found = learned(tmp_path, alpine())
    assert (found.libc, found.libc_version, found.python) == ("musl", "1.2", "3.12.4")
    assert found.interpreter == "/usr/local/bin/python3.12"


def test_musl_without_a_package_database_tells_its_version_itself(tmp_path: Path) -> None:
    assert learned(tmp_path, alpine(), [Entry("lib/apk/db/.wh.installed")]).libc_version == "1.9"


def test_a_distroless_image(tmp_path: Path) -> None:
    found = learned(tmp_path, distroless())
    assert (found.interpreter, found.libc_version, found.nonroot) == ("/usr/bin/python3.9", "2.31", True)
    assert found.certificates is None


def test_the_path_of_the_image_decides_between_pythons(tmp_path: Path) -> None:
    both = [*official(), *(e for e in distroless() if "python" in e.path)]
    assert learned(tmp_path, both).python == "3.11.9"
    assert learned(tmp_path, both, path="/usr/bin:/usr/local/bin").python == "3.9.2"


def own_build(folder: str) -> list[Entry]:
    """As `make install` leaves it, or uv: all below a folder of its own."""
    return [
        Entry(f"{folder}/bin/python3.12", program(version="3.12.4"), mode=0o755),
        Entry(f"{folder}/bin/python3", type=LINK, link="python3.12"),
        Entry(f"{folder}/lib/python3.12/os.py", b"os"),
    ]


def test_an_own_build_is_found_by_the_path_of_the_image_or_by_a_link(tmp_path: Path) -> None:
    system = [entry for entry in official() if "python" not in entry.path]
    found = learned(tmp_path, system, own_build("opt/python"), path="/opt/python/bin:/usr/bin")
    assert (found.interpreter, found.stdlib) == ("/opt/python/bin/python3.12", "/opt/python/lib/python3.12")
    folder = "root/.local/share/uv/python/cpython-3.12.4-linux-x86_64-gnu"
    links = [
        Entry("usr/local/bin/python3", type=LINK, link=f"/{folder}/bin/python3.12"),
        Entry("venv/bin/python", type=LINK, link="/usr/local/bin/python3"),
    ]
    for path in (None, "/venv/bin:/usr/bin"):
        found = learned(tmp_path, system, own_build(folder), links, path=path)
        assert (found.python, found.interpreter) == ("3.12.4", f"/{folder}/bin/python3.12")


@pytest.mark.parametrize(
    ("path", "found"), [("versions/3.12.4", "3.12.4"), ("13.12.4", None), ("2.3.12.4", None)]
)
def test_a_version_may_be_the_end_of_a_longer_string(tmp_path: Path, path: str, found: str | None) -> None:
    system = [entry for entry in official() if "python" not in entry.path]
    build = own_build("opt/python")
    build[0] = Entry(build[0].path, program(version=f"/opt/{path}"), mode=0o755)
    if found:
        assert learned(tmp_path, system, build, path="/opt/python/bin").python == found
    else:
        with pytest.raises(BaseError, match="does not tell its full version"):
            learned(tmp_path, system, build, path="/opt/python/bin")


def test_two_ends_that_disagree_tell_no_version(tmp_path: Path) -> None:
    system = [entry for entry in official() if "python" not in entry.path]
    build = own_build("opt/python")
    build[0] = Entry(build[0].path, program(version="/a/3.12.3") + b"/b/3.12.4\0", mode=0o755)
    with pytest.raises(BaseError, match="does not tell its full version"):
        learned(tmp_path, system, build, path="/opt/python/bin")


def test_an_own_build_elsewhere_is_not_looked_for(tmp_path: Path) -> None:
    system = [entry for entry in official() if "python" not in entry.path]
    with pytest.raises(BaseError, match="no Python with a standard library") as caught:
        learned(tmp_path, system, own_build("opt/python"))
    assert (
        "-> choose an image that has Python, such as python:3.11-slim, or name the folder of its Python in PATH "
        "of the image's configuration"
    ) in caught.value.render()


def test_a_python_without_a_standard_library_is_none(tmp_path: Path) -> None:
    with pytest.raises(BaseError, match="no Python with a standard library") as caught:
        learned(tmp_path, [Entry("usr/bin/python3.11", program())])
    assert "without one: /usr/bin/python3.11" in caught.value.render()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (program(machine=40), "its Python is for 64-bit ELF machine 40, not for linux/amd64"),
        (program(interp=None), "linked statically"),
        (b"#!/bin/sh\n", "is no program"),
        (program(version="3.12.1"), "does not tell its full version"),
    ],
)
def test_pythons_that_will_not_do(tmp_path: Path, content: bytes, expected: str) -> None:
    entries = [e for e in distroless() if e.path != "usr/bin/python3.9"]
    with pytest.raises(BaseError, match=expected):
        learned(tmp_path, [*entries, Entry("usr/bin/python3.9", content)])


def test_an_image_without_a_libc_is_told(tmp_path: Path) -> None:
    with pytest.raises(BaseError, match="has no libc for its Python"):
        learned(tmp_path, [e for e in distroless() if "libc" not in e.path])


# --- trees ------------------------------------------------------------------------------------------


def builder() -> list[Entry]:
    return [
        *official(),
        Entry("usr/local/include/python3.11/Python.h", b"h"),
        Entry("usr/local/lib/python3.11/_sysconfigdata__linux_x86_64-linux-gnu.py", b"v"),
        Entry("usr/local/lib/python3.11/config-3.11-x86_64-linux-gnu/libpython3.11.a", b"a"),
        Entry("usr/include/ffi.h", b"h"),
        Entry("usr/include/c++/12/vector", b"h"),
        Entry("usr/lib/x86_64-linux-gnu/libffi.so", type=LINK, link="libffi.so.8.1"),
        Entry("usr/lib/x86_64-linux-gnu/libffi.so.8.1", b"so"),
        Entry("usr/lib/x86_64-linux-gnu/libffi.a", b"a"),
        Entry("usr/lib/x86_64-linux-gnu/libonly.a", b"a"),
        Entry("usr/lib/x86_64-linux-gnu/libhost.so", type=LINK, link="/../../etc/passwd"),
        Entry(
            "usr/lib/x86_64-linux-gnu/liboutside.so", type=LINK, link="../../../../../../../../../etc/hosts"
        ),
        Entry("usr/lib/x86_64-linux-gnu/libc.so", b"script"),
        Entry("usr/lib/x86_64-linux-gnu/libm-2.36.a", b"a"),
        Entry("usr/lib/x86_64-linux-gnu/Scrt1.o", b"o"),
        Entry("usr/lib/x86_64-linux-gnu/libstdc++.so.6", b"so"),
        Entry("usr/lib/x86_64-linux-gnu/pkgconfig/libffi.pc", b"pc"),
        Entry("usr/lib/gcc/x86_64-linux-gnu/12/libgcc.a", b"a"),
        Entry("usr/bin/gcc", b"x"),
    ]


def test_a_sysroot_has_what_compiling_needs_and_no_link_out_of_it(tmp_path: Path) -> None:
    output, scratch = tmp_path / "out", tmp_path / "scratch"
    scratch.mkdir()
    write_image_sysroot(unpacked(tmp_path, builder()), scratch, output, "python:3.11")
    found = {str(p.relative_to(output)) for p in output.rglob("*") if not p.is_dir()}
    assert found == {
        "usr/include/ffi.h",
        "usr/lib/x86_64-linux-gnu/libffi.so",
        "usr/lib/x86_64-linux-gnu/libffi.so.8.1",
        "usr/lib/x86_64-linux-gnu/libhost.so",  # a copy of the image's own file
        "usr/lib/x86_64-linux-gnu/libonly.a",
        "usr/lib/x86_64-linux-gnu/pkgconfig/libffi.pc",
        "usr/local/include/python3.11/Python.h",
        "usr/local/lib/libpython3.11.so.1.0",
        "usr/local/lib/python3.11/_sysconfigdata__linux_x86_64-linux-gnu.py",
    }
    assert (output / "usr/lib/x86_64-linux-gnu/libffi.so").readlink() == Path("libffi.so.8.1")
    assert (output / "usr/lib/x86_64-linux-gnu/libhost.so").read_bytes().startswith(b"root:x:0:0")


def test_a_builder_image_with_a_runtime_keeps_it_whole(tmp_path: Path) -> None:
    """As python's full images have gcc: then nothing of zig's stands in for it."""
    gcc = "usr/lib/gcc/x86_64-linux-gnu/12"
    entries = [
        *builder(),
        Entry(f"{gcc}/crtbeginS.o", b"o"),
        Entry(f"{gcc}/libstdc++.so", b"so"),
        Entry(f"{gcc}/libstdc++.a", b"a"),
        Entry(f"{gcc}/libasan.a", b"a"),
        Entry(f"{gcc}/cc1", b"program"),
        Entry("usr/lib/x86_64-linux-gnu/crti.o", b"o"),
        Entry("usr/lib64/ld-linux-x86-64.so.2", b"so"),
    ]
    output, scratch = tmp_path / "out", tmp_path / "scratch"
    scratch.mkdir()
    write_image_sysroot(unpacked(tmp_path, entries), scratch, output, "python:3.11")
    found = {str(p.relative_to(output)) for p in output.rglob("*") if not p.is_dir()}
    kept = {f"{gcc}/{name}" for name in ("crtbeginS.o", "libgcc.a", "libstdc++.a", "libstdc++.so")}
    assert {path for path in found if path.startswith("usr/lib/gcc/")} == kept
    assert {"usr/include/c++/12/vector", "usr/lib64/ld-linux-x86-64.so.2"} <= found
    assert {f"usr/lib/x86_64-linux-gnu/{name}" for name in ("libc.so", "Scrt1.o", "crti.o")} <= found
    assert [(output / name).readlink() for name in ("lib", "lib64")] == [Path("usr/lib"), Path("usr/lib64")]
    assert find_runtime(output, "x86_64-linux-gnu") == SysrootRuntime(output / gcc)


def test_a_builder_without_headers_is_told(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    with pytest.raises(BaseError, match=r"has no Python\.h of Python 3\.11"):
        write_image_sysroot(
            unpacked(tmp_path, official()), tmp_path / "scratch", tmp_path / "out", "python:3.11"
        )


def test_an_interpreter_starts_through_its_own_loader(tmp_path: Path) -> None:
    output, scratch = tmp_path / "out", tmp_path / "scratch"
    scratch.mkdir()
    # Of another machine than this one, so that nothing tries to run it.
    other = platform("linux/riscv64")
    write_image_interpreter(
        unpacked(tmp_path, official()), other, "3.11", scratch, output, where="python:3.11"
    )
    shim = (output / "usr/bin/python3").read_text()
    assert '"$root/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"' in shim
    found = {str(p.relative_to(output)) for p in output.rglob("*") if p.is_file()}
    assert {"usr/libexec/python3.11", "usr/lib/python3.11/os.py", "usr/lib/libpython3.11.so.1.0"} <= found
    assert not [p for p in found if "site-packages" in p or "/test/" in p or p.startswith("etc")]


def test_an_own_build_without_a_link_is_unpacked_from_where_locking_found_it(tmp_path: Path) -> None:
    """Only PATH of the image's configuration names its folder, beside another Python in a usual one."""
    files = [*builder(), *own_build("opt/python"), Entry("opt/python/include/python3.12/Python.h", b"h")]
    image, where = unpacked(tmp_path, files), "python:own"
    for name in ("scratch", "others"):
        (tmp_path / name).mkdir()
    write_image_interpreter(
        image,
        platform("linux/riscv64"),
        "3.12",
        tmp_path / "scratch",
        tmp_path / "python",
        where=where,
        path="/opt/python/bin",
    )
    assert (tmp_path / "python/usr/lib/python3.12/os.py").read_bytes() == b"os"
    write_image_sysroot(image, tmp_path / "others", tmp_path / "sysroot", where, "/opt/python/bin")
    assert (tmp_path / "sysroot/usr/local/include/python3.12/Python.h").read_bytes() == b"h"


def test_an_interpreter_of_musl_or_of_another_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    image = unpacked(tmp_path, alpine())
    row = platform("linux/amd64")
    with pytest.raises(BaseError, match="cannot run from another folder"):
        write_image_interpreter(image, row, "3.12", tmp_path / "scratch", tmp_path / "out", where="x")
    with pytest.raises(BaseError, match=r"has Python 3\.12, not 3\.11"):
        write_image_interpreter(image, row, "3.11", tmp_path / "scratch", tmp_path / "out", where="x")


def test_the_virtual_environment_stands_on_the_image_s_python() -> None:
    entries = {e.path: e for e in venv_entries("3.11.9", "/usr/local/bin/python3.11", "/app")}
    assert entries["app/bin/python"].target == "/usr/local/bin/python3.11"
    settings = entries["app/pyvenv.cfg"].source
    assert isinstance(settings, bytes)
    assert settings.startswith(b"home = /usr/local/bin\n")
    with pytest.raises(UsageError):
        list(venv_entries("3.11.9", "usr/bin/python3.11", "/app"))


# --- steps and locks --------------------------------------------------------------------------------


def step(tmp_path: Path, capsys: pytest.CaptureFixture[str], *argv: str) -> Any:
    assert main(list(argv)) == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


def test_facts_of_a_layer_are_those_the_audit_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layer = Layer(tar([*official(), Entry("usr/.wh.games"), Entry("opt", type=DIR)]))
    (tmp_path / "blob").write_bytes(layer.blob)
    arguments = ["--blob", str(tmp_path / "blob"), "--output", str(tmp_path)]
    answer = step(tmp_path, capsys, "blob-facts", *arguments, "--diff-id", layer.diff_id)
    facts = json.loads((tmp_path / "layer-facts.json").read_bytes())
    assert answer["files"] == len(facts["files"]) == len(official()) + 2
    assert ["lib", "l", 0o644, 0, 0, 0, "usr/lib"] in facts["files"]
    assert {row["path"]: row["interp"] for row in facts["elf"]}["usr/local/bin/python3.11"] == GLIBC


def test_an_image_is_learned_by_the_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unpacked(tmp_path, official())
    request = {
        "name": "python:3.11-slim", "platform": "linux/amd64", "env": {}, "layers": [Layer(tar(official())).row()],
    }  # fmt: skip
    (tmp_path / "r.json").write_bytes(canonical(request))
    answer = step(
        tmp_path, capsys, "inspect-image", "--layout", str(tmp_path), "--request", str(tmp_path / "r.json")
    )
    assert (answer["python"], answer["unpacked"]) == ("3.11.9", [len(tar(official()))])


DIGEST = "sha256:" + "ab" * 32


def resolved(*platforms: str, version: str = "3.11.9") -> dict[str, Any]:
    layer = {"digest": DIGEST, "size": 7, "mediaType": "m", "diff_id": DIGEST, "created_by": ""}
    rows = {
        name: {
            "manifest": {"digest": DIGEST, "size": 1, "mediaType": "m"},
            "config": {"digest": DIGEST, "size": 1},
            "image": {"env": {"PATH": "/bin", "PYTHON_VERSION": version}, "labels": {}},
            "layers": [layer],
        }
        for name in platforms
    }
    return {"name": "python:3.11", "root": {"digest": DIGEST, "size": 1, "mediaType": "m"}, "platforms": rows}


def facts(name: str, python: str = "3.11.9") -> dict[str, Any]:
    found = BaseImage(
        python, "/usr/bin/python3.11", "/usr/lib/python3.11", "glibc", "2.36", None, nonroot=False
    )
    return document("base-image", {**found.to_json(), "platform": name, "unpacked": [9]})


def lock(learned_: dict[str, Any], builder_version: str = "3.11.8") -> dict[str, Any]:
    names = {"image": "python:3.11-slim", "builder_image": "python:3.11"}
    both = {
        "image": resolved("linux/amd64", "linux/arm64", "linux/arm/v7"),
        "builder_image": resolved("linux/amd64", "linux/arm/v7", version=builder_version),
    }
    return registry_lock(names, ["linux/amd64", "linux/arm/v7"], both, learned_)


def test_a_lock_is_json_with_a_line_for_each_layer() -> None:
    value = lock({name: facts(name) for name in ("linux/amd64", "linux/arm/v7")})
    text = render(value).decode()
    assert json.loads(text) == value
    assert list(value["interpreters"]) == ["linux/arm64"]
    moved = copy.deepcopy(value)
    moved["platforms"]["linux/arm/v7"]["layers"][0]["digest"] = "sha256:" + "cd" * 32
    before, after = text.splitlines(), render(moved).decode().splitlines()
    assert [a for b, a in zip(before, after, strict=True) if a != b] == [
        line for line in after if "sha256:cdcd" in line
    ]


def test_platforms_of_different_pythons_are_refused() -> None:
    with pytest.raises(BaseError, match="its platforms have different Pythons"):
        lock({"linux/amd64": facts("linux/amd64"), "linux/arm/v7": facts("linux/arm/v7", "3.12.0")})


def test_a_builder_with_another_python_is_refused() -> None:
    with pytest.raises(BaseError, match=r"it has Python 3\.12\.1 for linux/"):
        lock({name: facts(name) for name in ("linux/amd64", "linux/arm/v7")}, "3.12.1")

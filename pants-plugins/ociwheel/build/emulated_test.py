"""The step against an engine made up for the test: what goes in, what comes out, and every message."""

from __future__ import annotations

import argparse
import io
import json
import tarfile
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from ociwheel_testing.elf_writer import Elf, elf_bytes
from ociwheel_testing.fake_engine import FakeEngine

from ociwheel.build import emulate_step
from ociwheel.build.emulated import read_answer
from ociwheel.build.in_container import STARTED, Result
from ociwheel.errors import BuildError, OciwheelError, ToolError
from ociwheel.image.container import write_container_image
from ociwheel.layer.writer import Content, Entry, write_layer
from ociwheel.platforms import platform

WHERE = "demo 1.0 for linux/arm/v7, Python 3.11"
NAME = "demo-1.0-cp311-cp311-linux_armv7l.whl"


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> argparse.Namespace:
    monkeypatch.chdir(tmp_path)
    layer = write_layer(
        [Entry("build/out", "dir", 0o755)],
        tmp_path / "image",
        title="compiler",
        contents=[Content("deb", "gcc", "12")],
    )
    write_container_image(layer, platform("linux/arm/v7"), tmp_path / "image")
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements/setuptools-1-py3-none-any.whl").write_bytes(b"wheel")
    (tmp_path / "demo-1.0.tar.gz").write_bytes(b"sdist")
    target = {"schema": "ociwheel.target/1", "platform": "linux/arm/v7", "python": "3.11.2"}
    (tmp_path / "target.json").write_text(json.dumps({**target, "libc": "glibc", "libc_version": "2.36"}))
    (tmp_path / "settings.json").write_text(json.dumps({"name": "demo", "version": "1.0"}))
    return argparse.Namespace(
        sdist=Path("demo-1.0.tar.gz"),
        target=Path("target.json"),
        requirements=Path("requirements"),
        image=Path("image"),
        settings=Path("settings.json"),
        output=Path("out"),
    )


METADATA = "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"


def wheel(machine: int = 40, elf_class: int = 32) -> str:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("demo.so", elf_bytes(Elf(machine=machine, elf_class=elf_class)))
        archive.writestr("demo-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\n")
        archive.writestr("demo-1.0.dist-info/METADATA", METADATA)
        archive.writestr("demo-1.0.dist-info/RECORD", "")
    return buffer.getvalue().decode("latin-1")


def answer(result: Result, **files: str) -> dict[str, Any]:
    out = {"result.json": json.dumps(asdict(result)), **files}
    return {"output": f"{STARTED}\n", "out": out}


def run(fake: FakeEngine, arguments: argparse.Namespace, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("OCIWHEEL_MACHINE", str(fake.machine()))
    try:
        return emulate_step.run(arguments)
    finally:
        assert fake.left == []
        assert not [p for p in Path().iterdir() if p.name.startswith(".emulate-")]


def fault(fake: FakeEngine, arguments: argparse.Namespace, monkeypatch: pytest.MonkeyPatch) -> OciwheelError:
    with pytest.raises(OciwheelError) as e:
        run(fake, arguments, monkeypatch)
    return e.value


def test_the_wheel_that_the_container_made(
    tmp_path: Path, arguments: argparse.Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = Result(NAME, ("compiling",), 1, ("demo.c",))
    fake = FakeEngine(tmp_path).install(**answer(result, **{NAME: wheel()}))
    document = run(fake, arguments, monkeypatch)
    assert (document["filename"], document["tags"]) == (NAME, ["cp311-cp311-linux_armv7l"])
    assert [fact["path"] for fact in document["elf"]] == ["demo.so"]
    assert (tmp_path / "out" / NAME).stat().st_size == document["size"]
    verbs = [call[0] for call in fake.calls]
    assert verbs == ["version", "load", "create", "cp", "start", "cp", "rm", "ps", "images", "rmi"]
    create, copied, start = fake.calls[2:5]
    number = start[-1]
    assert start == ["start", "--attach", "--interactive", number]
    assert copied == ["cp", "-", f"{number}:/build"]
    assert create[create.index("--workdir") + 3 : -1] == [
        *("/usr/bin/python3.11", "-I", "-S", "-B", "-X", "utf8", "-c")
    ]
    with tarfile.open(tmp_path / "state/input.tar") as tar:
        names = set(tar.getnames())
    assert {
        *("in/sdist/demo-1.0.tar.gz", "in/requirements/setuptools-1-py3-none-any.whl", "in/target.json"),
        *("in/settings.json", "in/core/ociwheel/build/in_container.py", "in/lib/installer/__init__.py"),
    } <= names
    assert not [name for name in names if name.endswith("_test.py") or "__pycache__" in name]


CANNOT_RUN = {
    "exec /usr/bin/python3.11: exec format error\n": (
        "docker cannot run programs of linux/arm/v7: no emulator (QEMU)",
        "apt-get install qemu-user-static binfmt-support",
    ),
    "exec /usr/bin/python3.11: no such file or directory\n": (
        "is outside the container (binfmt_misc without the flag F)",
        "look for F in /proc/sys/fs/binfmt_misc/qemu-arm",
    ),
    "something else\n": ("docker cannot start the container (exit code 1)", "something else"),
}


@pytest.mark.parametrize("said", CANNOT_RUN)
def test_an_engine_that_cannot_run_the_platform(
    tmp_path: Path, arguments: argparse.Namespace, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    error = fault(FakeEngine(tmp_path).install(output=said, exit=1), arguments, monkeypatch)
    assert isinstance(error, ToolError)
    assert str(error).startswith(f"{WHERE}: docker cannot ")
    message, hint = CANNOT_RUN[said]
    assert message in str(error)
    assert hint in str(error)


def test_a_container_that_ends_without_an_answer(
    tmp_path: Path, arguments: argparse.Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeEngine(tmp_path).install(output=f"{STARTED}\n", exit=137)
    assert str(fault(fake, arguments, monkeypatch)) == (
        f"{WHERE}: the container ended with exit code 137 and without an answer\n  {STARTED}\n"
        "  -> it was killed, perhaps for want of memory: give the engine more"
    )
    fake.plan(output=f"{STARTED}\n", cp="no space left on device\n")
    assert "docker cannot copy the sdist into the container" in str(fault(fake, arguments, monkeypatch))


def test_a_failed_build_is_read_as_a_cross_build_is(
    tmp_path: Path, arguments: argparse.Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ("demo.c:1:10: fatal error: yaml.h: No such file or directory",)
    fake = FakeEngine(tmp_path).install(**answer(Result(lines=lines, failed_hook=True)))
    error = fault(fake, arguments, monkeypatch)
    assert "yaml.h" in error.what
    assert "libyaml-dev" in str(error.hint)
    said = BuildError("is written in Rust", where=WHERE, hint="choose", details=["a"]).to_json()
    fake.plan(**answer(Result(error=said)))
    assert str(fault(fake, arguments, monkeypatch)) == f"{WHERE}: is written in Rust\n  a\n  -> choose"


def test_a_wheel_that_is_not_what_it_should_be(
    tmp_path: Path, arguments: argparse.Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = Result(NAME, (), 1, ("demo.c",))
    fake = FakeEngine(tmp_path).install(**answer(result, **{NAME: wheel(62, 64)}))
    assert "compiled for ELF machine 62 (64 bits)" in str(fault(fake, arguments, monkeypatch))
    assert not (tmp_path / "out" / NAME).exists()
    fake.plan(**answer(result))
    assert f"the backend left no file {NAME}" in str(fault(fake, arguments, monkeypatch))
    pure = "demo-1.0-py3-none-any.whl"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("demo-1.0.dist-info/METADATA", METADATA)
        archive.writestr("demo-1.0.dist-info/RECORD", "")
    fake.plan(**answer(Result(pure, (), 0, ("demo.c",)), **{pure: buffer.getvalue().decode("latin-1")}))
    error = fault(fake, arguments, monkeypatch)
    assert isinstance(error, BuildError)
    assert "the wheel holds no compiled file (the compiler was never called)" in error.what


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("[]", "expected an object, found a list"),
        ("{", "is not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("[" * 100_000, "is nested too deeply"),
        ('{"wheel": "../../x.whl"}', "wheel: expected the name of a wheel, found '../../x.whl'"),
        ('{"lines": 7}', "lines: expected a list, found a number"),
        ('{"lines": [], "compiled": -1}', "compiled: expected a whole number from 0 on, found a number"),
    ],
)
def test_an_answer_that_is_none(tmp_path: Path, answer: str, expected: str) -> None:
    file = tmp_path / "result.json"
    file.write_text(answer)
    with pytest.raises(ToolError) as caught:
        read_answer(file, WHERE)
    assert str(caught.value) == f"{WHERE}: the container's answer: {expected}"


def test_an_answer_that_leads_out_of_the_container(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text('{"wheel": null}')
    link = tmp_path / "result.json"
    link.symlink_to("secret")
    with pytest.raises(ToolError, match="the container's answer: is no file"):
        read_answer(link, WHERE)

import argparse
import base64
import gzip
import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from installer.utils import fix_shebang
from ociwheel_testing.elf_writer import Elf, elf_bytes
from ociwheel_testing.wheel_writer import write_wheel

from ociwheel.errors import LayerError, UsageError
from ociwheel.formats.times import CONSTANT, of_content
from ociwheel.layer import wheel_layer_step
from ociwheel.layer.left_out import RULES, LeftOut

_MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"
_SITE = f"app/lib/python{_MINOR}/site-packages"
_CP = f"cp{sys.version_info[0]}{sys.version_info[1]}"

_WHEEL = "demo-1.0-py3-none-any.whl"
_SCHEME = (
    f"{_WHEEL}: the wheel cannot be installed: InvalidWheelSource: "
    "demo-1.0.data/nonsense/x is not contained in a valid .data subdirectory."
)
_INVALID = f"{_WHEEL}: the wheel cannot be installed: WheelFileValidationError: "

_NO_HASH = "`hash` does not follow the required format"

Step = Callable[..., dict[str, Any]]


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    return tmp_path / "wheels"


@pytest.fixture
def step(tmp_path: Path, wheels: Path) -> Step:
    def run(
        *more: str, platform: str = "linux/amd64", python: str = _MINOR, libc: str = "2.36"
    ) -> dict[str, Any]:
        target = {"schema": "ociwheel.target/1", "platform": platform, "python": f"{python}.2"}
        (tmp_path / "target.json").write_text(json.dumps({**target, "libc": "glibc", "libc_version": libc}))
        parser = argparse.ArgumentParser()
        wheel_layer_step.configure(parser)
        arguments = ["--wheels", str(wheels), "--target", str(tmp_path / "target.json"), "--title", "demo"]
        return wheel_layer_step.run(parser.parse_args([*arguments, "--output", str(tmp_path / "out"), *more]))

    return run


def _members(tmp_path: Path) -> list[tarfile.TarInfo]:
    (blob,) = (tmp_path / "out/blobs/sha256").iterdir()
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(blob.read_bytes()))) as archive:
        return archive.getmembers()


def _files(tmp_path: Path) -> dict[str, tuple[int, bytes]]:
    (blob,) = (tmp_path / "out/blobs/sha256").iterdir()
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(blob.read_bytes()))) as archive:
        return {
            m.name: (m.mode, file.read() if (file := archive.extractfile(m)) else b"")
            for m in archive
            if m.isfile()
        }


def test_a_wheel_lands_in_the_virtual_environment(tmp_path: Path, wheels: Path, step: Step) -> None:
    write_wheel(
        wheels,
        files={
            "demo/__init__.py": b"X = 1\n",
            "demo/tool": b"binary",
            "demo/lib.a": b"!<arch>",
            "demo/old.py": b"print 'two'\n",
            "demo-1.0.data/scripts/run": b"#!python\nprint()\n",
            "demo-1.0.data/data/share/demo.txt": b"data",
            "demo-1.0.data/headers/demo.h": b"int x;",
        },
        entry_points="[console_scripts]\ndemo = demo:main.go\n[gui_scripts]\ngui = demo:main\n",
        executable=("demo/tool",),
    )
    layer = step("--bytecode", "none", "--exclude", "*.md")
    files = _files(tmp_path)
    info = f"{_SITE}/demo-1.0.dist-info"
    assert {path: mode for path, (mode, _) in files.items()} == {
        "app/bin/demo": 0o755,
        "app/bin/gui": 0o755,
        "app/bin/run": 0o755,
        f"{info}/INSTALLER": 0o644,
        f"{info}/METADATA": 0o644,
        f"{info}/RECORD": 0o644,
        f"{info}/WHEEL": 0o644,
        f"{info}/entry_points.txt": 0o644,
        f"{_SITE}/demo/__init__.py": 0o644,
        f"{_SITE}/demo/lib.a": 0o644,
        f"{_SITE}/demo/old.py": 0o644,
        f"{_SITE}/demo/tool": 0o755,
        "app/share/demo.txt": 0o644,
    }
    assert files["app/bin/run"][1] == b"#!/app/bin/python\nprint()\n"
    assert files["app/bin/demo"][1].startswith(b"#!/app/bin/python\n")
    assert b"from demo import main" in files["app/bin/demo"][1]
    assert files[f"{info}/INSTALLER"][1] == b"ociwheel\n"
    (content,) = layer["contents"]
    assert (content["type"], content["name"], content["version"]) == ("wheel", "demo", "1.0")
    assert content["unpacked_size"] == sum(len(data) for _, data in files.values())
    assert layer["left_out"] == [{"origin": "demo 1.0", "rule": "headers", "files": 1, "bytes": 6}]


def test_what_a_wheel_reads_at_run_time_is_there_whatever_its_extension(
    tmp_path: Path, wheels: Path, step: Step
) -> None:
    # pocl compiles kernels with the first, virtualenv and jupyterlite carry wheels, playwright's tools programs.
    names = [
        "opencl-c.h",
        "x.hpp",
        "y.pxd",
        "z.la",
        "lib.a",
        "pip-24-py3-none-any.whl",
        "t.exe",
        "p.pdb",
        "p.pyd",
    ]
    write_wheel(wheels, files={f"demo/share/{name}": name.encode() for name in names})
    layer = step("--bytecode", "none")
    assert [p for p in _files(tmp_path) if "/share/" in p] == sorted(f"{_SITE}/demo/share/{n}" for n in names)
    record = _files(tmp_path)[f"{_SITE}/demo-1.0.dist-info/RECORD"][1].decode()
    assert all(f"demo/share/{name},sha256=" in record for name in names)
    assert layer["left_out"] == []


def test_what_is_left_out_is_counted_by_rule(tmp_path: Path, wheels: Path, step: Step) -> None:
    write_wheel(
        wheels,
        files={
            "demo/__init__.py": b"",
            "demo/tests/a.py": b"12345",
            "demo/tests/b.py": b"123",
            "demo/__pycache__/a.pyc": b"12",
            "demo-1.0.data/headers/demo.h": b"int x;",
        },
    )
    assert step("--bytecode", "none", "--exclude", "demo/tests/*")["left_out"] == [
        {"origin": "demo 1.0", "rule": "bytecode", "files": 1, "bytes": 2},
        {"origin": "demo 1.0", "rule": "exclude", "files": 2, "bytes": 8},
        {"origin": "demo 1.0", "rule": "headers", "files": 1, "bytes": 6},
    ]


def test_every_rule_is_published() -> None:
    page = Path(__file__).parents[3] / "docs/reference/left-out.md"
    for rule, what in RULES.items():
        assert f"| `{rule}` | {what} |\n" in page.read_text()
    with pytest.raises(KeyError):
        LeftOut().add("demo 1.0", "guess", 1)


@pytest.mark.parametrize(
    "script",
    [
        b"",
        b"#!pyth",
        b"#!python",
        b"#!python\n",
        b"#!python -E\nprint()\n",
        b"#!pythonw\r\nprint()\n",
        b"#!/bin/sh\n#!python\n",
        b"\x7fELF" + bytes(600_000),
        b"#!python" + b" " * 600_000 + b"\nprint()\n" + b"#" * 600_000,
    ],
    ids=lambda script: f"{script[:12]!r} of {len(script)}",
)
def test_scripts_are_changed_as_installer_does(
    tmp_path: Path, wheels: Path, step: Step, script: bytes
) -> None:
    write_wheel(wheels, files={"demo-1.0.data/scripts/run": script})
    step("--bytecode", "none")
    with fix_shebang(io.BytesIO(script), "/app/bin/python") as fixed:
        assert _files(tmp_path)["app/bin/run"] == (0o755, fixed.read())


def test_record_lists_what_is_shipped_and_nothing_else(tmp_path: Path, wheels: Path, step: Step) -> None:
    write_wheel(
        wheels,
        files={
            "demo/a.py": b"",
            "demo-1.0.data/headers/a.h": b"",
            "demo-1.0.data/data/etc/x": b"x",
            "demo/t/b.py": b"",
        },
        entry_points="[console_scripts]\ndemo = demo:main\n",
    )
    step("--exclude", "demo/t/*", "--bytecode", "unchecked-hash")
    files = _files(tmp_path)
    record = files[f"{_SITE}/demo-1.0.dist-info/RECORD"][1].decode()
    tag = sys.implementation.cache_tag
    listed = [line.rpartition(",")[0].rpartition(",")[0] for line in record.splitlines()]
    assert sorted(listed) == sorted(
        [
            "../../../bin/demo",
            "../../../etc/x",
            f"demo/__pycache__/a.{tag}.pyc",
            "demo/a.py",
            *(
                f"demo-1.0.dist-info/{n}"
                for n in ("INSTALLER", "METADATA", "RECORD", "WHEEL", "entry_points.txt")
            ),
        ]
    )
    shipped = {path.removeprefix(f"{_SITE}/").replace("app/", "../../../", 1) for path in files}
    assert shipped == set(listed)
    assert f"demo/__pycache__/a.{tag}.pyc,,\n" in record
    assert "demo/a.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n" in record


def test_source_that_does_not_compile_is_noted(
    wheels: Path, step: Step, capsys: pytest.CaptureFixture[str]
) -> None:
    write_wheel(wheels, files={"demo/old.py": b"print 'two'\n"})
    step()
    assert capsys.readouterr().err.startswith(
        f"note: no bytecode for {_SITE}/demo/old.py (demo 1.0): SyntaxError: Missing parentheses"
    )


def test_bytecode_that_a_wheel_brings_is_not_taken(tmp_path: Path, wheels: Path, step: Step) -> None:
    write_wheel(wheels, files={"demo/__pycache__/evil.cpython-311.pyc": b"evil"})
    step()
    assert not [p for p in _files(tmp_path) if "evil" in p]


def test_the_same_wheels_give_the_same_layer(tmp_path: Path, wheels: Path, step: Step) -> None:
    for name in ("b", "a", "c"):
        write_wheel(wheels, name, files={f"{name}/m.py": b"import os\n" * 50, "shared/__init__.py": b""})
    one = step()
    for path in wheels.iterdir():
        path.rename(path.with_suffix(".tmp"))
    for path in sorted(wheels.iterdir()):
        path.rename(path.with_suffix(".whl"))
    assert step("--output", str(tmp_path / "again")) == one


def test_wheels_that_fight_over_a_path(wheels: Path, step: Step) -> None:
    write_wheel(wheels, "one", files={"shared/x.py": b"1", "shared/same.py": b""})
    write_wheel(wheels, "two", files={"shared/x.py": b"2", "shared/same.py": b""})
    with pytest.raises(LayerError) as e:
        step()
    assert str(e.value) == (
        f"one 1.0 and two 1.0 have different files for /{_SITE}/shared/x.py\n"
        '  -> name the one whose file the image shall have in the field `prefer`: prefer=["one"]'
    )


def test_a_distribution_that_is_preferred_wins_a_path(tmp_path: Path, wheels: Path, step: Step) -> None:
    command = "[console_scripts]\nparse = {}:main\n"
    for name in ("one_parse", "two_parse"):
        own = {"shared/x.py": name.encode(), f"{name}.py": b"def main(): pass\n"}
        write_wheel(wheels, name, files=own, entry_points=command.format(name))
    step("--prefer", "Two.Parse")
    files = _files(tmp_path)
    assert files[f"{_SITE}/shared/x.py"][1] == b"two_parse"
    assert b"from two_parse import main" in files["app/bin/parse"][1]
    assert f"{_SITE}/one_parse.py" in files


def test_a_record_with_gaps_is_told_and_taken(
    tmp_path: Path, wheels: Path, step: Step, capsys: pytest.CaptureFixture[str]
) -> None:
    write_wheel(
        wheels, "one", raw={"one/extra.py": b"x"}, files={"one/a.py": b"y"}, record={"one/a.py": "one/a.py,,"}
    )
    write_wheel(wheels, "two", raw={"two/extra.py": b"x"})
    step("--bytecode", "none")
    assert _files(tmp_path)[f"{_SITE}/one/extra.py"] == (0o644, b"x")
    record = _files(tmp_path)[f"{_SITE}/one-1.0.dist-info/RECORD"][1].decode()
    assert "one/extra.py,sha256=" in record
    assert "one/a.py,sha256=" in record
    assert capsys.readouterr().err == (
        "note: one-1.0-py3-none-any.whl: hash / size of one/a.py is not included in RECORD, and 1 gaps more\n"
        "note: two-1.0-py3-none-any.whl: two/extra.py is not mentioned in RECORD\n"
    )


def test_times_follow_from_content(tmp_path: Path, wheels: Path, step: Step) -> None:
    write_wheel(wheels, files={"demo/a.css": b"a {}", "demo/b.css": b"b {}", "demo/m.py": b""})
    step()
    times = {m.name: m.mtime for m in _members(tmp_path)}
    a, b = times[f"{_SITE}/demo/a.css"], times[f"{_SITE}/demo/b.css"]
    assert a != b
    assert a == of_content(hashlib.sha256(b"a {}").hexdigest())
    made = [t for name, t in times.items() if name.endswith(("RECORD", ".pyc", "/demo"))]
    assert made == [CONSTANT] * 3
    assert all(CONSTANT <= time < CONSTANT + (1 << 30) for time in times.values())


def test_one_distribution_in_two_versions(wheels: Path, step: Step) -> None:
    write_wheel(wheels, "one", "1.0", files={"a.py": b""})
    write_wheel(wheels, "one", "2.0", files={"b.py": b""})
    with pytest.raises(LayerError) as e:
        step()
    assert str(e.value) == "one is there in two versions: 1.0 and 2.0"


@pytest.mark.parametrize(
    ("tag", "platform", "fits"),
    [
        ("py3-none-any", "linux/arm/v7", True),
        ("py2.py3-none-any", "linux/amd64", True),
        ("py2-none-any", "linux/amd64", False),
        (f"{_CP}-{_CP}-manylinux_2_17_x86_64.manylinux2014_x86_64", "linux/amd64", True),
        (f"{_CP}-{_CP}-manylinux1_x86_64", "linux/amd64", True),
        (f"{_CP}-{_CP}-manylinux2014_aarch64", "linux/amd64", False),
        (f"{_CP}-{_CP}-manylinux_2_36_armv7l", "linux/arm/v7", True),
        (f"{_CP}-{_CP}-manylinux_2_37_armv7l", "linux/arm/v7", False),
        ("cp37-abi3-linux_armv7l", "linux/arm/v7", True),
        (f"{_CP}-{_CP}-musllinux_1_2_x86_64", "linux/amd64", False),
        ("cp27-cp27mu-manylinux1_x86_64", "linux/amd64", False),
        (f"{_CP}-{_CP}-win_amd64", "linux/amd64", False),
        ("cp39-none-any", "linux/amd64", False),
    ],
)
def test_tags(wheels: Path, step: Step, tag: str, platform: str, fits: bool) -> None:
    path = write_wheel(wheels, tag=tag, files={"a.py": b""})
    if fits:
        step(platform=platform)
        return
    with pytest.raises(LayerError) as e:
        step(platform=platform)
    assert (
        str(e.value) == f"{path.name}: the wheel does not fit {platform} with Python {_MINOR} and glibc 2.36"
    )


def test_code_for_another_machine(wheels: Path, step: Step) -> None:
    arm = elf_bytes(Elf(machine=40, elf_class=32, needed=["libc.so.6"]))
    write_wheel(
        wheels, tag=f"{_CP}-{_CP}-linux_x86_64", files={f"_demo.cpython-{_CP[2:]}-x86_64-linux-gnu.so": arm}
    )
    with pytest.raises(LayerError) as e:
        step()
    assert str(e.value) == (
        f"demo 1.0: /{_SITE}/_demo.cpython-{_CP[2:]}-x86_64-linux-gnu.so is code for linux/arm/v7, "
        "not for linux/amd64\n  -> choose another version of the wheel, or build it from its sdist"
    )


def test_code_in_a_wheel_for_any_platform_is_left_to_the_audit(wheels: Path, step: Step) -> None:
    # Such a layer is made once, for images of all platforms.
    arm = elf_bytes(Elf(machine=40, elf_class=32, needed=["libc.so.6"]))
    write_wheel(wheels, files={"demo/arm.so": arm})
    assert step()["elf_files"] == 1


def test_helpers_for_another_machine_are_left_to_the_audit(wheels: Path, step: Step) -> None:
    files = {
        "demo/attach_x86.so": elf_bytes(Elf(machine=3, elf_class=32, needed=["libc.so.6"])),
        "demo/attach_amd64.so": elf_bytes(Elf(needed=["libc.so.6"])),
    }
    write_wheel(wheels, tag=f"{_CP}-{_CP}-linux_x86_64", files=files)
    step()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"raw": {"../evil": b""}},
            "demo-1.0-py3-none-any.whl: the member '../evil' is not a path inside the wheel",
        ),
        (
            {"raw": {"/evil": b""}},
            "demo-1.0-py3-none-any.whl: the member '/evil' is not a path inside the wheel",
        ),
        (
            {"raw": {"a\\..\\evil": b""}},
            "demo-1.0-py3-none-any.whl: the member 'a\\\\..\\\\evil' is not a path inside the wheel",
        ),
        ({"links": {"l": b"/etc/passwd"}}, f"{_WHEEL}: the member 'l' is a link or a special file"),
        (
            {"files": {"a.py": b"x"}, "record": {"a.py": f"a.py,sha256={'A' * 43},1"}},
            "demo-1.0-py3-none-any.whl: a.py is not what RECORD says (hash or size differs)",
        ),
        (
            {"files": {"a.h": b"x"}, "record": {"a.h": f"a.h,sha256={'A' * 43},1"}},
            "demo-1.0-py3-none-any.whl: a.h is not what RECORD says (hash or size differs)",
        ),
        (
            {"record": {"demo-1.0.dist-info/WHEEL": "demo-1.0.dist-info/WHEEL,nonsense,1"}},
            f"{_INVALID}In {_WHEEL}, entry in RECORD file for demo-1.0.dist-info/WHEEL is invalid: {_NO_HASH}",
        ),
        (
            {"files": {"demo-1.0.data/data/bin/python3": b""}},
            "demo 1.0: it ships /app/bin/python3, which belongs to the base's Python",
        ),
        (
            {"entry_points": "[console_scripts]\n../../x = demo:main\n"},
            "demo 1.0: the path 'app/bin/../../x' is not a plain path inside the image",
        ),
        (
            {"files": {"demo-1.0.data/nonsense/x": b""}},
            _SCHEME,
        ),
    ],
)  # fmt: skip
def test_hostile_wheels(wheels: Path, step: Step, options: dict[str, Any], message: str) -> None:
    write_wheel(wheels, **options)
    with pytest.raises(LayerError) as e:
        step("--bytecode", "none")
    assert str(e.value) == message


def test_what_is_no_wheel(wheels: Path, step: Step) -> None:
    wheels.mkdir()
    (wheels / "demo-1.0-py3-none-any.whl").write_bytes(b"PK nonsense")
    (wheels / "nonsense.whl").write_bytes(b"")
    with pytest.raises(LayerError) as e:
        step()
    assert str(e.value) == (
        "2 problems:\n"
        "  demo-1.0-py3-none-any.whl: the wheel cannot be installed: BadZipFile: File is not a zip file\n"
        "  nonsense.whl: not the name of a wheel: Invalid wheel filename (wrong number of parts): "
        "'nonsense'"
    )


def test_bytecode_for_another_python_cannot_be_made(wheels: Path, step: Step) -> None:
    write_wheel(wheels, files={"a.py": b""})
    with pytest.raises(UsageError) as e:
        step(python="3.8")
    assert str(e.value) == (
        f"bytecode for Python 3.8 cannot be made by cpython {_MINOR}\n"
        "  -> run this step under CPython 3.8 (OCIWHEEL_INTERPRETER), or with --bytecode none"
    )
    step("--bytecode", "none", python="3.8")


def test_no_wheels(tmp_path: Path, wheels: Path, step: Step) -> None:
    wheels.mkdir()
    with pytest.raises(LayerError) as e:
        step()
    assert str(e.value) == f"{tmp_path / 'wheels'}: there is no wheel in it"


def test_debug_information_stays_out_and_record_says_what_is_there(
    tmp_path: Path, wheels: Path, step: Step
) -> None:
    (tmp_path / "demo.c").write_text("int answer(void) { return 42; }\n")
    module = tmp_path / "demo.so"
    command = ["gcc", "-g", "-shared", "-fPIC", "-nostdlib", str(tmp_path / "demo.c"), "-o", str(module)]
    subprocess.run(command, check=True, capture_output=True)
    write_wheel(
        wheels, files={"demo/_demo.so": module.read_bytes()}, tag=f"{_CP}-{_CP}-manylinux_2_17_x86_64"
    )
    for options, kept in (((), False), (("--strip", "none"), True)):
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        step(*options)
        files = _files(tmp_path)
        _, data = files[f"{_SITE}/demo/_demo.so"]
        assert (b".debug_info" in data and data == module.read_bytes()) == kept
        assert (len(data) < module.stat().st_size) == (not kept)
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
        record = files[f"{_SITE}/demo-1.0.dist-info/RECORD"][1].decode()
        assert f"demo/_demo.so,sha256={digest},{len(data)}\n" in record.replace("\r\n", "\n")


def test_names_that_differ_in_case_alone_are_two_files(wheels: Path, step: Step, tmp_path: Path) -> None:
    """Also where this machine's file system has one file for both: no name of a wheel is a path here."""
    write_wheel(wheels, files={"demo/Data.txt": b"one", "demo/data.txt": b"two", "Demo/data.txt": b"three"})
    step()
    facts = json.loads((tmp_path / "out/layer-facts.json").read_bytes())
    sizes = {row[0]: row[5] for row in facts["files"] if row[0].lower().endswith("data.txt")}
    assert sizes == {f"{_SITE}/demo/Data.txt": 3, f"{_SITE}/demo/data.txt": 3, f"{_SITE}/Demo/data.txt": 5}

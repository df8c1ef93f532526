"""Inputs that were made to do harm, through the command line of each step that reads them.

Right for every one of them: within two seconds, in memory of ten times the input plus 64 MB, nothing outside
the step's own folders touched, the exit code of bad input, and one short message.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import os
import re
import resource
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.fuzz.harness import MEMORY_BYTES, MEMORY_RATIO, SECONDS, check_message

INPUTS = Path(__file__).parent / "inputs"
_NET_BYTES = 1 << 30
BUILD, FETCH, LAYER, BASE = 15, 14, 16, 17


@dataclass(frozen=True)
class Done:
    """How a step ended."""

    code: int
    output: str
    message: str
    seconds: float
    """Of a processor."""
    memory: int
    """Most bytes."""


def run(cwd: Path, *argv: str, env: Mapping[str, str] | None = None) -> Done:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (_NET_BYTES, _NET_BYTES))
        resource.setrlimit(resource.RLIMIT_CPU, (20, 20))

    cwd.mkdir(parents=True, exist_ok=True)
    with (cwd / "stdout").open("w+") as output, (cwd / "stderr").open("w+") as message:
        process = subprocess.Popen(
            [sys.executable, "-X", "utf8", "-m", "ociwheel", *argv],
            cwd=cwd,
            env={"PYTHONPATH": os.pathsep.join(sys.path), **(env or {})},
            stdout=output,
            stderr=message,
            preexec_fn=limit,  # noqa: PLW1509 (there are no threads)
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        message.seek(0)
        seconds = usage.ru_utime + usage.ru_stime
        return Done(process.returncode, output.read(), message.read(), seconds, usage.ru_maxrss << 10)


@cache
def _nothing(step: str) -> int:
    """Return the memory that a step takes before it reads anything."""
    return run(Path("/tmp"), step, "--help").memory  # noqa: S108 (nothing is written)


def check(done: Done, step: str, size: int, code: int | None) -> None:
    """Check a step's end by the rules; without a code, it may also end well."""
    assert done.code == code if code else done.code in {0, BUILD, FETCH, LAYER, BASE}, done
    assert done.seconds < SECONDS, done
    assert done.memory - _nothing(step) <= MEMORY_BYTES + MEMORY_RATIO * size, done
    assert check_message(b"", done.message.rstrip("\n")) is None, done
    if done.code:
        assert re.match(r"(note: .*\n)*error: ", done.message), done


@pytest.fixture
def target(tmp_path: Path) -> str:
    value = {"platform": "linux/amd64", "python": "3.11.2", "libc": "glibc", "libc_version": "2.36"}
    path = tmp_path / "target.json"
    path.write_text(json.dumps({"schema": "ociwheel.target/1", **value}))
    return str(path)


@pytest.mark.parametrize("step", ["deb-layer", "sysroot", "interpreter", "build-programs"])
@pytest.mark.parametrize("name", sorted(path.name for path in INPUTS.glob("*.deb")))
def test_packages(tmp_path: Path, target: str, name: str, step: str) -> None:
    data = (INPUTS / name).read_bytes()
    (tmp_path / "debs").mkdir()
    (tmp_path / "debs" / name).write_bytes(data)
    more = ["--title", "t"] if step == "deb-layer" else ["--target", target]
    done = run(
        tmp_path / "cwd", step, "--debs", str(tmp_path / "debs"), "--output", str(tmp_path / "out"), *more
    )
    check(done, step, len(data), BASE)
    assert name in done.message


def _named(folder: Path, name: str) -> Path:
    suffixes = {"zip": ".zip", "tar": ".tar", "gz": ".tar.gz", "whl": "-py3-none-any.whl"}
    path = folder / f"demo-1.0{suffixes[name.rpartition('.')[2]]}"
    folder.mkdir(parents=True)
    path.write_bytes((INPUTS / name).read_bytes())
    return path


SDISTS = sorted(path.name for path in INPUTS.glob("sdist-*"))


@pytest.mark.parametrize("name", SDISTS)
def test_sdists_are_inspected(tmp_path: Path, name: str) -> None:
    sdist = _named(tmp_path / "in", name)
    victims = [tmp_path / place / "victim/file" for place in ("a/b/t", "a/b", "a", ".")]
    for victim in victims:
        victim.parent.mkdir(parents=True)
        victim.write_text("x")
        victim.chmod(0o4600)
    done = run(
        tmp_path / "cwd", "inspect-sdist", "--sdist", str(sdist), env={"TMPDIR": str(tmp_path / "a/b/t")}
    )
    check(done, "inspect-sdist", sdist.stat().st_size, BUILD)
    assert f"error: {sdist.name}: " in done.message
    assert [victim.stat().st_mode for victim in victims] == [0o104600] * len(victims)
    assert [path.name for path in (tmp_path / "a/b/t").iterdir()] == ["victim"]


# What their METADATA says is well-formed; what else they hold is for `wheel-layer` to refuse.
_READABLE = {"wheel-01.whl"}


@pytest.mark.parametrize("name", [*SDISTS, *sorted(path.name for path in INPUTS.glob("wheel-*"))])
def test_what_artifacts_say_of_themselves(tmp_path: Path, name: str) -> None:
    path = _named(tmp_path / "in", name)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    env = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(path.parent), "PIP_CONFIG_FILE": os.devnull}
    request = tmp_path / "request.json"
    request.write_text(json.dumps({"lines": [{"name": "demo", "version": "1.0", "sha256": [sha256]}]}))
    arguments = ["--request", str(request), "--output", str(tmp_path / "out")]
    done = run(tmp_path / "cwd", "describe", *arguments, env=env)
    check(done, "describe", path.stat().st_size, None if name in _READABLE else FETCH)
    assert name in _READABLE or path.name in done.message


@pytest.mark.parametrize("name", sorted(path.name for path in INPUTS.glob("wheel-*")))
def test_wheels(tmp_path: Path, target: str, name: str) -> None:
    path = _named(tmp_path / "in", name)
    arguments = ["--wheels", str(path.parent), "--target", target, "--title", "t"]
    done = run(tmp_path / "cwd", "wheel-layer", *arguments, "--output", str(tmp_path / "out"))
    check(done, "wheel-layer", path.stat().st_size, LAYER)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_wheel_that_is_a_bomb(tmp_path: Path, target: str, method: int) -> None:
    path = tmp_path / "in/demo-1.0-py3-none-any.whl"
    path.parent.mkdir()
    info = "demo-1.0.dist-info"
    zeros = bytes(60 << 20)
    digest = base64.urlsafe_b64encode(hashlib.sha256(zeros).digest()).decode().rstrip("=")
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("demo.py", zeros)
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", f"demo.py,sha256={digest},{len(zeros)}\n")
    arguments = ["--wheels", str(path.parent), "--target", target, "--title", "t"]
    done = run(tmp_path / "cwd", "wheel-layer", *arguments, "--output", str(tmp_path / "out"))
    check(done, "wheel-layer", path.stat().st_size, LAYER)


def _diff_id(data: bytes) -> str:
    if data.startswith(b"\x1f\x8b"):
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError):
            data = b""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _image_steps(tmp_path: Path, target: str, layers: Sequence[bytes], code: int | None = BASE) -> None:
    blobs, rows = tmp_path / "layout/blobs/sha256", []
    blobs.mkdir(parents=True)
    for data in layers:
        hexadecimal = hashlib.sha256(data).hexdigest()
        (blobs / hexadecimal).write_bytes(data)
        rows.append({"digest": f"sha256:{hexadecimal}", "diff_id": _diff_id(data)})
        arguments = ["--blob", str(blobs / hexadecimal), "--diff-id", rows[-1]["diff_id"]]
        done = run(tmp_path / "cwd", "blob-facts", *arguments, "--output", str(tmp_path / "facts"))
        check(done, "blob-facts", len(data), None)
    request = {"name": "base", "platform": "linux/amd64", "env": {}, "layers": rows}
    (tmp_path / "request.json").write_text(json.dumps(request))
    for step in ("inspect-image", "sysroot", "interpreter"):
        option = "--request" if step == "inspect-image" else "--layers"
        arguments = ["--layout", str(tmp_path / "layout"), option, str(tmp_path / "request.json")]
        if step != "inspect-image":
            arguments += ["--target", target, "--output", str(tmp_path / step)]
        check(run(tmp_path / "cwd", step, *arguments), step, sum(map(len, layers)), code)


@pytest.mark.parametrize("group", ["layers-01", "layers-02", "layers-03", "layers-04", "layer-size-2e60"])
def test_layers(tmp_path: Path, target: str, group: str) -> None:
    _image_steps(tmp_path, target, [path.read_bytes() for path in sorted(INPUTS.glob(f"{group}*"))])


def _layer(*entries: tuple[str, bytes, str]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", format=tarfile.USTAR_FORMAT) as archive:
        for name, kind, link in entries:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, link
            archive.addfile(info)
    return stream.getvalue()


def test_folders_that_become_files(tmp_path: Path, target: str) -> None:
    names = [f"d/{number}" for number in range(30_000)]
    folders = _layer(*((name, tarfile.DIRTYPE, "") for name in names))
    _image_steps(tmp_path, target, [folders, _layer(*((name, tarfile.REGTYPE, "") for name in names))])


def test_hard_links_to_nothing(tmp_path: Path, target: str) -> None:
    links = ((f"f{number}", tarfile.LNKTYPE, f"gone/{number}") for number in range(30_000))
    _image_steps(tmp_path, target, [_layer(*links)])


def test_links_that_lead_through_each_other(tmp_path: Path, target: str) -> None:
    links = [(f"l{number}", tarfile.SYMTYPE, f"l{number + 1}/" * 15) for number in range(6_000)]
    _image_steps(
        tmp_path, target, [_layer(*links, *((f"l0/{n}", tarfile.REGTYPE, "") for n in range(2_000)))]
    )


def test_an_elf_file_whose_tables_overlap(tmp_path: Path) -> None:
    elf = (INPUTS / "elf-verneed-10000x10000.so").read_bytes()
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for number in range(200):
            info = tarfile.TarInfo(f"usr/lib/{number}.so")
            info.size = len(elf)
            archive.addfile(info, io.BytesIO(elf))
    blob = gzip.compress(stream.getvalue())
    (tmp_path / "blob").write_bytes(blob)
    arguments = ["--blob", str(tmp_path / "blob"), "--diff-id", _diff_id(blob)]
    done = run(tmp_path / "cwd", "blob-facts", *arguments, "--output", str(tmp_path / "out"))
    check(done, "blob-facts", len(blob), BASE)

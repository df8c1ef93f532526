"""Whole builds with the real compiler: slow, and they reach the index for the compiler's wheel."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from ociwheel.base.sysroot import write_sysroot
from ociwheel.build import zig, zig_libc_step
from ociwheel.build.pip_resolver import PipResolver
from ociwheel.build.toolchain import zig_target
from ociwheel.debian.deb import read_debs
from ociwheel.debian.fetch_deb import WantedDeb, fetch_deb
from ociwheel.elf.reader import read_facts
from ociwheel.fetch.artifacts import Wanted, fetch_artifact
from ociwheel.fetch.index import IndexClient
from ociwheel.fetch.toolbox import TOOLS_LOCK
from ociwheel.platforms import PLATFORMS, Platform
from ociwheel.target import Target
from ociwheel.transport import settings as network_settings
from ociwheel.transport.network import Network

pytestmark = pytest.mark.slow

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"
TAG = f"cp{sys.version_info[0]}{sys.version_info[1]}"
# The sizes of C types are those of this machine's headers, so a foreign target of the same word size.
FOREIGN = {"x86_64": "linux/arm64", "aarch64": "linux/amd64"}[os.uname().machine]
TRIPLETS = {"linux/arm64": "aarch64-linux-gnu", "linux/amd64": "x86_64-linux-gnu"}

BASE_LOCK = Path(__file__).parents[3] / "3rdparty/debian/bookworm-py311.lock"
RUNTIME = re.compile(r"libc6(-dev)?|libcrypt.*|linux-libc-dev|libgcc-.*|libstdc\+\+.*")

SETUP = """
from setuptools import Extension, setup
setup(name="demo", version="1.0", py_modules=["pure"], ext_modules=[
    Extension("demo", ["demo.c"]), Extension("demoxx", ["demoxx.cpp"], language="c++"),
])
"""
C = """
#include <Python.h>
#include <math.h>
static PyObject *where(PyObject *self, PyObject *x) {
    return PyUnicode_FromFormat("%s %s %d", __FILE__, __DATE__, (int)pow(2.0, PyFloat_AsDouble(x)));
}
static PyMethodDef methods[] = {{"where", where, METH_O, 0}, {0}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "demo", 0, -1, methods};
PyMODINIT_FUNC PyInit_demo(void) { return PyModule_Create(&module); }
"""
CXX = """
#include <Python.h>
#include <stdexcept>
#include <string>
static PyObject *fail(PyObject *, PyObject *) {
    try { throw std::runtime_error(std::string("caught")); }
    catch (std::exception &e) { return PyUnicode_FromString(e.what()); }
}
static PyMethodDef methods[] = {{"fail", fail, METH_NOARGS, 0}, {0}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "demoxx", 0, -1, methods};
PyMODINIT_FUNC PyInit_demoxx(void) { return PyModule_Create(&module); }
"""
FILES = {"setup.py": SETUP, "demo.c": C, "demoxx.cpp": CXX, "pure.py": "answer = 42\n"}


def make_sdist(path: Path, files: Mapping[str, str]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(f"demo-1.0/{name}")
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return path


class Workshop:
    """The inputs of builds, shared by all tests of this module."""

    def __init__(self, root: Path) -> None:
        self.root = root
        client = IndexClient(network_settings.load())
        lock = json.loads(TOOLS_LOCK.read_text())["zig"][f"linux-{os.uname().machine}"]
        fetch_artifact(client, Wanted(lock["name"], lock["version"], lock["filename"], lock["sha256"]), root)
        zig.unpack(root / lock["filename"], root / "zig")
        zig.unpack(root / lock["filename"], root / "zig-with-runtimes", runtimes=True)
        requirements = root / "requirements"
        requirements.mkdir()
        for one in PipResolver(client.settings, root / "pip").resolve(
            ["setuptools==80.9.0", "wheel==0.45.1"], ()
        ):
            wanted = Wanted(one.pin.name, one.pin.version, one.filename, one.sha256)
            fetch_artifact(client, wanted, requirements)
        target = {"schema": "ociwheel.target/1", "platform": FOREIGN, "python": f"{MINOR}.0"}
        (root / "target.json").write_text(json.dumps({**target, "libc": "glibc", "libc_version": "2.36"}))
        self.sysroot(root / "plain")
        shutil.copytree(root / "plain", root / "sysroot")
        self.debian(root)

    def debian(self, root: Path) -> None:
        """Unpack libc and gcc's runtime of the example's base over the sysroot."""
        base = json.loads(BASE_LOCK.read_text())
        rows = [base["packages"][key] for key in base["platforms"][FOREIGN]["builder"]]
        machine = network_settings.load()
        for row in rows:
            if RUNTIME.fullmatch(row["name"]):
                wanted = WantedDeb(*(row[name] for name in ("archive", "path", "size", "sha256")))
                fetch_deb(machine, Network(machine), wanted, root / "debs")
        with tempfile.TemporaryDirectory() as scratch:
            write_sysroot(read_debs(root / "debs", Path(scratch)), root / "runtime")
        shutil.copytree(root / "runtime", root / "sysroot", symlinks=True, dirs_exist_ok=True)

    def sysroot(self, folder: Path) -> None:
        """Write this Python's headers and variables as if they were the target's."""
        include = folder / f"usr/include/python{MINOR}"
        shutil.copytree(sysconfig.get_path("include"), include)
        variables = dict(sysconfig.get_config_vars())
        variables["EXT_SUFFIX"] = f".cpython-{TAG[2:]}-{TRIPLETS[FOREIGN]}.so"
        variables["SOABI"] = f"cpython-{TAG[2:]}-{TRIPLETS[FOREIGN]}"
        lib = folder / f"usr/lib/python{MINOR}"
        lib.mkdir(parents=True)
        plain = {k: v for k, v in variables.items() if isinstance(v, str | int)}
        (lib / f"_sysconfigdata__{TRIPLETS[FOREIGN]}.py").write_text(f"build_time_vars = {plain!r}\n")

    def libc(self, output: Path, *, cxx: bool) -> None:
        target = self.root / "target.json"
        with_runtimes = self.root / "zig-with-runtimes"
        arguments = argparse.Namespace(zig=with_runtimes, target=target, output=output, cxx=cxx)
        with contextlib.chdir(self.root):
            zig_libc_step.run(arguments)

    def build(
        self,
        sdist: Path,
        cwd: Path,
        *,
        umask: int = 0o022,
        settings: Mapping[str, object] | None = None,
        runtime: Path | None = None,
        sysroot: str | None = None,
        **env: str,
    ) -> subprocess.CompletedProcess[str]:
        """Run the step in a process of its own."""
        cwd.mkdir(parents=True, exist_ok=True)
        (cwd / "settings.json").write_text(json.dumps({"name": "demo", "version": "1.0", **(settings or {})}))
        arguments = ["--sdist", str(sdist), "--target", str(self.root / "target.json")]
        arguments += [
            "--requirements",
            str(self.root / "requirements"),
            "--sysroot",
            str(self.root / (sysroot or ("plain" if runtime else "sysroot"))),
        ]
        if runtime:
            arguments += ["--zig", str(self.root / "zig-with-runtimes"), "--zig-runtime", str(runtime)]
        else:
            arguments += ["--zig", str(self.root / "zig")]
        arguments += ["--settings", "settings.json", "--output", "out"]
        return subprocess.run(
            [sys.executable, "-m", "ociwheel", "build", *arguments],
            cwd=cwd,
            env={"PYTHONPATH": os.pathsep.join(sys.path), **env},
            umask=umask,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("workshop"))


def error_lines(result: subprocess.CompletedProcess[str]) -> list[str]:
    """Return what a build says from its error on: before it stands that no lock gives this one a root."""
    lines = result.stderr.splitlines()
    return lines[next(number for number, line in enumerate(lines) if line.startswith("error: ")) :]


def test_a_c_and_a_cxx_extension_for_another_machine_are_the_same_everywhere(
    workshop: Workshop, tmp_path: Path
) -> None:
    sdist = make_sdist(tmp_path / "demo-1.0.tar.gz", FILES)
    here = workshop.build(sdist, tmp_path / "here")
    assert here.returncode == 0, here.stderr
    there = workshop.build(
        sdist, tmp_path / "a much longer/path with spaces", umask=0o077, TZ="Asia/Tokyo", LANG="tr_TR.UTF-8"
    )
    assert there.returncode == 0, there.stderr
    assert here.stdout == there.stdout
    answer = json.loads(here.stdout)
    machine = TRIPLETS[FOREIGN].split("-")[0]
    assert answer["filename"] == f"demo-1.0-{TAG}-{TAG}-linux_{machine}.whl"
    # As Debian's gcc links them: pow() is taken from the libm that Python has loaded, and the module of C++ calls
    # nothing of libc itself.
    assert [sorted(e["needed"]) for e in answer["elf"]] == [
        ["libc.so.6"],
        ["libgcc_s.so.1", "libstdc++.so.6"],
    ]
    wheel = tmp_path / "here/out" / answer["filename"]
    other = tmp_path / "a much longer/path with spaces/out" / answer["filename"]
    assert wheel.read_bytes() == other.read_bytes()
    with zipfile.ZipFile(wheel) as archive:
        library = next(n for n in archive.namelist() if n.startswith("demo.") and n.endswith(".so"))
        data = archive.read(library)
    assert b"Jan  1 1980" in data
    assert str(tmp_path).encode() not in data


@pytest.mark.parametrize("row", PLATFORMS, ids=lambda row: row.slug)
def test_the_compiler_knows_the_names_of_every_row(workshop: Workshop, tmp_path: Path, row: Platform) -> None:
    (tmp_path / "probe.c").write_text("long probe(long x) { return x + 1; }\n")
    document = json.loads((workshop.root / "target.json").read_text())
    (tmp_path / "target.json").write_text(json.dumps({**document, "platform": row.oci}))
    commands = {
        "zig.o": ["cc", "-target", zig_target(Target.read(tmp_path / "target.json")), f"-mcpu={row.zig_cpu}"],
        "clang.o": ["clang", f"--target={row.triplet}", *row.clang_flags],
    }
    for name, command in commands.items():
        caches = {f"ZIG_{kind}_CACHE_DIR": str(tmp_path / kind) for kind in ("GLOBAL", "LOCAL")}
        subprocess.run(
            [str(workshop.root / "zig-with-runtimes/zig"), *command, "-Werror", "-c", "probe.c", "-o", name],
            cwd=tmp_path,
            env=caches,
            check=True,
        )
        facts = read_facts(tmp_path / name, name, "probe")
        assert facts is not None
        assert (facts.machine, facts.elf_class) == (row.elf_machine, row.elf_class)


def test_an_extension_that_is_dropped_in_silence_is_an_error(workshop: Workshop, tmp_path: Path) -> None:
    broken = {**FILES, "demo.c": "#include <no_such.h>\n"}
    broken["setup.py"] = SETUP.replace('["demo.c"])', '["demo.c"], optional=True)')
    result = workshop.build(make_sdist(tmp_path / "demo-1.0.tar.gz", broken), tmp_path / "work")
    assert result.returncode == 15
    first = error_lines(result)[0]
    assert first == (
        f"error: demo 1.0 for {FOREIGN}, Python {MINOR}: the extension demo did not compile, and the build "
        "went on without it"
    )


def test_a_builder_without_a_runtime_says_what_to_lock(workshop: Workshop, tmp_path: Path) -> None:
    """As one of a lock of before the runtime was locked."""
    sdist = make_sdist(tmp_path / "demo-1.0.tar.gz", FILES)
    result = workshop.build(sdist, tmp_path / "work", sysroot="plain")
    assert result.returncode == 15
    assert "\n".join(error_lines(result)) == (
        f"error: the builder for {FOREIGN} lacks libc6-dev, libgcc-<N>-dev or libstdc++-<N>-dev, which every "
        "wheel is compiled against\n"
        "  -> lock the base again"
    )


def test_libstdcxx_can_be_linked_statically(workshop: Workshop, tmp_path: Path) -> None:
    setup = SETUP.replace('language="c++"', 'language="c++", extra_link_args=["-static-libstdc++"]')
    sdist = make_sdist(tmp_path / "demo-1.0.tar.gz", {**FILES, "setup.py": setup})
    result = workshop.build(sdist, tmp_path / "work")
    assert result.returncode == 0, result.stderr
    assert "libstdc++.so.6" not in json.loads(result.stdout)["elf"][1]["needed"]


@pytest.fixture(scope="module")
def cxx_runtime(workshop: Workshop) -> Path:
    workshop.libc(workshop.root / "libc", cxx=True)
    return workshop.root / "libc"


@pytest.fixture(scope="module")
def c_runtime(workshop: Workshop) -> Path:
    workshop.libc(workshop.root / "libc-c", cxx=False)
    return workshop.root / "libc-c"


@pytest.mark.parametrize("extra", ["", ", optional=True"])
def test_a_build_says_that_it_needs_libcxx(
    workshop: Workshop, c_runtime: Path, tmp_path: Path, extra: str
) -> None:
    files = {**FILES, "setup.py": SETUP.replace('["demoxx.cpp"]', f'["demoxx.cpp"]{extra}')}
    assert extra in files["setup.py"]
    sdist = make_sdist(tmp_path / "demo-1.0.tar.gz", files)
    result = workshop.build(sdist, tmp_path / "work", runtime=c_runtime)
    assert result.returncode == 0, result.stderr
    answer = json.loads(result.stdout)
    assert (answer["needs"], "filename" in answer) == ("c++", False)
    assert list((tmp_path / "work/out").iterdir()) == []


def test_c_without_libcxx_is_the_same_as_with_it(
    workshop: Workshop, c_runtime: Path, cxx_runtime: Path, tmp_path: Path
) -> None:
    setup = 'from setuptools import Extension, setup\nsetup(name="demo", version="1.0", ext_modules=[%s])\n'
    files = {"setup.py": setup % 'Extension("demo", ["demo.c"])', "demo.c": C}
    sdist = make_sdist(tmp_path / "demo-1.0.tar.gz", files)
    without = workshop.build(sdist, tmp_path / "without", runtime=c_runtime)
    assert without.returncode == 0, without.stderr
    assert without.stdout == workshop.build(sdist, tmp_path / "with", runtime=cxx_runtime).stdout


def test_a_fallback_to_pure_python_is_an_error_unless_wanted(workshop: Workshop, tmp_path: Path) -> None:
    files = {
        "setup.py": 'from setuptools import setup\next_modules = []\nsetup(name="demo", version="1.0")\n',
        "demo.c": C,
    }
    sdist = make_sdist(tmp_path / "demo-1.0.tar.gz", files)
    result = workshop.build(sdist, tmp_path / "work")
    assert result.returncode == 15
    assert error_lines(result)[0] == (
        f"error: demo 1.0 for {FOREIGN}, Python {MINOR}: the sdist has code to compile, but the wheel "
        "holds no compiled file (the compiler was never called)"
    )
    assert "  to compile: demo.c" in result.stderr
    wanted = workshop.build(sdist, tmp_path / "wanted", settings={"pure": True})
    assert wanted.returncode == 0, wanted.stderr
    assert json.loads(wanted.stdout)["filename"] == "demo-1.0-py3-none-any.whl"


def test_stray_sources_of_tests_do_not_make_a_project_native(workshop: Workshop, tmp_path: Path) -> None:
    files = {
        "setup.py": 'from setuptools import setup\nsetup(name="demo", version="1.0", py_modules=["pure"])\n',
        "pure.py": "",
        "tests/data/x.c": "int x;",
    }
    result = workshop.build(make_sdist(tmp_path / "demo-1.0.tar.gz", files), tmp_path / "work")
    assert result.returncode == 0, result.stderr


def test_a_missing_header_names_its_package(workshop: Workshop, tmp_path: Path) -> None:
    files = {**FILES, "demo.c": "#include <yaml.h>\n"}
    result = workshop.build(make_sdist(tmp_path / "demo-1.0.tar.gz", files), tmp_path / "work")
    assert result.returncode == 15
    lines = error_lines(result)
    assert lines[0] == f"error: demo 1.0 for {FOREIGN}, Python {MINOR}: the header yaml.h is missing"
    assert lines[-1] == ('  -> add "libyaml-dev" to the builder packages of the base and lock it again')


def test_all_that_meson_misses_is_told_at_once(workshop: Workshop, tmp_path: Path) -> None:
    files = {
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "mesonpy"\nbackend-path = ["."]\n',
        "mesonpy.py": "def build_wheel(*_):\n    raise SystemExit('ERROR: Dependency \"dbus-1\" not found, tried cmake')",
        "meson.build": "dependency('dbus-1')\nif x\n  dependency('cairo')\nendif\ndependency('glib-2.0')\n",
    }
    result = workshop.build(make_sdist(tmp_path / "demo-1.0.tar.gz", files), tmp_path / "work")
    assert error_lines(result)[-1] == (
        '  -> add "libdbus-1-dev", "libglib2.0-dev" to the builder packages of the base and lock it again'
    )


def test_what_an_sdist_offers_is_told_where_it_is_another_way(workshop: Workshop, tmp_path: Path) -> None:
    fetches = (
        "ERROR: Subproject freetype2 is buildable: NO\\nERROR: could not get https://files.invalid/f.tar.xz"
    )
    files = {
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "mesonpy"\nbackend-path = ["."]\n',
        "mesonpy.py": f"def build_wheel(*_):\n    raise SystemExit('{fetches}')",
        "meson.options": "option('system-freetype', type: 'boolean', value: false)\n",
    }
    result = workshop.build(make_sdist(tmp_path / "demo-1.0.tar.gz", files), tmp_path / "work")
    assert error_lines(result)[-1] == (
        "  -> let it take Debian's libraries: set `config_settings` of its build settings to "
        '{"setup-args": ["-Dsystem-freetype=true"]}, and add "libfreetype-dev" to the builder packages of the base '
        "and lock it again"
    )
    detects = (
        "import os\nif os.environ.get('DEMO_DETECT', 'true') == 'true':\n"
        "    raise OSError('/usr/lib/libdemo.so: wrong ELF class: ELFCLASS32')\n"
    )
    files = {**FILES, "setup.py": detects + SETUP}
    sdist = make_sdist(tmp_path / "demo-1.0.tar.gz", files)
    result = workshop.build(sdist, tmp_path / "work")
    assert "if one makes it do without (DEMO_DETECT): `env` of its build settings" in error_lines(result)[-1]
    result = workshop.build(sdist, tmp_path / "work", settings={"env": {"DEMO_DETECT": "false"}})
    assert result.returncode == 0, result.stderr


def test_c_that_gcc_12_only_warns_of_is_built(workshop: Workshop, tmp_path: Path) -> None:
    """Called before it is declared, an implicit int, an integer for a pointer, a pointer of another type."""
    old = C.replace(
        "static PyMethodDef",
        "static int *other; static twice(x) { return 2 * x; }\n"
        "static int calls(void) { char *text = 1; other = text; return declared_later(3) + twice(1); }\n"
        "int declared_later(int x) { return x + (int)(long)calls; }\nstatic PyMethodDef",
        1,
    )
    files = {**FILES, "demo.c": old}
    result = workshop.build(make_sdist(tmp_path / "demo-1.0.tar.gz", files), tmp_path / "work")
    assert result.returncode == 0, result.stderr


def test_a_call_of_what_no_library_has_is_an_error(workshop: Workshop, tmp_path: Path) -> None:
    """As pymssql calls what bookworm's FreeTDS does not have: it builds, and cannot be imported."""
    newer = C.replace("pow(2.0", "(MAKE_IT_NEWER(), declared_nowhere(3), pow)(2.0", 1)
    files = {**FILES, "demo.c": newer}
    sdist = make_sdist(tmp_path / "demo-1.0.tar.gz", files)
    result = workshop.build(sdist, tmp_path / "work")
    assert result.returncode == 15
    lines = error_lines(result)
    assert re.fullmatch(
        rf"error: demo 1\.0 for {FOREIGN}, Python {MINOR}: demo\.\S+\.so calls MAKE_IT_NEWER, declared_nowhere, which "
        r"no header of the base declares and none of its libraries has \(.*libc\.so\.6.*\): it could not be imported",
        lines[0],
    )
    assert lines[-1].startswith("  -> it is made for a newer library than the base has: lock an earlier")
    # What a library has, and no header was included for, is found when it is loaded.
    old = C.replace("pow(2.0", '(inet_addr("1"), pow)(2.0', 1)
    result = workshop.build(
        make_sdist(tmp_path / "demo-1.0.tar.gz", {**FILES, "demo.c": old}), tmp_path / "work"
    )
    assert result.returncode == 0, result.stderr


def test_a_build_has_no_network(workshop: Workshop, tmp_path: Path) -> None:
    reach = (
        "import socket\nfrom setuptools import setup\n"
        "try:\n    socket.create_connection(('192.0.2.1', 80), 5)\n"
        "except OSError as e:\n    raise SystemExit(f'no network: {e.strerror}')\n"
    )
    files = {"setup.py": reach}
    result = workshop.build(make_sdist(tmp_path / "demo-1.0.tar.gz", files), tmp_path / "work")
    assert result.returncode == 15
    assert "no network: Network is unreachable" in result.stderr or "kernel gives no network" in result.stderr


def test_the_runtime_is_the_same_in_another_folder(
    workshop: Workshop, cxx_runtime: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = tmp_path / "another/zig"
    shutil.copytree(workshop.root / "zig-with-runtimes", moved)
    monkeypatch.chdir(tmp_path)
    target = workshop.root / "target.json"
    zig_libc_step.run(argparse.Namespace(zig=moved, target=target, output=tmp_path / "libc", cxx=True))
    first, second = cxx_runtime, tmp_path / "libc"
    names = sorted(p.relative_to(first) for p in first.rglob("*") if p.is_file())
    assert names == sorted(p.relative_to(second) for p in second.rglob("*") if p.is_file())
    assert [n for n in names if (first / n).read_bytes() != (second / n).read_bytes()] == []
    facts = read_facts(first / "lib/libc.so.6", "libc.so.6", "zig")
    assert facts is not None
    assert facts.soname == "libc.so.6"
    assert "GLIBC_2.36" in facts.defined_versions
    assert not any(v.startswith("GLIBC_2.37") for v in facts.defined_versions)

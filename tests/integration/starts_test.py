"""What is packaged can start, and what could not is an error or a note: through `./pants package`, read whole.

Once each of these packaged without a word and was broken, or was refused although every installer takes it.
The tests of this module need a base of their own; the others are beside what they are about:

==========================================  ==========================================================================
what was wrong                              test
==========================================  ==========================================================================
files that wheels read left out             installed_test.py::test_files_that_a_wheel_reads_at_run_time
one path in two wheels                      installed_test.py::test_two_distributions_with_one_file_in_one_layer_or_two
...                                         installed_test.py::test_which_of_two_files_an_image_has_is_chosen_and_told
requirements that only a build tells        installed_test.py::test_what_only_a_build_tells_to_be_required
...                                         installed_test.py::test_what_only_a_build_tells_and_the_lock_has_not
notes of steps that succeed, also cached    installed_test.py::test_what_every_installer_takes_is_taken_and_told
interpreter_constraints of sources          errors_test.py::test_code_for_another_python
interpreter_constraints of a resolve        errors_test.py::test_a_resolve_for_another_python
requires_python of a lock                   errors_test.py::test_a_lock_for_another_python
a module that is not there                  errors_test.py::test_an_entry_point_that_is_not_there
a package that nothing starts               errors_test.py::test_a_package_that_nothing_starts
a function that is not there                errors_test.py::test_a_function_that_is_not_there
a script that is not there                  errors_test.py::test_a_script_that_nobody_installs
scripts without their interpreter           installed_test.py::test_a_script_without_its_interpreter
...                                         installed_test.py::test_scripts_that_are_not_started_are_told
a user that is not there                    errors_test.py::test_a_user_that_is_not_there
the user as a name                          inside_test.py::test_the_user_is_a_number
a number without a row in passwd            package_test.py::test_what_the_user_owns_is_the_topmost_layer
volumes that belong to root                 inside_test.py::test_sqlite_writes_to_a_volume
a workdir that belongs to root              inside_test.py::test_the_working_folder_is_the_users
...                                         errors_test.py::test_folders_that_are_files
a changed file of equal size                starts_test.py::test_a_changed_file_of_equal_size_has_another_time
files before 1980                           inside_test.py::test_files_of_the_image_go_into_archives
find_library                                inside_test.py::test_libraries_are_found_by_name
alternatives of BLAS                        starts_test.py::test_the_alternatives_of_blas_are_there
the audit's hint for BLAS                   audit_test.py::test_blas_has_a_package
graphviz's configuration                    starts_test.py::test_graphviz_draws
scripts that nobody follows                 starts_test.py::test_scripts_whose_work_nobody_does_are_told
accounts of packages                        starts_test.py::test_an_account_that_a_package_makes
specifiers that are none, gaps of RECORD    installed_test.py::test_what_every_installer_takes_is_taken_and_told
a specifier that stopped a build lock       installed_test.py::test_what_only_a_build_tells_to_be_required
files that only a GPU cluster loads         audit_test.py::test_what_nothing_starts_or_needs_is_told_and_packaged
a program without its library               audit_test.py::test_a_program_that_lacks_a_library
a library that Python code opens            audit_test.py::test_a_library_that_python_code_opens_by_name
two distributions with one command          installed_test.py::test_two_distributions_with_one_command
libraries opened by an import               audit_test.py::test_what_importing_a_distribution_opens
libraries opened by a call                  audit_test.py::test_a_library_of_the_system_that_python_code_opens_by_name
packed relocations, glibc                   audit_test.py::test_relocations_that_the_loader_refuses
packed relocations, musl                    starts_test.py::test_relocations_that_musl_does_not_read
a hint where Debian's names do not hold     starts_test.py::test_a_library_that_musl_lacks
==========================================  ==========================================================================
"""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ociwheel_testing.elf_writer import Elf, elf_bytes
from ociwheel_testing.registry import Entry, tar
from ociwheel_testing.wheel_writer import write_wheel

from ociwheel.formats.times import of_content
from ociwheel.platforms import platform
from tests.integration.chrooted import Inside, unpacked
from tests.integration.repository import Caches, Repository, make_repository, stopped
from tests.support.base_pair import added_layer, push, write_layout
from tests.support.registry_server import Registry

pytestmark = pytest.mark.slow

SITE = "app/lib/python3.11/site-packages"
BUILD = "src/app/BUILD"
PING = "iputils-ping"
BASES = f"""\
debian_python_base(
    name="drawing", suites=["bookworm"], python="3.11", platforms=["linux/amd64"],
    packages=["base-files", "graphviz", "libblas3", "liblapack3", "libcap2-bin", "{PING}", "redis-server"],
)
registry_python_base(name="alpine", image="{{host}}/python:3.11-alpine", platforms=["linux/amd64"])
"""
APP = """\
import ctypes
import ctypes.util
import os
import pathlib
import pwd
import subprocess
import sys


def solve():
    lapack = ctypes.CDLL(ctypes.util.find_library("lapack"))
    number, real = ctypes.c_int, ctypes.c_double
    matrix, right = (real * 4)(2, 0, 0, 4), (real * 2)(6, 8)
    pivots, info = (number * 2)(), number(-1)
    two, one = ctypes.byref(number(2)), ctypes.byref(number(1))
    lapack.dgesv_(two, one, matrix, two, pivots, right, two, ctypes.byref(info))
    print(ctypes.util.find_library("blas"), info.value, *right)


def draw():
    graph = b"digraph { a -> b }"
    for kind in ("svg", "png:cairo"):
        made = subprocess.run(["dot", f"-T{kind}"], input=graph, capture_output=True)
        print(kind, made.returncode, made.stdout.count(b"<svg"), made.stdout[:4] == b"\\x89PNG", made.stderr)


def account():
    me = pwd.getpwuid(os.getuid())
    pathlib.Path(me.pw_dir, "dump.rdb").write_text("")
    print(me.pw_name, me.pw_dir, "port 6379" in pathlib.Path("/etc/redis/redis.conf").read_text())


if __name__ == "__main__":
    globals()[sys.argv[1]]()
"""
OLD, NEW = "body { color: red }  \n", "body { color: green }\n"
LOADER = "lib/ld-musl-x86_64.so.1"


def image(name: str, base: str, *dependencies: str, **fields: object) -> str:
    """Return the target of an image."""
    listed = "".join(f", {key}={value!r}" for key, value in fields.items())
    return (
        f'slim_python_image(name="{name}", entry_point="app.py", base="3rdparty/bases:{base}", '
        f"dependencies={[':lib', *dependencies]!r}{listed})\n"
    )


def alpine(folder: Path) -> Path:
    """Write an OCI layout like that of ``python:3.11-alpine`` whose musl is 1.2.3; its programs are none."""
    told = b"\0001.2.3\0musl libc (x86_64)\nVersion %s\n\0"
    python = elf_bytes(Elf(needed=["libc.musl-x86_64.so.1"], interp=f"/{LOADER}")) + b"\0003.11.2\0"
    entries = [
        Entry(LOADER, elf_bytes(Elf(rodata=told)), mode=0o755),
        Entry("lib/libc.musl-x86_64.so.1", type=tarfile.SYMTYPE, link=Path(LOADER).name),
        Entry("usr/local/bin/python3.11", python, mode=0o755),
        Entry("usr/local/bin/python3", type=tarfile.SYMTYPE, link="python3.11"),
        Entry("usr/local/lib/python3.11/os.py"),
        Entry("etc/passwd", b"root:x:0:0:root:/root:/bin/ash\n"),
    ]
    folder.mkdir()
    layer = added_layer(tar(entries), folder / "layer.tar.gz")
    return write_layout(folder / "layout", {platform("linux/amd64"): [layer]})


def write_wheels(folder: Path) -> list[Path]:
    """Write a wheel that needs BLAS, and one that musl 1.2.3 starts unrelocated."""
    algebra = Elf(
        needed=["libblas.so.3", "liblapack.so.3", "libc.so.6"],
        needed_versions={"libc.so.6": ["GLIBC_2.17"]},
        names=["PyInit__algebra"],
    )
    packed = elf_bytes(Elf(needed=["libc.musl-x86_64.so.1"], relr=True))
    client = elf_bytes(Elf(needed=["libpq.so.5", "libc.musl-x86_64.so.1"]))
    return [
        write_wheel(
            folder,
            "algebra",
            tag="cp311-cp311-manylinux_2_17_x86_64",
            files={"algebra/_algebra.so": elf_bytes(algebra)},
        ),
        write_wheel(
            folder,
            "packed",
            tag="cp311-cp311-musllinux_1_2_x86_64",
            files={"packed.cpython-311-x86_64-linux-musl.so": packed},
        ),
        write_wheel(
            folder,
            "sqlclient",
            tag="cp311-cp311-musllinux_1_2_x86_64",
            files={"sqlclient.cpython-311-x86_64-linux-musl.so": client},
        ),
    ]


@pytest.fixture(scope="module")
def repository(
    tmp_path_factory: pytest.TempPathFactory, plugin: Path, caches: Caches, registry: Registry
) -> Iterator[Repository]:
    """Give a repository with a base whose scripts matter and one of musl, both locked."""
    folder = tmp_path_factory.mktemp("starts")
    push(alpine(folder / "alpine"), f"{registry.host}/python:3.11-alpine")
    with stopped(make_repository(folder / "repository", caches, plugin=plugin)) as made:
        wheels = write_wheels(folder / "wheels")
        toml = (made.root / "pants.toml").read_text()
        made.write("pants.toml", f'{toml}\n[python-repos]\nfind_links = ["{(folder / "wheels").as_uri()}"]\n')
        lines = {
            wheel.name.split("-")[0]: f"==1.0 --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}"
            for wheel in wheels
        }
        made.write("3rdparty/python/BUILD", 'python_requirements(name="reqs")\n')
        made.write("3rdparty/python/requirements.txt", "".join(f"{name}\n" for name in lines))
        made.write("3rdparty/python/default.lock", "".join(f"{name}{rest}\n" for name, rest in lines.items()))
        made.write("3rdparty/bases/BUILD", BASES.format(host=registry.host))
        made.write("src/app/app.py", APP)
        made.write("src/app/page.css", OLD)
        made.write(
            BUILD,
            'python_sources(name="lib", dependencies=[":page"])\nresources(name="page", sources=["page.css"])\n'
            + image("image", "drawing", "3rdparty/python:reqs#algebra")
            + image("server", "drawing", "3rdparty/python:reqs#algebra", user="redis")
            + image("packed", "alpine", "3rdparty/python:reqs#packed")
            + image("musl", "alpine", "3rdparty/python:reqs#sqlclient"),
        )
        lock = made.pants("generate-lockfiles", "--resolve=drawing", "--resolve=alpine", daemon=True)
        assert lock.exit_code == 0, lock.stderr
        yield made


@pytest.fixture(scope="module")
def first(repository: Repository) -> list[str]:
    """The notes of the run that packages on Debian's base."""
    return notes(repository.package("src/app:image", daemon=True).stderr)


@pytest.fixture(scope="module")
def inside(repository: Repository, first: list[str], tmp_path_factory: pytest.TempPathFactory) -> Inside:
    """The root of the image on Debian's base."""
    return unpacked(repository.layout("src.app/image"), tmp_path_factory.mktemp("root") / "root")


def notes(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip().startswith("note: ")]


def page_time(repository: Repository) -> int | float:
    """Return the time of a resource in the image."""
    layout, path = repository.layout("src.app/image"), f"{SITE}/page.css"
    (layer,) = (one for one in layout.layers() if path in layout.listing(one))
    return layout.listing(layer)[path].mtime


def test_the_alternatives_of_blas_are_there(inside: Inside) -> None:
    """The audit let the wheel pass that needs them, and they are where loader and `find_library` look."""
    assert inside.run("solve") == "libblas.so.3 0 3.0 2.0\n"


def test_graphviz_draws(inside: Inside) -> None:
    assert inside.run("draw") == "svg 0 1 False b''\npng:cairo 0 0 True b''\n"


def test_scripts_whose_work_nobody_does_are_told(repository: Repository, first: list[str]) -> None:
    lock: dict[str, Any] = json.loads((repository.root / "3rdparty/bases/drawing.lock").read_bytes())
    (version,) = (row["version"] for row in lock["packages"].values() if row["name"] == PING)
    assert first == [
        (
            f"note: {PING} {version}: its postinst is not run, and nothing here does what it would: setcap "
            "cap_net_raw+ep /bin/ping; chmod u-s /bin/ping; chmod u+s /bin/ping; add what an image needs of it "
            f"as files, then name {PING} in accept_scripts of the base"
        )
    ]
    bases = "3rdparty/bases/BUILD"
    repository.edit(bases, 'name="drawing", ', f'name="drawing", accept_scripts=["{PING}"], ')
    assert notes(repository.package("src/app:image", daemon=True).stderr) == []
    repository.edit(bases, f'accept_scripts=["{PING}"], ', "")


def test_an_account_that_a_package_makes(
    repository: Repository, first: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """As apt makes it: redis-tools its user and folders, redis-server its file's owner and mode."""
    repository.package("src/app:server", daemon=True)
    layout = repository.layout("src.app/server")
    assert layout.config()["config"]["User"] == "100:101"
    server = unpacked(layout, tmp_path_factory.mktemp("server") / "root")
    assert server.run("account") == "redis /var/lib/redis True\n"


def test_a_changed_file_of_equal_size_has_another_time(repository: Repository, first: list[str]) -> None:
    """Servers make ETag and Last-Modified of time and size; `servers_test` asks them about these times."""
    assert len(OLD) == len(NEW)
    times = {OLD: page_time(repository)}
    repository.write("src/app/page.css", NEW)
    repository.package("src/app:image", daemon=True)
    times[NEW] = page_time(repository)
    assert times == {text: of_content(hashlib.sha256(text.encode()).hexdigest()) for text in (OLD, NEW)}
    assert times[OLD] != times[NEW]
    before = image("image", "drawing", "3rdparty/python:reqs#algebra")
    of_release = image("image", "drawing", "3rdparty/python:reqs#algebra", source_date_epoch="1750000000")
    repository.edit(BUILD, before, of_release)
    repository.package("src/app:image", daemon=True)
    assert page_time(repository) == 1_750_000_000
    repository.edit(BUILD, of_release, before)
    repository.write("src/app/page.css", OLD)


def test_relocations_that_musl_does_not_read(repository: Repository) -> None:
    """As ujson's musllinux wheel on ``python:3.11-alpine3.18``, where the process dies."""
    assert repository.failure("src/app:packed") == (
        "SlimImageError: src/app:packed: 1 file of the image for linux/amd64 cannot be loaded:\n"
        f"  packed 1.0: /{SITE}/packed.cpython-311-x86_64-linux-musl.so has packed relocations (DT_RELR), which "
        "musl reads from 1.2.4 on, and the image's is 1.2.3: the process would die\n"
        "  -> choose another version of the wheel, build it from its sdist, or name the file or the library in "
        "accept_missing of the image"
    )


def test_a_library_that_musl_lacks(repository: Repository) -> None:
    """Debian's name of a package is no name of Alpine's."""
    assert repository.failure("src/app:musl") == (
        "SlimImageError: src/app:musl: 1 file of the image for linux/amd64 cannot be loaded:\n"
        f"  sqlclient 1.0: /{SITE}/sqlclient.cpython-311-x86_64-linux-musl.so needs libpq.so.5, which is not in the "
        "image; libpq5 in Debian\n"
        "  -> use a base image that has libpq.so.5, then run: ./pants generate-lockfiles --resolve=alpine; names of "
        "packages are Debian's here, and for those of Alpine ask there: apk search so:libpq.so.5"
    )


def test_the_table_names_tests_that_are_there() -> None:
    named = re.findall(r"(\w+\.py)::(\w+)", str(__doc__))
    assert len(named) > 30
    for file, test in named:
        assert f"\ndef {test}(" in Path(__file__).with_name(file).read_text(), (file, test)

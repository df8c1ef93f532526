"""Another Debian release, another Python: a service on trixie that talks to PostgreSQL, from locks to containers.

Python, its tags and the libc are those of the base; nothing of the example is used.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.repository import (
    Caches,
    Repository,
    Run,
    copy_plugin,
    locked,
    make_repository,
    stopped,
    version,
)
from tests.support.engine import Engine, register_emulation

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PLATFORMS = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
BASE = "3rdparty/trixie/BUILD"
# For Linux it has no wheel: it is compiled against the libpq of the base.
PSYCOPG2 = "2.9.13"
FILES = {
    BASE: """\
debian_python_base(
    name="trixie",
    suites=["trixie"],
    packages=["ca-certificates", "netbase"],
    builder_packages=["libpq-dev"],
    platforms=["linux/amd64", "linux/arm64"],
)
""",
    "3rdparty/python/BUILD": 'python_requirements(name="reqs")\n',
    "3rdparty/python/requirements.txt": "click\npsycopg2\n",
    "3rdparty/python/default.lock": locked("click")
    + f"psycopg2=={PSYCOPG2} --hash=sha256:d36784fc2dae69523ba4b79c7d1d1b4d6e83e87836874f111262f4db940b16a6\n",
    "src/ledger/BUILD": """\
python_sources(name="lib")
slim_python_image(
    name="image",
    dependencies=[":lib"],
    entry_point="ledger",
    base="3rdparty/trixie",
    ports=["5000"],
    output_format="docker-archive",
)
python_wheel_set(name="wheels", dependencies=[":lib"], base="3rdparty/trixie")
""",
    "src/ledger/ledger.py": '''\
"""Answers with what it runs on."""
import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

import click
from psycopg2.extensions import adapt, libpq_version


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        facts = {
            "name": "ledger",
            "python": list(sys.version_info[:2]),
            "libpq": libpq_version() // 10000,
            "quoted": adapt(True).getquoted().decode(),
            "click": click.__name__,
        }
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(facts).encode())


HTTPServer(("", 5000), Handler).serve_forever()
''',
}


def lock(repository: Repository, *resolves: str) -> None:
    """Write locks, each of which may read the one before."""
    for resolve in resolves:
        run = repository.pants("generate-lockfiles", f"--resolve={resolve}", daemon=True)
        assert run.exit_code == 0, run.stderr


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """Give a repository whose base has the headers of libpq, but not the library."""
    folder = tmp_path_factory.mktemp("trixie")
    made = make_repository(
        folder / "repository", Caches(folder / "caches"), plugin=copy_plugin(folder / "pants-plugins")
    )
    with stopped(made):
        made.edit("pants.toml", "CPython==3.11.*", "CPython==3.13.*")
        for path, text in FILES.items():
            made.write(path, text)
        lock(made, "trixie", "python-default-build")
        yield made


@pytest.fixture(scope="module")
def message(repository: Repository) -> str:
    """The error of packaging without libpq5, once both platforms have their wheels: the first error ends a run."""
    repository.package("src/ledger:wheels", daemon=True)
    return repository.failure("src/ledger:image")


@pytest.fixture(scope="module")
def packaged(repository: Repository, message: str) -> Run:
    """The run that packages with the line that the error says to add."""
    repository.edit(BASE, '"netbase"', '"netbase", "libpq5"')
    lock(repository, "trixie")
    return repository.package("src/ledger::", daemon=True)


def report(repository: Repository) -> dict[str, Any]:
    """Return the platforms of the image's report by name."""
    document = json.loads((repository.root / "dist/src.ledger/image.json").read_bytes())
    return {platform["platform"]: platform for platform in document["platforms"]}


def test_psycopg2_on_a_base_without_libpq(message: str) -> None:
    what, detail, *hints = message.splitlines()
    start = "SlimImageError: src/ledger:image: 1 file of the image for "
    platform = what.removeprefix(start).partition(" ")[0]
    assert what == f"{start}{platform} cannot be loaded:"
    file = f"_psycopg.cpython-313-{PLATFORMS[platform]}-linux-gnu.so"
    assert detail == (
        f"  psycopg2 {PSYCOPG2}: /app/lib/python3.13/site-packages/psycopg2/{file} needs libpq.so.5, which is not "
        "in the image; Debian's libpq5 has it"
    )
    assert hints == [
        (
            '  -> add "libpq5" to extra_packages of 3rdparty/trixie:trixie, then run: ./pants generate-lockfiles '
            "--resolve=trixie"
        )
    ]


def test_a_library_more_in_the_base_compiles_nothing_again(packaged: Run) -> None:
    # The headers and the wheel's own step are as they were; only what runs has changed.
    assert [step for step in packaged.started if step.startswith(("Build ", "Compile ", "Unpack "))] == []
    fetched = [step for step in packaged.started if step.startswith("Fetch")]
    assert not [step for step in fetched if "python3.13" in step]


@pytest.mark.usefixtures("packaged")
def test_wheels_are_for_the_python_and_the_libc_of_the_base(repository: Repository) -> None:
    base = json.loads((repository.root / "3rdparty/trixie/trixie.lock").read_bytes())
    assert base["python"] == "3.13"
    for platform, machine in PLATFORMS.items():
        assert base["platforms"][platform]["target"]["libc_version"] == "2.41"
        wheels = repository.root / "dist/src.ledger/wheels" / platform.replace("/", "-")
        assert sorted(wheel.name for wheel in wheels.iterdir()) == [
            f"click-{version('click')}-py3-none-any.whl",
            f"psycopg2-{PSYCOPG2}-cp313-cp313-linux_{machine}.whl",
        ]


@pytest.mark.usefixtures("packaged")
def test_the_report_names_the_package_that_no_file_needs(repository: Repository) -> None:
    # Plugins, which come with libldap, which comes with libpq.
    for platform in PLATFORMS:
        assert report(repository)[platform]["audit"]["unused_packages"] == ["libsasl2-modules-db"]


@pytest.mark.usefixtures("packaged")
@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_container_answers(engine: Engine, repository: Repository, platform: str) -> None:
    if platform != "linux/amd64":
        register_emulation(platform)
    archive = repository.root / f"dist/src.ledger/image-{platform.replace('/', '-')}.tar"
    with engine.run(engine.load(archive)) as container:
        assert container.wait_for_health(60) == {
            "name": "ledger",
            "python": [3, 13],
            "libpq": 17,
            "quoted": "true",
            "click": "click",
        }

"""An extension in Rust from its sdist: crates locked, fetched from the registry, built offline, run in containers."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator

import pytest

from tests.integration.repository import Caches, Repository, copy_plugin, make_repository, stopped
from tests.support.engine import Engine, register_emulation

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PLATFORMS = {"linux/amd64": "x86_64", "linux/arm/v7": "arm"}
# setuptools-rust and the compiler that bookworm has; 42 crates.
BCRYPT = "5.0.0"
FILES = {
    "3rdparty/rust/BUILD": """\
debian_python_base(
    name="rust",
    suites=["bookworm"],
    packages=["netbase"],
    platforms=["linux/amd64", "linux/arm/v7"],
)
""",
    "3rdparty/python/BUILD": 'python_requirements(name="reqs")\n',
    "3rdparty/python/requirements.txt": "bcrypt\n",
    "3rdparty/python/default.lock": (
        f"bcrypt=={BCRYPT} --hash=sha256:f748f7c2d6fd375cc93d3fba7ef4a9e3a092421b8dbf34d8d4dc06be9492dfdd\n"
    ),
    "src/vault/BUILD": """\
python_sources(name="lib")
python_wheel_set(name="wheels", dependencies=[":lib"], base="3rdparty/rust", no_binary=["bcrypt"])
slim_python_image(
    name="image",
    dependencies=[":lib"],
    entry_point="vault",
    base="3rdparty/rust",
    ports=["5000"],
    no_binary=["bcrypt"],
    output_format="docker-archive",
)
""",
    "src/vault/vault.py": '''\
"""Answers whether a password is that of a hash."""
import json
from http.server import BaseHTTPRequestHandler, HTTPServer

import bcrypt

HASHED = bcrypt.hashpw(b"open sesame", bcrypt.gensalt(4))


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        known = [bcrypt.checkpw(password, HASHED) for password in (b"open sesame", b"open rye")]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(known).encode())


HTTPServer(("", 5000), Handler).serve_forever()
''',
}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """Give a repository whose base, build requirements and crates are locked, packaged for both platforms."""
    folder = tmp_path_factory.mktemp("rust")
    made = make_repository(
        folder / "repository", Caches(folder / "caches"), plugin=copy_plugin(folder / "pants-plugins")
    )
    with stopped(made):
        made.write(
            "pants.toml",
            (made.root / "pants.toml").read_text()
            + '\n[slim-image.builds]\nbcrypt = { builder_packages = ["cargo-web"] }\n',
        )
        for path, text in FILES.items():
            made.write(path, text)
        for resolve in ("rust", "python-default-build"):
            run = made.pants("generate-lockfiles", f"--resolve={resolve}", daemon=True)
            assert run.exit_code == 0, run.stderr
        made.package("src/vault::", daemon=True)
        yield made


def test_the_crates_of_cargo_lock_are_locked(repository: Repository) -> None:
    lock = json.loads((repository.root / "3rdparty/python/python-default.build.lock").read_bytes())
    (built,) = lock["environments"]
    assert built["sdist"] == f"bcrypt=={BCRYPT}"
    assert set(built["crates"]) == set(lock["crates"])
    assert {name.partition(" ")[0] for name in built["crates"]} >= {"bcrypt", "pyo3", "libc"}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_module_is_for_its_platform_and_names_no_place(repository: Repository, platform: str) -> None:
    (wheel,) = (repository.root / "dist/src.vault/wheels" / platform.replace("/", "-")).glob("bcrypt-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (module,) = [name for name in archive.namelist() if name.endswith(".so")]
        data = archive.read(module)
    assert data[:4] == b"\x7fELF"
    assert (data[4], data[18]) == {"x86_64": (2, 62), "arm": (1, 40)}[PLATFORMS[platform]]
    assert b"/ociwheel/" not in data
    assert str(repository.caches.folder).encode() not in data


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_container_answers(engine: Engine, repository: Repository, platform: str) -> None:
    if platform != "linux/amd64":
        register_emulation(platform)
    archive = repository.root / f"dist/src.vault/image-{platform.replace('/', '-')}.tar"
    with engine.run(engine.load(archive)) as container:
        assert container.wait_for_health(60) == [True, False]

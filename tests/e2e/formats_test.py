"""The example's layouts and archives, as others' tools and the OCI specification's own schemas see them."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.conftest import Packaged
from tests.integration.repository import Layout
from tests.support.engine import Engine
from tests.support.oci_documents import CONFIG, INDEX, MANIFEST, check_layout
from tests.support.publisher import SERVICES, Podman, podman_storage

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PLATFORMS = {"linux/amd64": ("amd64", ""), "linux/arm64": ("arm64", ""), "linux/arm/v7": ("arm", "v7")}
STRUCTURE = """\
schemaVersion: 2.0.0
metadataTest:
  user: "65532:65532"
  workdir: /app
  entrypoint: ["/app/bin/python", "-P", "-m", "brewblox_devcon_spark"]
  exposedPorts: ["5000"]
fileExistenceTests:
  - {name: interpreter, path: /app/bin/python, shouldExist: true}
  - {name: no pip, path: /app/bin/pip, shouldExist: false}
fileContentTests:
  - {name: user, path: /etc/passwd, expectedContents: ["nonroot:x:65532:65532"]}
"""


@dataclass(frozen=True)
class Archives:
    """Two services as files: one per platform for Docker, and one of everything."""

    docker: dict[str, Path]
    oci: Path


@pytest.fixture(scope="module")
def archives(packaged: Packaged) -> Archives:
    """Package both archive formats in one run."""
    repository = packaged.repository
    formats = {"devcon_spark": "docker-archive", "history": "oci-archive"}
    builds = {name: f"src/brewblox/{name}/BUILD" for name in formats}
    port = '    ports=["5000"],\n'
    for name, build in builds.items():
        repository.edit(build, port, f'{port}    output_format="{formats[name]}",\n')
    try:
        repository.package(*(f"src/brewblox/{name}:image" for name in formats), daemon=True)
    finally:
        subprocess.run(["git", "checkout", "--quiet", *builds.values()], cwd=repository.root, check=True)
    dist = repository.root / "dist"
    docker = {
        platform: dist / f"src.brewblox.devcon_spark/image-{platform.replace('/', '-')}.tar"
        for platform in PLATFORMS
    }
    return Archives(docker, dist / "src.brewblox.history/image.tar")


@pytest.fixture(scope="module")
def podman() -> Iterator[Podman]:
    """Give podman, one for all tests here: layers that images share are unpacked once."""
    with podman_storage() as podman:
        yield podman


@pytest.fixture(scope="module")
def at_rest(packaged: Packaged) -> Packaged:
    """Package once more with nothing changed: what the layouts of the run before had goes then, and not earlier."""
    packaged.repository.package(*(f"src/brewblox/{name}:image" for name in SERVICES), daemon=True)
    return packaged


@pytest.mark.parametrize("service", SERVICES)
def test_every_document_of_a_layout_is_valid(at_rest: Packaged, service: str) -> None:
    packaged = at_rest
    seen = check_layout(packaged.layout(service).folder)
    assert (seen.count(INDEX), seen.count(MANIFEST), seen.count(CONFIG)) == (1, 3, 3)
    assert seen.layers > 20


def test_every_document_of_an_archive_is_valid(archives: Archives, tmp_path: Path) -> None:
    for file, images in ((archives.oci, 3), *((file, 1) for file in archives.docker.values())):
        folder = tmp_path / file.stem
        with tarfile.open(file) as archive:
            archive.extractall(folder, filter="data")
        seen = check_layout(folder)
        assert (seen.count(MANIFEST), seen.count(CONFIG)) == (images, images)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_skopeo_umoci_and_podman_accept_a_layout(
    packaged: Packaged, podman: Podman, platform: str, tmp_path: Path
) -> None:
    layout = packaged.layout("service").folder
    architecture, variant = PLATFORMS[platform]
    # umoci unpacks no image of an index with several ("tag is ambiguous"): skopeo takes one out.
    one = tmp_path / "one"
    options = ["--override-os", "linux", "--override-arch", architecture]
    options += ["--override-variant", variant] if variant else []
    copy = ["skopeo", "--insecure-policy", *options, "copy", "--quiet", "--preserve-digests"]
    subprocess.run([*copy, f"oci:{layout}:latest", f"oci:{one}:latest"], check=True)
    bundle = tmp_path / "bundle"
    subprocess.run(["umoci", "unpack", "--image", f"{one}:latest", bundle], check=True, capture_output=True)
    assert (bundle / "rootfs/app/bin/python").is_symlink()
    assert json.loads((bundle / "config.json").read_bytes())["process"]["user"]["uid"] == 65532

    chosen = ["--os", "linux", "--arch", architecture, *(["--variant", variant] if variant else [])]
    name = podman("pull", "--quiet", *chosen, f"oci:{layout}:latest").strip()
    (image,) = json.loads(podman("image", "inspect", name))
    assert (image["Os"], image["Architecture"]) == ("linux", architecture)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_docker_archive_is_accepted(archives: Archives, podman: Podman, platform: str) -> None:
    file = archives.docker[platform]
    architecture = PLATFORMS[platform][0]
    inspect = ["skopeo", "inspect", "--config", f"docker-archive:{file}"]
    config = json.loads(subprocess.run(inspect, check=True, capture_output=True).stdout)
    assert config["architecture"] == architecture
    name = podman("load", "--quiet", "--input", str(file)).strip().rpartition(": ")[2]
    (image,) = json.loads(podman("image", "inspect", name))
    assert (image["Architecture"], image["Config"]["User"]) == (architecture, "65532:65532")


def test_an_oci_archive_is_accepted(archives: Archives, podman: Podman, tmp_path: Path) -> None:
    copied = tmp_path / "copy"
    copy = ["skopeo", "--insecure-policy", "copy", "--quiet", "--all", "--preserve-digests"]
    subprocess.run([*copy, f"oci-archive:{archives.oci}", f"oci:{copied}:latest"], check=True)
    with tarfile.open(archives.oci) as archive:
        archive.extractall(tmp_path / "own", filter="data")
    assert Layout(copied).index_digest == Layout(tmp_path / "own").index_digest
    name = podman("pull", "--quiet", f"oci-archive:{archives.oci}").strip()
    (image,) = json.loads(podman("image", "inspect", name))
    assert image["Config"]["Entrypoint"][-1] == "brewblox_history"


@pytest.mark.parametrize("platform", PLATFORMS)
def test_container_structure_test_accepts_a_docker_archive(
    archives: Archives, platform: str, tmp_path: Path
) -> None:
    (tmp_path / "image.yaml").write_text(STRUCTURE)
    tool = Path(sys.executable).parent / "container-structure-test"
    command = [str(tool), "test", "--driver", "tar", "--no-color", "--config", str(tmp_path / "image.yaml")]
    done = subprocess.run(
        [*command, "--image", str(archives.docker[platform])], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Passes:      4\n" in done.stdout


def test_docker_history_says_what_each_layer_is(archives: Archives, engine: Engine) -> None:
    image = engine.load(archives.docker["linux/amd64"])
    rows = engine.docker(
        "history", "--no-trunc", "--format", "{{.CreatedBy}}|{{.Comment}}", image
    ).splitlines()
    titles = [row.partition("|")[0] for row in reversed(rows)]
    assert titles[0] == "users and folders"
    assert titles[-1] == "sources of src/brewblox/devcon_spark:image"
    assert all(titles), rows
    assert any("fastapi" in row.partition("|")[2] for row in rows), rows
    created = engine.docker("history", "--human=false", "--format", "{{.CreatedAt}}", image).splitlines()
    assert {time[:10] for time in created} == {"1970-01-01"}

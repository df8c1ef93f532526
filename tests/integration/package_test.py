"""What ``./pants package`` writes, read with nothing of the core's own."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tarfile
import urllib.parse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ociwheel.formats.times import CONSTANT
from tests.integration.monorepo import write_monorepo
from tests.integration.repository import (
    BASE,
    Caches,
    Layout,
    Repository,
    Run,
    make_repository,
    stopped,
    version,
)
from tests.support.oci_documents import INDEX, MANIFEST, check_layout

SITE = "app/lib/python3.11/site-packages"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def repository(
    tmp_path_factory: pytest.TempPathFactory, plugin: Path, caches: Caches
) -> Iterator[Repository]:
    folder = tmp_path_factory.mktemp("package") / "repository"
    with stopped(write_monorepo(make_repository(folder, caches, plugin=plugin))) as made:
        yield made


@pytest.fixture(scope="module")
def run(repository: Repository) -> Run:
    return repository.package("src::", daemon=True)


@pytest.fixture(scope="module")
def service(repository: Repository, run: Run) -> Layout:
    return repository.layout("src.service/image")


@pytest.fixture(scope="module")
def child(repository: Repository, run: Run) -> Layout:
    return repository.layout("src.child/image")


def files(layout: Layout, layer: str) -> set[str]:
    """Return the paths of files that are no bytecode."""
    return {
        path for path, entry in layout.listing(layer).items() if entry.isfile() and "__pycache__" not in path
    }


def everything(layout: Layout) -> set[str]:
    return {path for layer in layout.layers() for path in layout.listing(layer)}


def test_every_blob_is_named_and_is_what_its_name_says(service: Layout) -> None:
    named = {service.index_digest, service.index["manifests"][0]["digest"]}
    named |= {service.manifest()["config"]["digest"], *service.layers()}
    there = {f"sha256:{path.name}" for path in (service.folder / "blobs/sha256").iterdir()}
    assert there == named
    for digest in named:
        assert f"sha256:{hashlib.sha256(service.blob(digest).read_bytes()).hexdigest()}" == digest
    for descriptor in (service.manifest()["config"], *service.manifest()["layers"]):
        assert service.blob(descriptor["digest"]).stat().st_size == descriptor["size"]


def test_every_document_is_valid(service: Layout, child: Layout) -> None:
    for layout in (service, child):
        seen = check_layout(layout.folder)
        assert (seen.count(INDEX), seen.count(MANIFEST), seen.layers) == (1, 1, len(layout.layers()))


def test_the_configuration_is_what_the_fields_say(service: Layout) -> None:
    config = service.config()
    assert (config["os"], config["architecture"]) == ("linux", "amd64")
    assert config["config"] == {
        "Cmd": ["--port", "8080"],
        "Entrypoint": ["/app/bin/image"],
        "Env": [
            "LANG=C",
            "MODE=quiet",
            "PATH=/app/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt",
        ],
        "ExposedPorts": {"53/udp": {}, "8080/tcp": {}},
        "Labels": {"org.opencontainers.image.title": "service"},
        "StopSignal": "SIGINT",
        "User": "1000:1001",
        "Volumes": {"/srv/data": {}},
        "WorkingDir": "/srv/data",
    }
    assert len(config["rootfs"]["diff_ids"]) == len(service.layers())


def test_annotations_are_those_of_index_and_manifest(service: Layout, child: Layout) -> None:
    wanted = {"org.opencontainers.image.version": "1.0", "com.example.team": "ä"}
    assert service.index["annotations"] == service.manifest()["annotations"] == wanted
    assert "annotations" not in child.index
    assert "annotations" not in child.manifest()


def test_the_defaults_of_the_configuration(child: Layout) -> None:
    config = child.config()["config"]
    assert config["Entrypoint"] == ["/app/bin/python", "-P", "-m", "child"]
    assert config["User"] == "65532:65532"
    assert config["WorkingDir"] == "/app"
    assert "LANG=C.UTF-8" in config["Env"]
    assert not {"Cmd", "ExposedPorts", "Labels", "StopSignal", "Volumes"} & {
        key for key, value in config.items() if value
    }


def test_what_the_user_owns_is_the_topmost_layer(service: Layout) -> None:
    listing = service.listing(service.layers()[-1])
    owned = {path: (entry.mode, entry.uid, entry.gid) for path, entry in listing.items() if entry.uid}
    assert owned == {"home/app": (0o700, 1000, 1001), "srv/data": (0o755, 1000, 1001)}
    assert b"app:x:1000:1001:app:/home/app:/sbin/nologin\n" in service.read(
        service.layers()[-1], "etc/passwd"
    )
    assert (listing["srv"].mode, listing["etc"].mode, listing["home"].mode) == (0o755, 0o755, 0o755)


def test_first_party_code_is_the_last_layer_but_that(service: Layout) -> None:
    last = service.layers()[-2]
    assert files(service, last) == {
        "app/bin/image",
        f"{SITE}/service/__init__.py",
        f"{SITE}/service/app.py",
        f"{SITE}/service/page.html",
        f"{SITE}/shared/__init__.py",
        "srv/data/src/service/config/limits.json",
    }
    bytecode = {path for path in service.listing(last) if path.endswith(".pyc")}
    assert bytecode == {
        f"{SITE}/{package}/__pycache__/{module}.cpython-311.pyc"
        for package, module in (("service", "__init__"), ("service", "app"), ("shared", "__init__"))
    }
    for entry in service.listing(last).values():
        assert (entry.uid, entry.gid) == (0, 0)
        assert CONSTANT <= entry.mtime < CONSTANT + (1 << 30)
    assert b"service.app" in service.read(last, "app/bin/image")
    assert service.listing(last)["app/bin/image"].mode == 0o755


def test_wheels_are_installed_without_what_is_excluded(service: Layout) -> None:
    paths = everything(service)
    assert f"{SITE}/idna/core.py" in paths
    assert f"{SITE}/click/core.py" in paths
    assert f"{SITE}/click/shell_completion.py" not in paths
    assert f"{SITE}/idna-3.10.dist-info/RECORD" in paths
    assert f"{SITE}/certifi/core.py" not in paths
    assert any(path.startswith(f"{SITE}/websockets/speedups.cpython-311") for path in paths)


def test_nothing_that_builds_is_inside(service: Layout) -> None:
    paths = everything(service)
    assert [path for path in paths if path.endswith((".whl", ".deb"))] == []
    assert [path for path in paths if path.rsplit("/", 1)[-1] in {"pip", "gcc", "cc", "ensurepip"}] == []


def test_a_child_starts_with_the_layers_of_its_parent(service: Layout, child: Layout) -> None:
    shared = service.layers()[:-2]
    own = child.layers()[len(shared) :]
    assert child.layers()[: len(shared)] == shared
    assert len(own) == 3
    assert f"{SITE}/certifi/core.py" in child.listing(own[0])
    # Of first-party code, what both have is a layer, without what only the service needs.
    assert files(child, own[1]) == {f"{SITE}/shared/__init__.py"}
    assert files(child, own[2]) == {f"{SITE}/child/__init__.py", f"{SITE}/child/__main__.py"}


def test_the_base_of_an_image_may_be_an_image(repository: Repository, service: Layout, child: Layout) -> None:
    build = repository.root / "src/child/BUILD"
    before, extending = build.read_text(), child.layers()
    own = {f'    base="{BASE}",\n', '    platforms=["linux/amd64"],\n'}
    lines = [line for line in before.splitlines(keepends=True) if line not in own]
    build.write_text("".join(lines).replace("extends=", "base="))
    try:
        run = repository.package("src/child:image", daemon=True)
        onto = repository.layout("src.child/image")
        layers, config = onto.layers(), onto.config()["config"]
        # Layers are those of an image that says `extends`; only its configuration is another. Files would lie
        # in the working directory, so the step of the sources is asked again.
        assert layers[:-1] == extending  # but for the folders of the inherited user
        assert run.started == [
            "Check the image for linux/amd64",
            "Layer folders of the image's user",
            "Layer sources of src/child:image",
        ]
        assert (config["User"], config["WorkingDir"]) == ("1000:1001", "/srv/data")
        assert "MODE=quiet" in config["Env"]
        assert config["Entrypoint"] == ["/app/bin/python", "-P", "-m", "child"]
        assert not config.get("Cmd")
        assert service.layers()[:-2] == layers[: len(service.layers()) - 2]
    finally:
        build.write_text(before)
        repository.package("src/child:image", daemon=True)


def test_the_report_stands_beside_the_layout(repository: Repository, service: Layout) -> None:
    report = json.loads((repository.root / "dist/src.service/image.json").read_text())
    (platform,) = report["platforms"]
    assert report["target"] == "src/service:image"
    assert report["digest"] == service.index_digest
    assert platform["digest"] == service.index["manifests"][0]["digest"]
    assert [layer["digest"] for layer in platform["layers"]] == service.layers()
    assert [layer["diff_id"] for layer in platform["layers"]] == service.config()["rootfs"]["diff_ids"]
    assert {wheel["name"]: wheel["version"] for wheel in platform["wheels"]} == {
        "click": version("click"),
        "idna": "3.10",
        "websockets": version("websockets"),
    }


def test_the_sboms_list_what_the_layers_hold_with_the_hashes_of_the_locks(
    repository: Repository, service: Layout
) -> None:
    beside = repository.root / "dist/src.service/image.attestations"
    assert {path.name for path in beside.iterdir()} == {
        "linux-amd64.cdx.json",
        "linux-amd64.spdx.json",
        "provenance.json",
    }
    spdx = json.loads((beside / "linux-amd64.spdx.json").read_text())
    purls = {
        one["externalRefs"][0]["referenceLocator"]: one["checksums"][0]["checksumValue"]
        for one in spdx["packages"]
        if "externalRefs" in one and not one["SPDXID"].startswith("SPDXRef-build-")
    }
    paths = everything(service)
    installed = {path.split("/")[-2] for path in paths if path.endswith(".dist-info/METADATA")}
    named = {one.partition("/")[2].replace("@", "-") for one in purls if one.startswith("pkg:pypi/")}
    assert named == {one.removesuffix(".dist-info") for one in installed} != set()
    status = {path.split("/")[-1] for path in paths if "/status.d/" in path and not path.endswith(".md5sums")}
    debs = {one.partition("/debian/")[2].partition("@")[0] for one in purls if one.startswith("pkg:deb/")}
    assert {urllib.parse.unquote(one) for one in debs} == status != set()
    locks = "".join(path.read_text() for path in repository.root.rglob("*.lock"))
    assert all(sha256 in locks for sha256 in purls.values())
    said = {
        one["digest"]["sha256"] for one in json.loads((beside / "provenance.json").read_text())["subject"]
    }
    assert said == {
        service.index_digest.removeprefix("sha256:"),
        service.index["manifests"][0]["digest"].removeprefix("sha256:"),
    }


def test_the_log_says_digest_size_layers_and_what_is_shared(run: Run, service: Layout, child: Layout) -> None:
    shared = [layer for layer in service.layers() if layer in child.layers()]
    size = sum(service.blob(layer).stat().st_size for layer in service.layers())
    common = sum(service.blob(layer).stat().st_size for layer in shared)
    said = run.stderr[run.stderr.index("Wrote dist/src.service/image\n") :].splitlines()
    assert said[1] == f"  index {service.index_digest}"
    assert said[2].startswith(f"  linux/amd64: {size / 2**20:.1f} MiB compressed, ")
    assert said[2].endswith(
        f" unpacked, {len(service.layers())} layers, {common / 2**20:.1f} MiB shared with other images"
    )


def test_a_distribution_is_installed_as_a_wheel_and_its_sources_only_there(
    repository: Repository, run: Run
) -> None:
    with tarfile.open(repository.root / "dist/made/tool.tar") as archive:
        names = archive.getnames()
        file = archive.extractfile("manifest.json")
        assert file is not None
        (manifest,) = json.load(file)
        layers = []
        for name in manifest["Layers"][-2:]:
            blob = archive.extractfile(name)
            with tarfile.open(fileobj=blob) as layer:
                layers.append(
                    {m.name for m in layer.getmembers() if m.isfile() and "__pycache__" not in m.name}
                )
    assert manifest["RepoTags"] == ["tools/the-tool:1.0", "tools/the-tool:latest"]
    assert manifest["Config"] in names
    wheel, sources = layers
    assert {f"{SITE}/tool/__init__.py", "app/bin/the-tool"} <= wheel
    assert f"{SITE}/the_tool-1.0.dist-info/METADATA" in wheel
    assert sources == {f"{SITE}/extra.py"}


def test_an_oci_archive_is_the_layout_as_a_tar(repository: Repository, run: Run, tmp_path: Path) -> None:
    before = repository.layout("src.child/image").index_digest
    repository.edit(
        "src/child/BUILD",
        '    entry_point="child",\n',
        '    entry_point="child",\n    output_format="oci-archive",\n',
    )
    again = repository.package("src/child:image", daemon=True)
    assert again.started == ["Pack image.tar"]
    with tarfile.open(repository.root / "dist/src.child/image.tar") as archive:
        archive.extractall(tmp_path, filter="data")
    assert Layout(tmp_path).index_digest == before
    assert {f"blobs/sha256/{layer[7:]}" for layer in Layout(tmp_path).layers()} <= {
        str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")
    }


def test_the_wheelhouse_is_one_for_pip(repository: Repository, run: Run, tmp_path: Path) -> None:
    house = repository.root / "dist/src.service/wheels/linux-amd64"
    assert sorted(path.name.split("-")[0] for path in house.iterdir()) == ["click", "idna", "websockets"]
    pip = [
        sys.executable,
        "-I",
        "-m",
        "pip",
        "--isolated",
        "--disable-pip-version-check",
        "install",
        "--quiet",
    ]
    fits = ["--only-binary", ":all:", "--python-version", "3.11", "--platform", "manylinux_2_36_x86_64"]
    fits += ["--platform", "manylinux_2_28_x86_64", "--platform", "manylinux_2_17_x86_64"]
    fits += ["--platform", "manylinux_2_5_x86_64", "--implementation", "cp"]
    where = ["--no-index", "--find-links", str(house), "--target", str(tmp_path / "site")]
    subprocess.run([*pip, *fits, *where, "click", "idna", "websockets"], check=True)
    assert {"click", "idna", "websockets"} <= {path.name for path in (tmp_path / "site").iterdir()}


def test_the_machines_pip_configuration_does_not_reach_pex(repository: Repository, tmp_path: Path) -> None:
    configuration = tmp_path / "xdg/pip/pip.conf"
    configuration.parent.mkdir(parents=True)
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("torch<=2\n")
    configuration.write_text(f"[global]\nconstraint = {constraints}\n")
    # Pex keeps what it once fetched.
    machine = replace(repository, caches=Caches(tmp_path / "caches"))
    also = repr([f"XDG_CONFIG_DIRS={tmp_path / 'xdg'}"])
    run = machine.package(f"--subprocess-environment-env-vars=+{also}", "src/tool:dist")
    assert any("build_backend.pex" in description for description in run.started)

"""Layers compressed with zstd: the same files, other blobs, and nothing of it in what gzip makes."""

from __future__ import annotations

import json
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ociwheel.image.container import write_container_image
from ociwheel.layer.writer import Content, Entry, write_layer
from ociwheel.platforms import platform
from tests.integration.monorepo import write_monorepo
from tests.integration.repository import Caches, Repository, make_repository, stopped
from tests.support.oci_documents import check_layout
from tests.support.publisher import podman_storage

pytestmark = pytest.mark.slow

ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
OPTION = "--slim-image-compression=zstd"


@pytest.fixture(scope="module")
def repository(
    tmp_path_factory: pytest.TempPathFactory, plugin: Path, caches: Caches
) -> Iterator[Repository]:
    folder = tmp_path_factory.mktemp("compression") / "repository"
    with stopped(write_monorepo(make_repository(folder, caches, plugin=plugin))) as made:
        yield made


def test_zstd_changes_blobs_and_nothing_else(repository: Repository, tmp_path: Path) -> None:
    service, child = "src/service:image", "src/child:image"
    repository.package(service, child, daemon=True)
    layout = repository.layout("src.service/image")
    before = layout.index_digest
    diff_ids = layout.config()["rootfs"]["diff_ids"]
    sizes = [sum(layer["size"] for layer in layout.manifest()["layers"])]

    repository.package(OPTION, service, child, "src/tool:image", daemon=True)
    assert {layer["mediaType"] for layer in layout.manifest()["layers"]} == {ZSTD}
    assert layout.config()["rootfs"]["diff_ids"] == diff_ids
    sizes.append(sum(layer["size"] for layer in layout.manifest()["layers"]))
    assert sizes[1] < sizes[0]
    shared = layout.layers()[:-2]  # its own are its sources, and the folders of its user
    assert repository.layout("src.child/image").layers()[: len(shared)] == shared
    repository.package(
        OPTION, service, child, "src/tool:image", daemon=True
    )  # the blobs of before go with the next run
    assert check_layout(layout.folder).layers == len(layout.layers())
    report = json.loads((repository.root / "dist/src.service/image.json").read_text())
    assert report["fields"]["compression"] == "zstd"
    copied = tmp_path / "copy"
    copy = ["skopeo", "--insecure-policy", "copy", "--quiet", "--all", "--preserve-digests"]
    subprocess.run([*copy, f"oci:{layout.folder}:latest", f"oci:{copied}:latest"], check=True)

    # Docker before 23 loads no zstd: its archive has the layers as they are inside.
    archive = repository.root / "dist/made/tool.tar"
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path / "archive", filter="data")
    manifest = json.loads((tmp_path / "archive/manifest.json").read_text())[0]
    for layer in manifest["Layers"]:
        with tarfile.open(tmp_path / "archive" / layer, "r:") as content:
            assert content.getmembers()
    check_layout(tmp_path / "archive")

    # What gzip makes has no zstd in its key: all of it is still there.
    again = repository.package(service, child, daemon=True)
    assert again.started == []
    assert layout.index_digest == before


def test_the_field_wins_over_the_option_and_relatives_have_one_compression(repository: Repository) -> None:
    where = "src/child/BUILD"
    repository.edit(
        where, '    entry_point="child",\n', '    entry_point="child",\n    compression="zstd",\n'
    )
    message = repository.failure("src/child:image")
    assert (
        "src/child:image: it extends src/service:image, but `bytecode`, `compression`, `exclude` or `strip` differ\n"
        "  -> use the same in both, the layers are shared" in message
    )
    repository.edit(where, '    extends="src/service:image",\n', "")
    repository.package("src/child:image", daemon=True)
    layers = repository.layout("src.child/image").manifest()["layers"]
    assert {layer["mediaType"] for layer in layers} == {ZSTD}


def test_podman_unpacks_zstd(tmp_path: Path) -> None:
    layout = tmp_path / "layout"
    entries = [Entry("hello", "file", 0o644, source=b"hello\n" * 1000)]
    layer = write_layer(
        entries, layout, title="hello", contents=[Content("rootfs", "hello", "1")], compression="zstd"
    )
    (layout / "layer-facts.json").unlink()
    write_container_image(layer, platform("linux/amd64"), layout)
    assert check_layout(layout).layers == 1
    with podman_storage() as podman:
        name = podman("pull", "--quiet", f"oci:{layout}:build").strip()
        (image,) = json.loads(podman("image", "inspect", name))
        mounted = Path(podman("image", "mount", name).strip())
        assert (mounted / "hello").read_bytes() == b"hello\n" * 1000
        podman("image", "unmount", name)
    assert image["RootFS"]["Layers"] == [layer["diff_id"]]

import argparse
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from ociwheel.errors import ImageError, UsageError
from ociwheel.formats.times import CONSTANT
from ociwheel.image import archive_step
from ociwheel.image.config import image_config, image_manifest, parse_request
from ociwheel.image.index import image_index, root_index
from ociwheel.image.index import parse_request as parse_index
from ociwheel.image.layout import CONFIG, INDEX, MANIFEST, OCI_LAYOUT, Descriptor, encode, write_blob
from ociwheel.image_name import ImageName
from ociwheel.layer.writer import Content, Entry, write_layer


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    return _layout(tmp_path / "layout", "gzip")


@pytest.fixture
def zstd_layout(tmp_path: Path) -> Path:
    return _layout(tmp_path / "zstd", "zstd")


def _layout(folder: Path, compression: str) -> Path:
    manifests = []
    for platform in ("linux/amd64", "linux/arm/v7"):
        entries = [Entry("hello", "file", 0o644, source=platform.encode())]
        layer = write_layer(
            entries, folder, title="t", contents=[Content("wheel", "demo", "1")], compression=compression
        )
        request = parse_request({"platform": platform, "layers": [layer], "config": {}})
        config = write_blob(folder, image_config(request), CONFIG)
        manifest = write_blob(folder, image_manifest(request, config), MANIFEST)
        described = Descriptor(MANIFEST, manifest.digest, manifest.size, request.platform.oci_dict())
        manifests.append(described.to_json())
    index = parse_index({"manifests": manifests, "name": "1.0"})
    descriptor = write_blob(folder, image_index(index), INDEX)
    (folder / "index.json").write_bytes(encode(root_index([(descriptor, "1.0")])))
    (folder / "oci-layout").write_bytes(OCI_LAYOUT)
    return folder


def _step(layout: Path, *arguments: str, name: str = "image.tar") -> tuple[dict[str, Any], dict[str, bytes]]:
    parser = argparse.ArgumentParser()
    archive_step.configure(parser)
    output = layout.parent / name
    result = archive_step.run(
        parser.parse_args(["--layout", str(layout), "--output", str(output), *arguments])
    )
    data = output.read_bytes()
    assert result == {
        "schema": "ociwheel.archive/1",
        "sha256": hashlib.sha256(data).hexdigest(),
        "size": len(data),
    }
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = archive.getmembers()
        assert [m.name for m in members] == sorted(m.name for m in members)
        assert {(m.mtime, m.uid, m.gid, m.mode) for m in members if m.isfile()} == {(CONSTANT, 0, 0, 0o644)}
        files = {m.name: file.read() for m in members if (file := archive.extractfile(m))}
    return result, files


def test_a_docker_archive_is_a_layout_too(layout: Path) -> None:
    _, files = _step(
        layout, "--format", "docker-archive", "--platform", "linux/arm/v7",
        "--tag", "demo", "--tag", "team/demo:2",
    )  # fmt: skip
    (table,) = json.loads(files["manifest.json"])
    assert table["RepoTags"] == ["demo:latest", "team/demo:2"]
    assert json.loads(files[table["Config"]])["architecture"] == "arm"
    assert all(files[layer].startswith(b"\x1f\x8b") for layer in table["Layers"])
    index = json.loads(files["index.json"])
    assert [m["annotations"] for m in index["manifests"]] == [
        {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": tag}
        for name, tag in (("docker.io/library/demo:latest", "latest"), ("docker.io/team/demo:2", "2"))
    ]
    assert f"blobs/sha256/{index['manifests'][0]['digest'][7:]}" in files
    assert len(files) == 3 + 3  # three documents; manifest, configuration and layer


def test_layers_of_zstd_are_unpacked_for_docker_and_the_image_is_the_same(
    layout: Path, zstd_layout: Path
) -> None:
    chosen = ("--format", "docker-archive", "--platform", "linux/arm/v7", "--tag", "demo")
    _, files = _step(zstd_layout, *chosen)
    (table,) = json.loads(files["manifest.json"])
    (same,) = json.loads(_step(layout, *chosen)[1]["manifest.json"])
    assert table["Config"] == same["Config"]
    (layer,) = table["Layers"]
    config = json.loads(files[table["Config"]])
    assert config["rootfs"]["diff_ids"] == [f"sha256:{layer.rpartition('/')[2]}"]
    with tarfile.open(fileobj=io.BytesIO(files[layer])) as unpacked:
        assert unpacked.getnames() == ["hello"]
    # What reads the archive as a layout finds the same image.
    manifest = json.loads(
        files[f"blobs/sha256/{json.loads(files['index.json'])['manifests'][0]['digest'][7:]}"]
    )
    assert manifest["layers"] == [
        {
            "mediaType": "application/vnd.oci.image.layer.v1.tar",
            "digest": config["rootfs"]["diff_ids"][0],
            "size": len(files[layer]),
        }
    ]


def test_an_oci_archive_keeps_zstd(zstd_layout: Path) -> None:
    _, files = _step(zstd_layout, "--format", "oci-archive")
    assert sum(data.startswith(b"\x28\xb5\x2f\xfd") for data in files.values()) == 2


def test_a_damaged_layer_of_zstd_is_an_error(zstd_layout: Path) -> None:
    for blob in (zstd_layout / "blobs/sha256").iterdir():
        data = blob.read_bytes()
        if data.startswith(b"\x28\xb5\x2f\xfd"):
            blob.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(ImageError, match="is damaged"):
        _step(zstd_layout, "--format", "docker-archive", "--platform", "linux/amd64")


def test_an_oci_archive_holds_the_whole_layout(layout: Path) -> None:
    _, files = _step(layout, "--format", "oci-archive")
    on_disk = {str(p.relative_to(layout)): p.read_bytes() for p in layout.rglob("*") if p.is_file()}
    del on_disk["layer-facts.json"], on_disk["layer-names.json"]
    assert files == on_disk


def test_an_oci_archive_with_a_tag(layout: Path) -> None:
    _, files = _step(layout, "--format", "oci-archive", "--tag", "registry.example:5000/demo:3")
    (root,) = json.loads(files["index.json"])["manifests"]
    assert root["mediaType"] == INDEX
    assert root["annotations"] == {
        "io.containerd.image.name": "registry.example:5000/demo:3",
        "org.opencontainers.image.ref.name": "3",
    }


@pytest.mark.parametrize("kind", ["docker-archive", "oci-archive"])
def test_the_same_layout_gives_the_same_archive(layout: Path, kind: str) -> None:
    more = ["--platform", "linux/amd64"] if kind == "docker-archive" else []
    one, _ = _step(layout, "--format", kind, *more, name="one.tar")
    for path in layout.rglob("*"):
        path.chmod(0o700)
    two, _ = _step(layout, "--format", kind, *more, name="two.tar")
    assert one == two


def test_a_platform_must_be_chosen_and_be_there(layout: Path) -> None:
    with pytest.raises(ImageError) as e:
        _step(layout, "--format", "docker-archive")
    assert str(e.value) == (
        "a docker-archive holds one platform, the layout has 2: linux/amd64, linux/arm/v7\n"
        "  -> choose one with --platform"
    )
    with pytest.raises(ImageError) as e:
        _step(layout, "--format", "docker-archive", "--platform", "linux/arm64")
    assert str(e.value) == "the layout has no linux/arm64, only: linux/amd64, linux/arm/v7"
    with pytest.raises(UsageError) as usage:
        _step(layout, "--format", "oci-archive", "--platform", "linux/amd64")
    assert str(usage.value) == "--platform is for --format docker-archive; an oci-archive holds all platforms"


def _layer_blob(layout: Path) -> Path:
    return next(p for p in (layout / "blobs/sha256").iterdir() if p.read_bytes().startswith(b"\x1f\x8b"))


def test_a_missing_or_damaged_blob(layout: Path) -> None:
    blob = _layer_blob(layout)
    data = blob.read_bytes()
    blob.write_bytes(data[:-1] + b"x")
    with pytest.raises(ImageError) as e:
        _step(layout, "--format", "oci-archive")
    assert str(e.value) == f"{layout}: the blob sha256:{blob.name} is damaged"
    blob.write_bytes(data[:-1])
    with pytest.raises(ImageError) as e:
        _step(layout, "--format", "oci-archive")
    assert str(e.value) == (
        f"{layout}: the blob sha256:{blob.name} has {len(data) - 1} bytes, its descriptor says {len(data)}"
    )
    blob.unlink()
    with pytest.raises(ImageError) as e:
        _step(layout, "--format", "oci-archive")
    assert str(e.value) == f"{layout}: the blob sha256:{blob.name} is missing"
    assert sorted(p.name for p in layout.parent.iterdir()) == ["layout"]


def test_what_is_no_layout(tmp_path: Path) -> None:
    with pytest.raises(ImageError) as e:
        _step(tmp_path / "nothing", "--format", "oci-archive")
    assert str(e.value) == f"{tmp_path}/nothing/index.json: not an OCI layout: No such file or directory"


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("demo", "docker.io/library/demo:latest"),
        ("team/demo:1.2", "docker.io/team/demo:1.2"),
        ("localhost/demo", "localhost/demo:latest"),
        ("localhost:5000/a/b__c/d-e.f:V_1", "localhost:5000/a/b__c/d-e.f:V_1"),
        ("ghcr.example/x:1", "ghcr.example/x:1"),
    ],
)
def test_references(text: str, full: str) -> None:
    assert ImageName.parse_tag(text).full == full


@pytest.mark.parametrize(
    "text", ["", "Demo", "a b", "a:", "a//b", "a:" + "x" * 129, "a@sha256:" + "0" * 64, "-a"]
)
def test_what_is_no_reference(text: str) -> None:
    with pytest.raises(UsageError) as e:
        ImageName.parse_tag(text)
    assert text[:70] in e.value.what
    assert e.value.hint is not None
    assert e.value.hint.startswith("write ")

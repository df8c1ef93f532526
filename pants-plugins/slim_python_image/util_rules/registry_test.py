from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pants.backend.docker.registries import DockerRegistries
from pants.engine.addresses import Address
from pants.engine.fs import EMPTY_DIGEST, Digest, DigestEntries, FileDigest, FileEntry, PathGlobs
from pants.testutil.option_util import create_subsystem
from pants.util.docutil import bin_name
from pants.util.frozendict import FrozenDict

from slim_python_image.bases import DebianBase, RegistryBase
from slim_python_image.products import Artifact, Layer, SlimImageError
from slim_python_image.registry_target import RegistryImageField, RegistryPythonBaseTarget
from slim_python_image.remote_layers import RemoteLayer, RemoteLayers
from slim_python_image.subsystems.options import SlimImageOptions
from slim_python_image.util_rules import registry_blobs
from slim_python_image.util_rules.audit import audited
from slim_python_image.util_rules.base_layers import remote_layers
from slim_python_image.util_rules.base_locks import bases_by_name
from slim_python_image.util_rules.image_definition import DEFAULT_ENVIRONMENT, ImageConfig
from slim_python_image.util_rules.inherited import base_annotations, config_on_base, remote_of
from slim_python_image.util_rules.registry_blobs import (
    BlobOrigins,
    FetchedBlob,
    blob_of_layout,
    unseen,
    write_origins,
)
from slim_python_image.util_rules.registry_locks import (
    LOCK_SCHEMA,
    base_of_lock,
    expand_alias,
    image_names,
    layout_folder,
    parse_registry_lock,
    plain_name,
)
from slim_python_image.util_rules.steps import Toolbox
from slim_python_image.util_rules.wheels import builder_image, gcc_for

ADDRESS = Address("3rdparty/images", target_name="py")
DIGEST = "sha256:" + "ab" * 32
INDEX = "sha256:" + "1d" * 32
REGISTRIES = DockerRegistries.from_dict({"company": {"address": "registry.example.com"}})


def target(**fields: Any) -> RegistryPythonBaseTarget:
    names = {"image": "@company/team/python:3.11-slim", "builder_image": "@company/team/python:3.11"}
    return RegistryPythonBaseTarget({**names, **fields}, ADDRESS)


def lock(libc: str = "glibc", **changes: Any) -> dict[str, Any]:
    layer = {
        "digest": DIGEST,
        "size": 7,
        "mediaType": "m",
        "diff_id": DIGEST,
        "created_by": "ADD",
        "unpacked": 9,
    }
    row = {
        "target": {"platform": "linux/arm/v7", "python": "3.11.9", "libc": libc, "libc_version": "2.36"},
        "found": {
            "interpreter": "/usr/local/bin/python3.11", "stdlib": "/usr/local/lib/python3.11",
            "certificates": "/etc/ssl/cert.pem", "nonroot": False,
        },
        "manifest": {"digest": DIGEST}, "config": {"digest": DIGEST},
        "env": {"PATH": "/usr/local/bin:/usr/bin", "PYTHON_VERSION": "3.11.9"}, "labels": {"maintainer": "them"},
        "layers": [layer], "builder": {"layers": [layer]},
    }  # fmt: skip
    return {
        "schema": LOCK_SCHEMA,
        "inputs": {"image": "team/python:3.11-slim", "builder_image": "team/python:3.11", "platforms": []},
        "image": {"digest": INDEX},
        "platforms": {"linux/arm/v7": row},
        "interpreters": {"linux/amd64": {"layers": [layer]}},
        **changes,
    }


def base(of: dict[str, Any] | None = None, runs: str = "linux/amd64") -> RegistryBase:
    names = image_names(target(), REGISTRIES)
    return base_of_lock(of or lock(), "linux/arm/v7", names, "py", runs)


DEBIAN = DebianBase("bookworm", base().target, base().interpreter, (), ())


def parse(of: RegistryPythonBaseTarget, text: str | None) -> str:
    with pytest.raises(SlimImageError) as e:
        parse_registry_lock(of, None if text is None else text.encode())
    return str(e.value)


def test_aliases_are_those_of_docker_images() -> None:
    assert image_names(target(), REGISTRIES) == {
        "image": "registry.example.com/team/python:3.11-slim",
        "builder_image": "registry.example.com/team/python:3.11",
    }
    assert expand_alias("python:3.11", REGISTRIES, ADDRESS) == "python:3.11"
    with pytest.raises(SlimImageError, match="which has @company"):
        expand_alias("@other/python", REGISTRIES, ADDRESS)


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("python:3.11-slim", "python:3.11-slim"),
        ("team/python", "team/python"),
        ("registry.example.com/team/python:1", "team/python:1"),
        ("localhost/python", "python"),
        ("127.0.0.1:5000/python:1", "python:1"),
        ("@company/python:1", "python:1"),
    ],
)
def test_a_lock_names_no_registry(name: str, plain: str) -> None:
    assert plain_name(name) == plain


def test_a_lock_fits_its_target_wherever_the_registry_is() -> None:
    fits = target(platforms=["linux/arm/v7"])
    moved = target(platforms=["linux/arm/v7"], image="mirror.example.com/team/python:3.11-slim")
    for one in (fits, moved):
        assert parse_registry_lock(one, json.dumps(lock()).encode()) == lock()


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"image": "@company/team/python:3.12-slim"}, "`image`"),
        ({"builder_image": None}, "`builder_image`"),
        ({"platforms": ["linux/arm64"]}, "`platforms`"),
    ],
)
def test_a_lock_older_than_the_fields(fields: dict[str, Any], named: str) -> None:
    message = parse(target(**{"platforms": ["linux/arm/v7"], **fields}), json.dumps(lock()))
    assert message == (
        f"3rdparty/images/py.lock: the lock is older than the fields {named} of {ADDRESS}\n"
        f"  -> write it again: {bin_name()} generate-lockfiles --resolve=py"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "has no lock"),
        ("<<<<<<< HEAD", "a merge conflict?"),
        ("[]", f"expected a {LOCK_SCHEMA} document, found None"),
        ('{"schema":"ociwheel.debian-lock/1"}', "found 'ociwheel.debian-lock/1'"),
    ],
)
def test_locks_that_are_none(text: str | None, expected: str) -> None:
    assert expected in parse(target(), text)


def test_layers_are_known_without_their_bytes() -> None:
    (layer,) = remote_layers(base().image)
    assert (layer.digest, layer.size, layer.unpacked_size, layer.title) == (DIGEST, 7, 9, "ADD")
    assert (layer.blobs, layer.facts) == (EMPTY_DIGEST, EMPTY_DIGEST)
    assert layer.fields()["descriptor"] == {"mediaType": "m", "digest": DIGEST, "size": 7}


def test_a_base_that_moved_to_another_registry_is_asked_for_there() -> None:
    """Pants's daemon would go on to ask the old one if the two were equal."""
    other = base_of_lock(
        lock(), "linux/arm/v7", {"image": "a/b", "builder_image": "c/d"}, "py", "linux/amd64"
    )
    assert other.image != base().image
    assert other.image.layers == base().image.layers


def test_no_step_s_request_names_a_registry() -> None:
    assert base().image.request() == {"layers": [{"digest": DIGEST, "diff_id": DIGEST}]}


def test_python_is_the_image_s_own_where_it_runs_here() -> None:
    python = base().interpreter
    assert python.target.platform == "linux/amd64"
    assert python.source == base().image


def test_steps_are_told_where_python_is_where_they_would_not_look() -> None:
    of = lock()
    of["platforms"]["linux/arm/v7"]["found"]["interpreter"] = "/opt/python/bin/python3.11"
    own = base(of)
    for source in (own.builder, own.interpreter.source):
        assert isinstance(source, RemoteLayers)
        assert source.request() == {**base().image.request(), "python": "/opt/python/bin"}
    # What is not unpacked for its Python is the same everywhere.
    assert own.image == base().image


@pytest.mark.parametrize(("of", "runs"), [(lock(libc="musl"), "linux/amd64"), (lock(), "linux/arm64")])
def test_python_is_the_machine_s_where_the_image_s_does_not_run(of: dict[str, Any], runs: str) -> None:
    assert base(of, runs).interpreter.source is None


def own_layer(elf_files: int, document: str = "{}") -> Layer:
    return Layer(document, DIGEST, 1, 1, elf_files, "own", EMPTY_DIGEST, EMPTY_DIGEST)


def test_nothing_of_the_base_is_audited_where_nothing_can_fail() -> None:
    below = remote_layers(base().image)
    assert audited((*below, own_layer(0))) == ()
    assert audited((*below, own_layer(2), own_layer(0))) == (*below, own_layer(2))
    # Whether it lacks what code opens by name is worth no bytes of the base.
    assert audited((*below, own_layer(0, '{"opens": 1}'))) == ()


def test_code_that_opens_libraries_is_looked_at_without_elf_files() -> None:
    opening = own_layer(0, '{"opens": 1}')
    assert audited((own_layer(2), opening, own_layer(0))) == (own_layer(2), opening)


def test_the_layers_to_fetch_are_those_of_the_base() -> None:
    below = remote_layers(base().image)
    assert remote_of((*below, own_layer(1)), base()) == base().image
    assert remote_of((own_layer(1),), DEBIAN) is None


def test_zstandard_is_in_the_key_of_steps_that_read_it_only(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, more = Toolbox(Digest("1" * 64, 1)), Toolbox(Digest("2" * 64, 1))

    async def zstd_toolbox() -> Toolbox:
        return more

    monkeypatch.setattr(registry_blobs, "zstd_toolbox", zstd_toolbox)
    layers = base().image.layers
    packed = replace(layers[0], media_type="application/vnd.oci.image.layer.v1.tar+zstd")
    assert asyncio.run(registry_blobs.reading(layers, plain)) == plain
    assert asyncio.run(registry_blobs.reading((*layers, packed), plain)) == more


CONFIG = ImageConfig(
    entrypoint=("/app/bin/x",), cmd=(), env=DEFAULT_ENVIRONMENT, user="nonroot", workdir="/app", ports=(),
    volumes=(), labels=FrozenDict({"a": "b"}), stop_signal=None,
)  # fmt: skip


def configured(config: ImageConfig = CONFIG, on: RegistryBase | None = None) -> ImageConfig:
    return config_on_base(config, on or base(), "/app", DEFAULT_ENVIRONMENT)


def test_variables_and_labels_are_inherited() -> None:
    found = configured()
    assert dict(found.env) == {
        "LANG": "C.UTF-8",
        "PATH": "/app/bin:/usr/local/bin:/usr/bin",
        "PYTHON_VERSION": "3.11.9",
        "SSL_CERT_FILE": "/etc/ssl/cert.pem",
    }
    assert dict(found.labels) == {"maintainer": "them", "a": "b"}
    name, digest = (f"org.opencontainers.image.base.{part}" for part in ("name", "digest"))
    assert base_annotations(base()) == {name: "team/python:3.11-slim", digest: DIGEST}
    assert base_annotations(base(), index=True) == {name: "team/python:3.11-slim", digest: INDEX}
    assert config_on_base(CONFIG, DEBIAN, "/app", DEFAULT_ENVIRONMENT) == CONFIG
    assert base_annotations(DEBIAN) == {}


def test_what_the_target_says_wins() -> None:
    own = FrozenDict({**DEFAULT_ENVIRONMENT, "PATH": "/mine", "PYTHON_VERSION": "x"})
    found = configured(replace(CONFIG, env=own))
    assert (found.env["PATH"], found.env["PYTHON_VERSION"]) == ("/mine", "x")


def test_no_bundle_is_named_that_is_not_there() -> None:
    assert "SSL_CERT_FILE" not in configured(on=replace(base(), certificates=None)).env


def test_a_user_that_the_base_has_not_is_a_number() -> None:
    assert configured().user == "65532:65532"
    assert configured(on=replace(base(), nonroot=True)).user == "nonroot"
    assert configured(replace(CONFIG, user="www-data")).user == "www-data"


def test_places_of_blobs_are_remembered_newest_first(tmp_path: Path) -> None:
    for image_name in ("a/x", "b/x", "a/x"):
        write_origins(tmp_path / "names", BlobOrigins((DIGEST,), image_name))
    assert json.loads((tmp_path / "names" / ("ab" * 32)).read_text()) == ["a/x", "b/x"]
    (tmp_path / "names" / ("ab" * 32)).write_text("{")
    write_origins(tmp_path / "names", BlobOrigins((DIGEST,), "c/x"))
    assert json.loads((tmp_path / "names" / ("ab" * 32)).read_text()) == ["c/x"]


def test_two_bases_of_one_name() -> None:
    other = RegistryPythonBaseTarget({"image": "python"}, Address("other", target_name="py"))
    with pytest.raises(SlimImageError, match="are bases of one name"):
        bases_by_name([target(), other], RegistryImageField)


def test_a_base_without_a_builder_compiles_nothing() -> None:
    sdist = Artifact("pyyaml", "6.0", "sdist", "pyyaml-6.0.tar.gz", "0" * 64)
    options = create_subsystem(SlimImageOptions, builds={})
    with pytest.raises(SlimImageError, match="name one in its field `builder_image`"):
        builder_image(replace(base(), builder=None), sdist, options)
    assert builder_image(base(), sdist, options) == base().builder
    options = create_subsystem(SlimImageOptions, builds={"pyyaml": {"builder_packages": ["libyaml-dev"]}})
    with pytest.raises(SlimImageError, match="is an image of a registry\n  -> name an image that has the"):
        builder_image(base(), sdist, options)


def test_gcc_on_a_base_of_a_registry_ends_with_what_is_left_to_do() -> None:
    options = create_subsystem(SlimImageOptions, builds={"pyyaml": {"compiler": "gcc"}})
    with pytest.raises(SlimImageError) as e:
        gcc_for(base(), "pyyaml", options)
    of_debian = str(e.value)
    assert of_debian == (
        "[slim-image].builds: the `compiler` of pyyaml is gcc, which is Debian's and comes with a `debian_python_base`; "
        "the base py is an image of a registry\n"
        "  -> take `compiler` out and let clang compile it, use a `debian_python_base`, or a version of pyyaml that has "
        "a wheel for linux/arm/v7"
    )
    musl = replace(base().target, libc="musl", libc_version="1.2")
    with pytest.raises(SlimImageError) as e:
        gcc_for(replace(base(), target=musl), "pyyaml", options)
    assert str(e.value) == of_debian.replace(
        "a registry\n", "a registry; Alpine's gcc runs on musl, and compiles for its own machine alone\n"
    )


# --- layouts of the repository ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "folder"),
    [
        ("python:3.11-slim", None),
        ("registry.example.com/oci:1", None),
        ("oci:images/python", "images/python"),
        ("oci:images/python/:3.11", "images/python"),
        ("oci:images/python:3.11", "images/python"),
    ],
)
def test_the_folder_of_a_layout(image: str, folder: str | None) -> None:
    assert layout_folder(image) == folder


def test_a_lock_keeps_the_name_of_a_layout() -> None:
    assert plain_name("oci:images/python:3.11") == "oci:images/python:3.11"


@pytest.mark.parametrize(
    "image", ["oci:", "oci:/srv/python", "oci:../python", "oci:a/./b", "oci:a//b", "oci:a/*"]
)
def test_a_layout_is_a_folder_of_the_repository(image: str) -> None:
    with pytest.raises(SlimImageError, match="a layout is a folder of the repository"):
        image_names(target(image=image), REGISTRIES)


def test_a_layout_is_no_reference_for_the_annotation_of_the_base() -> None:
    assert "org.opencontainers.image.base.name" in base_annotations(base())
    of_layout = replace(base(), name="oci:images/python:3.11")
    assert base_annotations(of_layout) == {"org.opencontainers.image.base.digest": DIGEST}


BLOB = RemoteLayer(DIGEST, 7, "m", DIGEST, "", 9)
PATH = f"images/python/blobs/sha256/{'ab' * 32}"


def blob_of(found: FileDigest | None) -> FetchedBlob:
    """Ask for a blob of a layout in which the file has a digest, or is not there."""
    coroutine = blob_of_layout("images/python", BLOB)
    value: Any = None
    while True:
        try:
            get = coroutine.send(value)
        except StopIteration as done:
            blob: FetchedBlob = done.value
            return blob
        if isinstance(get.inputs[0], PathGlobs):
            assert get.inputs[0].globs == (PATH,)
        entries = [] if found is None else [FileEntry(PATH, found)]
        value = DigestEntries(entries) if get.output_type is DigestEntries else Digest("cd" * 32, 1)


def test_a_blob_of_a_layout_has_the_digest_and_size_of_the_lock() -> None:
    assert blob_of(FileDigest("ab" * 32, 7)) == FetchedBlob(Digest("cd" * 32, 1))
    for other in (FileDigest("ab" * 32, 6), FileDigest("ef" * 32, 7)):
        failed = blob_of(other).failed
        assert failed is not None
        error = str(failed.error)
        assert error.startswith(f"{PATH}: the blob is damaged: {other.serialized_bytes_length} bytes of ")
        assert f"lock it as it is now: {bin_name()} generate-lockfiles" in error


def test_a_blob_that_pants_does_not_see(tmp_path: Path) -> None:
    root, blobs = tmp_path / "repository", tmp_path / "repository/layout/blobs/sha256"
    blobs.mkdir(parents=True)
    (tmp_path / "outside").write_text("x")
    (blobs / "ignored").write_text("x")
    (blobs / "link").symlink_to(tmp_path / "outside")
    said = {
        name: str(unseen(f"layout/blobs/sha256/{name}", root).error)
        for name in ("ignored", "link", "missing")
    }
    assert "Pants ignores this blob\n  -> see .gitignore" in said["ignored"]
    assert "is a link that leads out of the repository\n  -> copy the file" in said["link"]
    assert "the layout lacks this blob" in said["missing"]

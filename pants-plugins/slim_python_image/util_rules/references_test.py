from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Optional

import pytest
from pants.backend.docker.goals.package_image import DockerPackageFieldSet
from pants.backend.docker.registries import DockerRegistries
from pants.engine.addresses import Address
from pants.engine.target import StringField

from slim_python_image.goals.publish_image import (
    PublishImageFieldSet,
    check_clash,
    would_send,
)
from slim_python_image.goals.publish_run import origins
from slim_python_image.products import SlimImageError
from slim_python_image.remote_layers import RemoteLayer, RemoteLayers
from slim_python_image.target_types import SlimPythonImageTarget
from slim_python_image.util_rules import references
from slim_python_image.util_rules.references import Destination, ImageNames, destinations

DIGEST = "sha256:" + "a" * 64
REGISTRIES = {
    "company": {
        "address": "registry.example.com",
        "default": True,
        "extra_image_tags": ["edge"],
        "repository": "services/{target_repository}",
    },
    "lab": {"address": "lab.example.com:5000", "skip_push": True},
    "here": {"address": "here.example.com", "use_local_alias": True},
}


class Docker:
    """The options that decide names."""

    default_repository = "{name}"

    def registries(self) -> DockerRegistries:
        return DockerRegistries.from_dict(REGISTRIES)


def names(name: str = "image", **fields: Any) -> ImageNames:
    address = Address("src/brewblox/spark", target_name=name)
    target = SlimPythonImageTarget({"base": "//3rdparty:bookworm-py311", **fields}, address)
    return PublishImageFieldSet.create(target).names()


def found(**fields: Any) -> tuple[Destination, ...]:
    return destinations(names(**fields), DIGEST, Docker())  # type: ignore[arg-type]


def test_the_default_registries_with_their_repository_and_tags() -> None:
    (destination,) = found(repository="{directory}", image_tags=["1.0", "{tags.baseimage}"])
    assert destination == Destination(
        (
            "registry.example.com/services/spark:1.0",
            "registry.example.com/services/spark:bookworm-py311",
            "registry.example.com/services/spark:edge",
        )
    )
    assert destination.repository == "registry.example.com/services/spark"


@pytest.mark.parametrize(
    ("registries", "expected"),
    [
        (["other.example.com:8443"], [Destination(("other.example.com:8443/image:latest",))]),
        (
            ["@lab"],
            [Destination(("lab.example.com:5000/image:latest",), "(by `skip_push` on registry @lab)")],
        ),
        (
            ["@here"],
            [
                Destination(("here.example.com/image:latest",)),
                Destination(("here/image:latest",), "(by `use_local_alias` on registry @here)"),
            ],
        ),
        ([], [Destination(("image:latest",))]),
    ],
)
def test_registries_as_docker_image_has_them(registries: list[str], expected: list[Destination]) -> None:
    assert list(found(registries=registries)) == expected


def test_a_tag_per_content() -> None:
    (destination,) = found(registries=["r.example.com"], image_tags=["{pants.hash}"])
    assert destination.references == ("r.example.com/image:" + "a" * 64,)


def test_an_unknown_placeholder_names_the_field_and_the_target() -> None:
    with pytest.raises(SlimImageError) as caught:
        found(image_tags=["{build_args.VERSION}"])
    text = str(caught.value)
    assert "`image_tags` field of the `slim_python_image` target at src/brewblox/spark:image" in text
    assert "docker_image" not in text


def test_no_tags() -> None:
    with pytest.raises(SlimImageError, match="the field `image_tags` is empty"):
        found(registries=["r.example.com"], image_tags=[])


def test_two_images_of_one_name_are_an_error() -> None:
    one, other = names("one", repository="x"), names("other", repository="x")
    pairs = [(one, (Destination(("x:1", "x:2")),)), (other, (Destination(("x:2",)),))]
    with pytest.raises(SlimImageError, match=r"spark:one and .*spark:other would both be published as x:2"):
        check_clash(pairs)
    check_clash([pairs[0], (other, (Destination(("x:2",), "(by `skip_push`)"),))])


@pytest.mark.parametrize(
    ("base", "published", "repository"),
    [
        ("python:3.11-slim", "team/app:1", "docker.io/library/python"),
        ("python:3.11-slim", "docker.io/team/app:1", "docker.io/library/python"),
        ("r.example.com/python:3.11", "r.example.com/team/app:1", "r.example.com/python"),
        ("python:3.11-slim", "r.example.com/team/app:1", None),
        ("oci:python:3.11", "team/app:1", None),
        ("oci:images/python", "team/app:1", None),
    ],
)
def test_a_base_of_the_same_registry_is_where_blobs_are_mounted_from(
    base: str, published: str, repository: Optional[str]
) -> None:
    layers = RemoteLayers((RemoteLayer(DIGEST, 1, "m", DIGEST, "", 1),), base, "py")
    image: Any = SimpleNamespace(remote=(layers,))
    assert origins(image, Destination((published,))) == ({DIGEST: [repository]} if repository else {})


def test_a_dry_run_in_words() -> None:
    document = {"sent": [1, 2], "manifests": [1], "sent_bytes": 7, "mounted": [], "tags": []}
    assert would_send(document) == (
        "(dry run: would send 2 blobs and 1 manifests, 7 bytes, mount 0 blobs; tags to move: none)"
    )


class ALaterField(StringField):
    alias = "later"
    default = "as before"


@dataclass(frozen=True)
class LaterDockerPackageFieldSet(DockerPackageFieldSet):
    """As of a version of Pants that knows more of a `docker_image`."""

    later: ALaterField


def test_fields_that_a_later_pants_has_more_have_their_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    before = found(image_tags=["1.0"])
    monkeypatch.setattr(references, "DockerPackageFieldSet", LaterDockerPackageFieldSet)
    assert found(image_tags=["1.0"]) == before
    later: Any = references._field_set(names())
    assert later.later.value == "as before"

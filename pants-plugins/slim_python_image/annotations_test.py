from __future__ import annotations

import pytest
from pants.engine.addresses import Address
from pants.engine.target import InvalidFieldException

from slim_python_image.annotations import AnnotationsField, fault

IMAGE = "org.opencontainers.image."


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (f"{IMAGE}version", "1.0"),
        (f"{IMAGE}created", "2026-01-31T12:00:00Z"),
        (f"{IMAGE}created", "2026-01-31T12:00:00.5+01:00"),
        ("com.example.team", ""),
        ("team", "x"),
        ("org.opencontainersx", "x"),
    ],
)
def test_what_the_specification_allows(key: str, value: str) -> None:
    assert fault(key, value) is None


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("", "x", "empty key"),
        (f"{IMAGE}base.name", "python", "which the base decides"),
        (f"{IMAGE}base.digest", "sha256:0", "which the base decides"),
        (f"{IMAGE}ref.name", "latest", "of the reserved keys"),
        (f"{IMAGE}lisences", "MIT", "licenses"),
        ("org.opencontainers.team", "x", "of the reserved keys"),
        (f"{IMAGE}created", "yesterday", "RFC 3339"),
        (f"{IMAGE}created", "2026-13-31T12:00:00Z", "RFC 3339"),
    ],
)
def test_what_it_does_not(key: str, value: str, said: str) -> None:
    found = fault(key, value)
    assert found is not None
    assert said in found
    with pytest.raises(InvalidFieldException, match="src/app:image: the field `annotations`"):
        AnnotationsField({key: value}, Address("src/app", target_name="image"))

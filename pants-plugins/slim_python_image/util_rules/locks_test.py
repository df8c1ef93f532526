from __future__ import annotations

import pytest

from slim_python_image.products import SlimImageError
from slim_python_image.util_rules.locks import normalized, requirement_name
from slim_python_image.util_rules.plans import reachable


@pytest.mark.parametrize(
    ("requirement", "name"),
    [
        ("fastapi>=0.1", "fastapi"),
        ("uvicorn[standard]", "uvicorn"),
        (" Flask_SQLAlchemy ; python_version < '3.12'", "flask-sqlalchemy"),
        ("zope.interface", "zope-interface"),
        ("pip @ https://example.com/pip.whl", "pip"),
    ],
)
def test_requirement_name(requirement: str, name: str) -> None:
    assert requirement_name(requirement) == name


def test_a_requirement_without_a_name() -> None:
    with pytest.raises(SlimImageError) as e:
        requirement_name("./local.whl")
    assert str(e.value) == "cannot read the requirement './local.whl'"


def test_normalized() -> None:
    assert normalized("Ruamel._-Yaml") == "ruamel-yaml"


def test_reachable_follows_cycles_and_leaves_the_rest() -> None:
    requires = {
        "a": frozenset({"b"}),
        "b": frozenset({"a", "c"}),
        "d": frozenset({"c"}),
    }
    assert reachable(["a"], requires) == {"a", "b", "c"}
    assert reachable([], requires) == frozenset()

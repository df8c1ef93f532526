from __future__ import annotations

from typing import Any

import pytest
from pants.engine.addresses import Address

from slim_python_image.bases import DebianBase, Interpreter
from slim_python_image.products import SlimImageError, TargetEnvironment
from slim_python_image.util_rules import declared_python
from slim_python_image.util_rules.declared_python import DeclaredPython, allows, check_declared

TARGET = TargetEnvironment("linux/amd64", "3.11.2", "glibc", "2.36")
BASE = DebianBase("base", TARGET, Interpreter("base", TARGET, None), (), ())


@pytest.mark.parametrize(
    ("alternatives", "allowed"),
    [
        (("CPython==3.11.*",), True),
        (("CPython>=3.12",), False),
        (("CPython>=3.9,<3.11", "CPython>=3.12"), False),
        (("CPython==3.9.*", ">=3.11"), True),
        ((), True),
        (("nonsense",), True),
        (("PyPy>=3.9",), False),
        (("CPython[free-threaded]>=3.11",), False),
        (("CPython+t==3.11.*",), False),
        (("CPython[gil]==3.11.*",), True),
        (("CPython-t>=3.12",), False),
        (("CPython+t==3.14.*", "CPython==3.11.*"), True),
    ],
)
def test_constraints(alternatives: tuple[str, ...], allowed: bool) -> None:
    assert allows(alternatives, "3.11.2") == allowed


def test_code_for_another_python() -> None:
    code = tuple(Address("src", target_name=f"lib{n}") for n in range(6))
    fine = DeclaredPython(("CPython>=3.9",), code)
    check_declared([fine], BASE, Address("src", target_name="image"), Address("base"))
    with pytest.raises(SlimImageError) as e:
        check_declared(
            [fine, DeclaredPython(("CPython>=3.12",), code)],
            BASE,
            Address("src", target_name="image"),
            Address("base"),
        )
    assert str(e.value) == (
        "src:image: the base base:base has Python 3.11.2, which the interpreter constraints of its code exclude\n"
        "  CPython>=3.12: src:lib0, src:lib1, src:lib2, src:lib3, src:lib4 and 1 more\n"
        "  -> name a base with that Python, or correct `interpreter_constraints`"
    )


def test_code_for_a_python_without_its_lock() -> None:
    code = DeclaredPython(("CPython+t==3.14.*",), (Address("src", target_name="lib"),))
    with pytest.raises(SlimImageError) as e:
        check_declared([code], BASE, Address("src", target_name="image"), Address("base"))
    assert str(e.value) == (
        "src:image: the base base:base has Python 3.11.2, which the interpreter constraints of its code exclude\n"
        "  CPython+t==3.14.*: src:lib\n"
        "  (no base has a free-threaded Python)\n"
        "  -> name a base with that Python, or correct `interpreter_constraints`"
    )


class Field:
    """An interpreter constraints field, as each version of Pants has it."""

    def __init__(self, name: str) -> None:
        setattr(self, name, lambda *given: ("CPython==3.11.*", *map(str, given[1:])))


class Code:
    """A target with that field, of a resolve."""

    def __init__(self, name: str) -> None:
        self.field = Field(name)

    def __getitem__(self, _: object) -> Field:
        return self.field

    def has_field(self, _: object) -> bool:
        return True

    def get(self, _: object) -> str:
        return "of the resolve"


@pytest.mark.parametrize(
    ("later", "name", "found"),
    [
        (False, "value_or_global_default", ("CPython==3.11.*",)),
        (True, "value_or_configured_default", ("CPython==3.11.*", "of the resolve")),
    ],
)
def test_constraints_are_asked_for_as_the_version_of_pants_has_them(
    later: bool, name: str, found: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(declared_python, "CONSTRAINTS_OF_RESOLVES", later)
    target: Any = Code(name)
    setup: Any = None
    assert declared_python.constraints_of(target, setup) == found

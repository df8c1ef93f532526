from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from pants.engine.addresses import Address
from pants.util.docutil import bin_name

from slim_python_image.bases import DebianBase, Interpreter
from slim_python_image.products import SlimImageError, TargetEnvironment
from slim_python_image.util_rules import declared_python
from slim_python_image.util_rules.declared_python import (
    DeclaredPython,
    allows,
    check_declared,
    check_lock,
    declared_of_resolve,
)

TARGET = TargetEnvironment("linux/amd64", "3.11.2", "glibc", "2.36")
OPTION = "[python].resolves_to_interpreter_constraints of main"
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
    code = tuple(f"src:lib{n}" for n in range(6))
    fine = DeclaredPython(("CPython>=3.9",), code)
    check_declared([fine], (BASE,), Address("src", target_name="image"), Address("base"))
    with pytest.raises(SlimImageError) as e:
        check_declared(
            [fine, DeclaredPython(("CPython>=3.12",), code)],
            (BASE,),
            Address("src", target_name="image"),
            Address("base"),
        )
    assert str(e.value) == (
        "src:image: the base base:base has Python 3.11.2, which the interpreter constraints exclude\n"
        "  CPython>=3.12: src:lib0, src:lib1, src:lib2, src:lib3, src:lib4 and 1 more\n"
        "  -> name a base with that Python, or correct `interpreter_constraints`"
    )


def test_code_for_a_python_without_its_lock() -> None:
    code = DeclaredPython(("CPython+t==3.14.*",), ("src:lib",))
    with pytest.raises(SlimImageError) as e:
        check_declared([code], (BASE,), Address("src", target_name="image"), Address("base"))
    assert str(e.value) == (
        "src:image: the base base:base has Python 3.11.2, which the interpreter constraints exclude\n"
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


class Setup:
    """`[python]` with some options."""

    def __init__(self, **options: object) -> None:
        self.options = SimpleNamespace(**options)


@pytest.mark.parametrize(
    ("own", "code", "found"),
    [
        ({"main": [">=3.12"]}, True, DeclaredPython((">=3.12",), (OPTION,))),
        ({"main": [">=3.12"]}, False, DeclaredPython((">=3.12",), (OPTION,))),
        ({"other": [">=3.12"]}, False, DeclaredPython(("==3.9.*",), ("[python].interpreter_constraints",))),
        (None, True, None),
    ],
)
def test_constraints_of_a_resolve(own: Any, code: bool, found: DeclaredPython | None) -> None:
    setup: Any = Setup(resolves_to_interpreter_constraints=own, interpreter_constraints=["==3.9.*"])
    assert declared_of_resolve("main", setup, code=code) == found


def test_a_lock_for_another_python() -> None:
    check_lock("a.lock", ((">=3.11",), ("CPython==3.9.*", "CPython==3.11.*")), TARGET)
    with pytest.raises(SlimImageError) as e:
        check_lock("a.lock", ((">=3.11",), ("CPython==3.9.*", "CPython>=3.12"), ("<3.10",)), TARGET)
    assert str(e.value) == (
        "a.lock: was locked for Python CPython==3.9.* or CPython>=3.12 and <3.10, and the base has Python 3.11.2\n"
        "  -> name a base with that Python, or lock again for this one: change `interpreter_constraints` "
        f"(`requires-python` where uv locks), then {bin_name()} generate-lockfiles"
    )

from __future__ import annotations

import pytest
from pants.engine.addresses import Address

from slim_python_image.products import Base, Interpreter, SlimImageError, TargetEnvironment
from slim_python_image.util_rules.declared_python import DeclaredPython, allows, check_declared

TARGET = TargetEnvironment("linux/amd64", "3.11.2", "glibc", "2.36")
BASE = Base("base", TARGET, (), (), Interpreter("base", TARGET, ()))


@pytest.mark.parametrize(
    ("alternatives", "allowed"),
    [
        (("CPython==3.11.*",), True),
        (("CPython>=3.12",), False),
        (("CPython>=3.9,<3.11", "CPython>=3.12"), False),
        (("CPython==3.9.*", ">=3.11"), True),
        ((), True),
        (("PyPy nonsense",), True),
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

"""Which Python first-party code is for, by its own word, and which one a base has."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Iterable

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from pants.backend.python.subsystems.setup import PythonSetup
from pants.backend.python.target_types import InterpreterConstraintsField, PythonResolveField
from pants.engine.addresses import Address
from pants.engine.target import Target

from slim_python_image.bases import Base
from slim_python_image.products import SlimImageError
from slim_python_image.versions import CONSTRAINTS_OF_RESOLVES

_SHOWN = 5


@dataclass(frozen=True)
class DeclaredPython:
    """The constraints of some targets: one of the alternatives must hold.

    :param addresses: of the targets, without those of single files.
    """

    alternatives: tuple[str, ...]
    addresses: tuple[Address, ...]


def constraints_of(target: Target, python_setup: PythonSetup) -> tuple[str, ...]:
    """Return the interpreter constraints of a target, or those that are configured where it has none."""
    field: InterpreterConstraintsField = target[InterpreterConstraintsField]
    if CONSTRAINTS_OF_RESOLVES:
        resolve = target.get(PythonResolveField) if target.has_field(PythonResolveField) else None
        later = field.value_or_configured_default  # type: ignore[attr-defined] # 2.17 is checked
        found = later(python_setup, resolve)
    else:
        found = field.value_or_global_default(python_setup)
    return tuple(found)


def declared(targets: Iterable[Target], python_setup: PythonSetup) -> tuple[DeclaredPython, ...]:
    """Return the constraints among ``targets``."""
    found: dict[tuple[str, ...], dict[Address, None]] = {}
    for target in targets:
        if target.has_field(InterpreterConstraintsField):
            owner = target.address.maybe_convert_to_target_generator()
            found.setdefault(constraints_of(target, python_setup), {})[owner] = None
    return tuple(DeclaredPython(key, tuple(sorted(found[key]))) for key in sorted(found))


# Of Pex: `CPython[free-threaded]` and `CPython+t`, `CPython[gil]` and `CPython-t`.
_CONSTRAINT = re.compile(r"\s*(?:(cpython|pypy)\s*(\[free-threaded\]|\+t|\[gil\]|-t)?)?\s*(.*)", re.DOTALL)
_FREE_THREADED = ("[free-threaded]", "+t")


def _allows(text: str, version: str) -> bool:
    constraint = _CONSTRAINT.fullmatch(text.lower())
    assert constraint is not None, "every part of it is optional"
    implementation, build, specifier = constraint.groups()
    if implementation == "pypy" or build in _FREE_THREADED:
        # Bases have CPython as Debian and the official images build it: with its lock.
        return False
    try:
        return version in SpecifierSet(specifier.strip(), prereleases=True)
    except InvalidSpecifier:
        return True


def allows(alternatives: Iterable[str], version: str) -> bool:
    """Tell whether constraints such as ``CPython>=3.9,<3.13`` allow a base's Python of a version.

    What is no constraint allows any. No base has a Python without its lock (``CPython[free-threaded]``,
    ``CPython+t``).
    """
    stated = tuple(alternatives)
    return not stated or any(_allows(text, version) for text in stated)


def check_declared(
    declared: Iterable[DeclaredPython], base: Base, origin: Address, base_address: Address
) -> None:
    """Check that first-party code is for the base's Python.

    :raises SlimImageError: naming the code that is not.
    """
    wrong = [one for one in declared if not allows(one.alternatives, base.target.python)]
    if not wrong:
        return
    lines = []
    for one in wrong:
        names = ", ".join(map(str, one.addresses[:_SHOWN]))
        more = f" and {len(one.addresses) - _SHOWN} more" if len(one.addresses) > _SHOWN else ""
        lines.append(f"  {' or '.join(one.alternatives)}: {names}{more}")
    listed = "\n".join(lines)
    if any(mark in text.lower() for one in wrong for text in one.alternatives for mark in _FREE_THREADED):
        listed += "\n  (no base has a free-threaded Python)"
    raise SlimImageError(
        f"{origin}: the base {base_address} has Python {base.target.python}, which the interpreter "
        f"constraints of its code exclude\n{listed}\n"
        "  -> name a base with that Python, or correct `interpreter_constraints`"
    )

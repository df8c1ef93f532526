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
from pants.util.docutil import bin_name

from slim_python_image.bases import Base
from slim_python_image.products import SlimImageError, TargetEnvironment
from slim_python_image.versions import CONSTRAINTS_OF_RESOLVES

_SHOWN = 5


@dataclass(frozen=True)
class DeclaredPython:
    """The constraints of code or of a resolve: one of the alternatives must hold.

    :param owners: who says so: addresses of targets, without those of single files, or an option.
    """

    alternatives: tuple[str, ...]
    owners: tuple[str, ...]


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


def declared_of_resolve(resolve: str, python_setup: PythonSetup, *, code: bool) -> DeclaredPython | None:
    """Return the constraints that a resolve is locked for, by the options of `[python]`.

    :param code: there is code, whose constraints fall back on the same option.
    """
    own = python_setup.options.resolves_to_interpreter_constraints or {}
    if own.get(resolve):
        owner = f"[python].resolves_to_interpreter_constraints of {resolve}"
        return DeclaredPython(tuple(own[resolve]), (owner,))
    everywhere = tuple(python_setup.options.interpreter_constraints or ())
    return (
        DeclaredPython(everywhere, ("[python].interpreter_constraints",)) if everywhere and not code else None
    )


def declared(
    targets: Iterable[Target], resolve: str, python_setup: PythonSetup
) -> tuple[DeclaredPython, ...]:
    """Return the constraints among ``targets``, and those of the resolve of their requirements."""
    found: dict[tuple[str, ...], dict[Address, None]] = {}
    for target in targets:
        if target.has_field(InterpreterConstraintsField):
            owner = target.address.maybe_convert_to_target_generator()
            found.setdefault(constraints_of(target, python_setup), {})[owner] = None
    code = tuple(DeclaredPython(key, tuple(map(str, sorted(found[key])))) for key in sorted(found))
    locked = declared_of_resolve(resolve, python_setup, code=bool(code))
    return (*code, locked) if locked else code


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
    declared: Iterable[DeclaredPython], bases: Iterable[Base], origin: Address, base_address: Address
) -> None:
    """Check that first-party code and its resolve are for the base's Python.

    :raises SlimImageError: naming what is not.
    """
    pythons = sorted({base.target.python for base in bases})
    wrong = [one for one in declared if not all(allows(one.alternatives, python) for python in pythons)]
    if not wrong:
        return
    lines = []
    for one in wrong:
        names = ", ".join(one.owners[:_SHOWN])
        more = f" and {len(one.owners) - _SHOWN} more" if len(one.owners) > _SHOWN else ""
        lines.append(f"  {' or '.join(one.alternatives)}: {names}{more}")
    listed = "\n".join(lines)
    if any(mark in text.lower() for one in wrong for text in one.alternatives for mark in _FREE_THREADED):
        listed += "\n  (no base has a free-threaded Python)"
    raise SlimImageError(
        f"{origin}: the base {base_address} has Python {', '.join(pythons)}, which the interpreter "
        f"constraints exclude\n{listed}\n"
        "  -> name a base with that Python, or correct `interpreter_constraints`"
    )


def check_lock(lockfile: str, stated: Iterable[tuple[str, ...]], target: TargetEnvironment) -> None:
    """Check that a lock was made for the base's Python.

    :param stated: what the lock says of its Python, each as alternatives.
    :raises SlimImageError: it says that it was not.
    """
    wrong = [one for one in stated if not allows(one, target.python)]
    if wrong:
        listed = " and ".join(" or ".join(one) for one in wrong)
        raise SlimImageError(
            f"{lockfile}: was locked for Python {listed}, and the base has Python {target.python}\n"
            "  -> name a base with that Python, or lock again for this one: change `interpreter_constraints` "
            f"(`requires-python` where uv locks), then {bin_name()} generate-lockfiles"
        )

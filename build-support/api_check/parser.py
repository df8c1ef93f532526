"""Pants's own rule parser over every rule of the backend: is each rule that is awaited registered?"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api_check.checkout import Checkout
from api_check.compare import Finding
from api_check.facts import signature_text
from api_check.inspected import BACKENDS, dotted
from api_check.model import Parameter, Place


@dataclass(frozen=True)
class Parsed:
    """What the parser made of the backend.

    :param rules: how many rules are ours.
    :param awaitables: how many calls of rules they hold.
    :param findings: one for each rule that is called, ours and Pants's.
    """

    rules: int
    awaitables: int
    findings: tuple[Finding, ...]


def _engine_rules() -> Iterator[Any]:
    """Yield the rules that Pants registers whatever is enabled, of the modules that are imported."""
    for name, module in list(sys.modules.items()):
        rules = getattr(module, "rules", None)
        if (
            not name.startswith("pants.engine.")
            or not inspect.isfunction(rules)
            or inspect.signature(rules).parameters
        ):
            continue
        yield from rules()


def _made(rules: Iterable[Any]) -> list[Any]:
    """Return rules without those that the native extension makes: its stand-in has ``None`` for them."""
    return [one for one in rules if one is not None]


def _is_in(package: str, function: Any) -> bool:
    """Tell whether a rule is a function of the package; those that construct subsystems are Pants's own."""
    return inspect.isfunction(function) and function.__module__.startswith(f"{package}.")


def _parameters(rule: Any) -> tuple[Parameter, ...]:
    return tuple(Parameter(name, type=dotted(its)) for name, its in rule.parameters.items())


def _faults(rule: Any, awaitable: Any, known: dict[str, Any], place: Place) -> Iterator[str]:
    called = known.get(awaitable.rule_id)
    where = f"{place}: {rule.func.__name__}"
    if awaitable.rule_id is None:
        yield f"{where} asks by type, which later versions of Pants do not have"
    elif called is None:
        yield f"{where} awaits a rule that neither Pants nor the backend registers"
    elif awaitable.explicit_args_arity > len(called.parameters):
        takes = len(called.parameters)
        yield f"{where} gives {awaitable.explicit_args_arity} arguments, and it takes {takes}"


def _of_rules(ours: list[Any], known: dict[str, Any], folder: Path) -> Iterator[Finding]:
    places: dict[str, set[Place]] = {}
    faults: dict[str, dict[str, None]] = {}
    for rule in ours:
        path = Path(inspect.getfile(rule.func)).resolve().relative_to(folder)
        place = Place(path.as_posix(), rule.func.__code__.co_firstlineno)
        for awaitable in rule.awaitables:
            name = awaitable.rule_id or repr(awaitable)
            places.setdefault(name, set()).add(place)
            faults.setdefault(name, {}).update(dict.fromkeys(_faults(rule, awaitable, known, place)))
    for name, found in sorted(places.items()):
        there = (
            f"({', '.join(signature_text(_parameters(known[name])))})" if name in known else "no such rule"
        )
        yield Finding("awaitable", name, tuple(sorted(found)), there, tuple(faults[name]))


def parsed(checkout: Checkout, folder: Path, package: str) -> Parsed:
    """Return what Pants's rule parser finds in the backend.

    :param folder: the package's parent.
    :raises CheckoutError: Pants cannot be imported here.
    """
    sys.path.insert(1, str(folder))
    try:
        ours = _made(importlib.import_module(f"{package}.register").rules())
    except Exception as e:  # noqa: BLE001  # whatever the backend's import or Pants's parser ends with is the finding
        fault = f"{type(e).__name__}: {' '.join(str(e).split())}"
        return Parsed(0, 0, (Finding("backend", f"{package}.register", (), "does not load", (fault,)),))
    rule_index = sys.modules["pants.engine.rules"].RuleIndex
    pants: list[Any] = []
    for name in BACKENDS:
        module = checkout.import_module(name)
        pants += [] if module is None else _made(module.rules())
    rules = [one for one in rule_index.create(ours).rules if _is_in(package, one.func)]
    registered = rule_index.create([*pants, *_made(_engine_rules()), *ours]).rules
    known = {rule.canonical_name: rule for rule in registered}
    count = sum(len(rule.awaitables) for rule in rules)
    return Parsed(len(rules), count, tuple(_of_rules(rules, known, folder.resolve())))

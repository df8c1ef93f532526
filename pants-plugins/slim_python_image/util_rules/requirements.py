"""What an image or a wheel set depends on: targets, requirements, and the lockfile that pins these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable

from pants.backend.python.subsystems.setup import PythonSetup
from pants.backend.python.target_types import (
    PythonRequirementResolveField,
    PythonRequirementsField,
    PythonResolveField,
)
from pants.engine.addresses import Address
from pants.engine.internals.graph import resolve_dependencies, transitive_targets
from pants.engine.target import Dependencies, DependenciesRequest, Target, TransitiveTargetsRequest

from slim_python_image import engine
from slim_python_image.by_name import implicitly
from slim_python_image.products import Root, SlimImageError
from slim_python_image.wheel_set_target import NoBinaryField, OnlyBinaryField


@dataclass(frozen=True)
class Requirements:
    """Third-party requirements of a dependency graph and the lockfile that pins them."""

    roots: tuple[Root, ...]
    resolve: str
    lockfile: str


def requirements_of(
    targets: Iterable[Target], owner: Address, python_setup: PythonSetup, wanted: str | None = None
) -> Requirements:
    """Return the requirements among ``targets``.

    :param wanted: the resolve that the owner's field names.
    :raises SlimImageError: resolves are off, or the requirements are of several resolves.
    """
    if not python_setup.enable_resolves:
        raise SlimImageError(
            f"{owner}: no lockfile pins the wheels\n"
            "  -> set `[python].enable_resolves = true` and `[python].resolves` in pants.toml"
        )
    roots: set[Root] = set()
    resolves: dict[str, Address] = {}
    for target in targets:
        if target.has_field(PythonRequirementsField):
            resolve = target[PythonRequirementResolveField].normalized_value(python_setup)
            resolves.setdefault(resolve, target.address)
            roots |= {Root(str(r), str(target.address)) for r in target[PythonRequirementsField].value}
        elif target.has_field(PythonResolveField):
            resolves.setdefault(target[PythonResolveField].normalized_value(python_setup), target.address)
    if wanted is not None:
        resolves.setdefault(wanted, owner)
    if len(resolves) > 1:
        listed = "\n".join(f"  {resolve}: {address}" for resolve, address in sorted(resolves.items()))
        raise SlimImageError(
            f"{owner}: its dependencies are of several resolves\n{listed}\n"
            "  -> one image takes its wheels from one lockfile; use the same `resolve` throughout"
        )
    resolve = next(iter(resolves), python_setup.default_resolve)
    return Requirements(tuple(sorted(roots)), resolve, python_setup.resolves[resolve])


async def dependency_targets(field: Dependencies, aside: Iterable[Address]) -> tuple[Target, ...]:
    """Return the transitive targets of a dependencies field, some direct ones left out.

    What the field excludes with ``!!`` is left out wherever it comes from, as in a `pex_binary`.
    """
    direct = await resolve_dependencies(DependenciesRequest(field), **implicitly())
    skipped = set(aside)
    roots = [address for address in direct if address not in skipped]
    reached = await transitive_targets(TransitiveTargetsRequest(roots), **implicitly())
    excludes = field.unevaluated_transitive_excludes
    excluded = set(await engine.addresses(excludes)) if excludes.values else set()
    return tuple(
        target
        for target in reached.closure
        if target.address not in excluded
        and target.address.maybe_convert_to_target_generator() not in excluded
    )


def binary_choices(
    target: Target, resolve: str, python_setup: PythonSetup
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names to compile and the names never to compile."""
    no_binary = {*(target[NoBinaryField].value or ())}
    only_binary = {*(target[OnlyBinaryField].value or ())}
    for option, names in (
        (python_setup.options.resolves_to_no_binary, no_binary),
        (python_setup.options.resolves_to_only_binary, only_binary),
    ):
        names.update(option.get(resolve, option.get("__default__", ())))
    return tuple(sorted(no_binary)), tuple(sorted(only_binary))

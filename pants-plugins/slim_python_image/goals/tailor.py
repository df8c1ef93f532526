"""`pants tailor`: an image for each `pex_binary` with an entry point, and a base where there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable, Mapping, Sequence

from pants.backend.python.subsystems.setup import PythonSetup
from pants.core.goals.tailor import PutativeTarget, PutativeTargets, PutativeTargetsRequest
from pants.engine.addresses import Address
from pants.engine.target import AllTargets, Target
from pants.engine.unions import UnionRule

from slim_python_image.base_target import DebianPythonBaseTarget
from slim_python_image.by_name import collect_rules, rule
from slim_python_image.goals.migrate import fields_of
from slim_python_image.registry_target import RegistryPythonBaseTarget
from slim_python_image.subsystems.options import SlimImageOptions
from slim_python_image.target_types import SlimPythonImageTarget
from slim_python_image.util_rules.declared_python import allows

_PEX, _IMAGE = "pex_binary", SlimPythonImageTarget.alias
_BASES = (DebianPythonBaseTarget.alias, RegistryPythonBaseTarget.alias)
_BASE_FOLDER = "3rdparty/debian"
# Of Debian's releases the Python of each; the first that the constraints allow is proposed.
_SUITES = (("bookworm", "3.11"), ("trixie", "3.13"))


class PutativeImagesRequest(PutativeTargetsRequest):
    """Propose images."""


@dataclass(frozen=True, order=True)
class Binary:
    """A `pex_binary` with an entry point.

    :param needs: it names dependencies of its own, which the image has with it.
    """

    address: Address
    entry_point: str
    resolve: str | None = None
    needs: bool = False


def started(entry_point: str) -> tuple[str, str]:
    """Return what an entry point starts, in one spelling for files and modules: a name and a function."""
    place, _, function = entry_point.partition(":")
    file = place[: -len(".py")] if place.endswith(".py") else place.replace(".", "/")
    return file.rpartition("/")[2], function


def binaries(targets: Iterable[Target]) -> list[Binary]:
    """Return each `pex_binary` with an entry point that stands in a BUILD file."""
    found = []
    for target in targets:
        if target.alias != _PEX or target.address.is_generated_target:
            continue
        fields = fields_of(target)
        if fields.get("entry_point"):
            found.append(
                Binary(
                    target.address,
                    str(fields["entry_point"]),
                    fields.get("resolve"),
                    bool(fields.get("dependencies")),
                )
            )
    return sorted(found)


def without_image(found: Iterable[Binary], targets: Iterable[Target]) -> list[Binary]:
    """Return the binaries that no image of their folder starts."""
    there = {
        (target.address.spec_path, started(str(fields_of(target).get("entry_point") or "")))
        for target in targets
        if target.alias == _IMAGE
    }
    return [one for one in found if (one.address.spec_path, started(one.entry_point)) not in there]


def base_of(targets: Iterable[Target]) -> str | None:
    """Return the address of the first base, as a BUILD file names it; `None` where there is none."""
    found = sorted(target.address for target in targets if target.alias in _BASES)
    return f"//{found[0]}" if found else None


def proposed_base(constraints: Sequence[str]) -> tuple[str, Mapping[str, Any]]:
    """Return name and fields of a base whose Python some interpreter constraints allow."""
    suite, minor = next(
        (row for row in _SUITES if allows(constraints, f"{row[1]}.2")),
        _SUITES[0],
    )
    return f"{suite}-py{minor.replace('.', '')}", {"suites": (suite,), "python": minor}


def image_fields(binary: Binary, base: str) -> dict[str, Any]:
    """Return the fields of the image of a binary."""
    fields: dict[str, Any] = {"entry_point": binary.entry_point, "base": base}
    if binary.needs:
        fields["dependencies"] = (f":{binary.address.target_name}",)
    if binary.resolve:
        fields["resolve"] = binary.resolve
    return fields


def image_name(binary: Binary, found: Sequence[Binary], taken: Iterable[Address]) -> str:
    """Return a name that no target of the folder has: `image` where the folder has one binary."""
    folder = binary.address.spec_path
    alone = [one.address.spec_path for one in found].count(folder) == 1
    there = {address.target_name for address in taken if address.spec_path == folder}
    return "image" if alone and "image" not in there else f"{binary.address.target_name}-image"


def proposals(
    targets: Sequence[Target], folders: Iterable[str], constraints: Sequence[str]
) -> tuple[PutativeTarget, ...]:
    """Return what is proposed for some folders."""
    every = binaries(targets)
    inside = set(folders)
    wanted = [one for one in without_image(every, targets) if one.address.spec_path in inside]
    if not wanted:
        return ()
    found = []
    base = base_of(targets)
    if base is None:
        name, fields = proposed_base(constraints)
        base = f"//{_BASE_FOLDER}:{name}"
        found.append(
            PutativeTarget.for_target_type(
                DebianPythonBaseTarget, path=_BASE_FOLDER, name=name, triggering_sources=(), kwargs=fields
            )
        )
    addresses = [target.address for target in targets]
    found += [
        PutativeTarget.for_target_type(
            SlimPythonImageTarget,
            path=one.address.spec_path,
            name=image_name(one, every, addresses),
            triggering_sources=(),
            kwargs=image_fields(one, base),
        )
        for one in wanted
    ]
    return tuple(found)


@rule(desc="Propose images")
async def propose_images(
    request: PutativeImagesRequest,
    targets: AllTargets,
    options: SlimImageOptions,
    python_setup: PythonSetup,
) -> PutativeTargets:
    if not options.tailor_image_targets:
        return PutativeTargets()
    constraints = tuple(python_setup.options.interpreter_constraints or ())
    return PutativeTargets(proposals(tuple(targets), request.dirs, constraints))


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return (*collect_rules(), UnionRule(PutativeTargetsRequest, PutativeImagesRequest))

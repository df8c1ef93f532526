"""The newest versions that have a wheel: what helps where an sdist does not build."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable

from pants.util.frozendict import FrozenDict

from slim_python_image import engine
from slim_python_image.by_name import collect_rules, implicitly, rule
from slim_python_image.products import Root, TargetEnvironment, canonical_json
from slim_python_image.util_rules.complete_lock import complete_lock
from slim_python_image.util_rules.locks import root_rows
from slim_python_image.util_rules.steps import StepRequest, Toolbox, run_step


@dataclass(frozen=True)
class NewestWheelsRequest:
    """Find the newest versions of ``names`` that have a wheel and satisfy what requires them.

    :param roots: all requirements of the resolve, those of other targets too.
    """

    names: tuple[str, ...]
    roots: tuple[Root, ...]
    lockfile: str
    target: TargetEnvironment


@dataclass(frozen=True)
class NewestWheels:
    """Version by name, ``None`` where no version has a wheel that fits; or why nobody knows."""

    versions: FrozenDict[str, str | None] = FrozenDict()
    error: str | None = None


@rule
async def find_newest_wheels(request: NewestWheelsRequest, toolbox: Toolbox) -> NewestWheels:
    """Ask the index for versions that have a wheel, anew in each run."""
    lock = await complete_lock(request.lockfile)
    document = {
        "names": list(request.names),
        "roots": root_rows(request.roots),
        "entries": lock.entries,
        **lock.adjustments(),
        "lockfile": request.lockfile,
    }
    outcome = await run_step(
        StepRequest(
            step="newest-wheel",
            arguments=("--target", "target.json", "--request", "request.json"),
            description=f"Look for wheels of {len(request.names)} projects for {request.target.platform}",
            toolbox=toolbox,
            inputs=await engine.create_files(
                {"target.json": request.target.to_json(), "request.json": canonical_json(document)}
            ),
            fresh=True,
        ),
        **implicitly(),
    )
    if outcome.error is not None:
        return NewestWheels(error=outcome.error)
    return NewestWheels(FrozenDict({row["name"]: row["version"] for row in outcome.fields()["wheels"]}))


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()

"""Crates of sdists in Rust: fetched by hash, all of one sdist at once."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Iterable

from pants.util.frozendict import FrozenDict

from slim_python_image import engine
from slim_python_image.by_name import collect_rules, implicitly, rule
from slim_python_image.products import Tree, canonical_json
from slim_python_image.util_rules.build_pins import Crate
from slim_python_image.util_rules.steps import OUT, StepRequest, Toolbox, run_for_tree
from slim_python_image.util_rules.sysroot import ProgramsRequest, unpack_programs


@dataclass(frozen=True)
class CratesRequest:
    """The crates of one sdist; cargo, among the programs, knows where they are by default."""

    crates: tuple[Crate, ...]
    programs: ProgramsRequest


@rule
async def fetch_crates(request: CratesRequest, toolbox: Toolbox) -> Tree:
    programs = await unpack_programs(request.programs, **implicitly())
    document = {"crates": [asdict(crate) for crate in sorted(request.crates)]}
    return await run_for_tree(
        StepRequest(
            step="fetch-crates",
            arguments=("--request", "request.json", "--tools", "tools", "--output", OUT),
            description=f"Fetch {len(request.crates)} crates",
            toolbox=toolbox,
            inputs=await engine.create_files({"request.json": canonical_json(document)}),
            trees=FrozenDict({"tools": programs.digest}),
            output_directories=(OUT,),
        )
    )


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()

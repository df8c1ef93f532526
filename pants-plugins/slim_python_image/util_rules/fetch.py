"""Artifacts: fetched by hash."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable

from pants.engine.fs import Digest

from slim_python_image.by_name import collect_rules, rule
from slim_python_image.products import Artifact
from slim_python_image.util_rules.steps import OUT, StepRequest, Toolbox, run_for_tree


@dataclass(frozen=True)
class FetchedArtifact:
    """An artifact's file, at the root of ``digest``."""

    digest: Digest


@rule
async def fetch_artifact(artifact: Artifact, toolbox: Toolbox) -> FetchedArtifact:
    made = await run_for_tree(
        StepRequest(
            step="fetch",
            arguments=(
                "--name",
                artifact.name,
                "--version",
                artifact.version,
                "--filename",
                artifact.filename,
                "--sha256",
                artifact.sha256,
                "--output",
                OUT,
            ),
            description=f"Fetch {artifact.filename}",
            toolbox=toolbox,
            output_directories=(OUT,),
        )
    )
    return FetchedArtifact(made.digest)


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()

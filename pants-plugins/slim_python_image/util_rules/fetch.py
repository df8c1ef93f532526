"""Artifacts: fetched by hash, or by commit."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Iterable

from pants.engine.fs import Digest

from slim_python_image import engine
from slim_python_image.by_name import collect_rules, rule
from slim_python_image.products import Artifact, canonical_json
from slim_python_image.util_rules.steps import OUT, StepRequest, Toolbox, run_for_tree


@dataclass(frozen=True)
class FetchedArtifact:
    """An artifact's file, at the root of ``digest``."""

    digest: Digest


def _fetch_step(artifact: Artifact, toolbox: Toolbox) -> StepRequest:
    source = json.loads(artifact.source) if artifact.source else {}
    url = ("--url", source["url"]) if source else ()
    return StepRequest(
        step="fetch",
        arguments=(
            *("--name", artifact.name, "--version", artifact.version, "--filename", artifact.filename),
            *("--sha256", artifact.sha256, *url, "--output", OUT),
        ),
        description=f"Fetch {artifact.filename}",
        toolbox=toolbox,
        output_directories=(OUT,),
    )


async def _git_step(artifact: Artifact, toolbox: Toolbox) -> StepRequest:
    document = {
        "name": artifact.name,
        "version": artifact.version,
        "filename": artifact.filename,
        "source": json.loads(artifact.source),
    }
    return StepRequest(
        step="fetch-git",
        arguments=("--request", "request.json", "--output", OUT),
        description=f"Fetch {artifact.name} {artifact.version} from its repository",
        toolbox=toolbox,
        inputs=await engine.create_files({"request.json": canonical_json(document)}),
        output_directories=(OUT,),
    )


@rule
async def fetch_artifact(artifact: Artifact, toolbox: Toolbox) -> FetchedArtifact:
    from_git = artifact.source and json.loads(artifact.source)["kind"] == "git"
    made = await run_for_tree(
        await _git_step(artifact, toolbox) if from_git else _fetch_step(artifact, toolbox)
    )
    return FetchedArtifact(made.digest)


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()

"""Where a process runs: here, or on a worker of a remote execution service, which is asked for properties."""

from __future__ import annotations

from typing import Any, Iterable, Mapping

from pants.engine.process import ProcessExecutionEnvironment

from slim_python_image.versions import PANTS_217

# What 2.30 wants besides, of places where a process runs that have neither: remote workers.
_LATER_ARGUMENTS: Mapping[str, Any] = (
    {} if PANTS_217 else {"execute_in_workspace": False, "keep_sandboxes": "never"}
)


def with_properties(
    where: ProcessExecutionEnvironment, properties: Iterable[str]
) -> ProcessExecutionEnvironment:
    """Return where a process runs, with more properties asked of a remote worker; this machine needs none.

    :param properties: each ``name=value``; the name replaces one that is there.
    """
    if not where.remote_execution:
        return where
    asked = dict(where.remote_execution_extra_platform_properties)
    for text in properties:
        name, _, value = text.partition("=")
        asked[name] = value
    return ProcessExecutionEnvironment(
        **_LATER_ARGUMENTS,
        environment_name=where.name,
        platform=where.platform,
        docker_image=where.docker_image,
        remote_execution=True,
        remote_execution_extra_platform_properties=sorted(asked.items()),
    )

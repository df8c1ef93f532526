from __future__ import annotations

import pytest
from pants.engine.process import ProcessExecutionEnvironment

from slim_python_image.util_rules import workers
from slim_python_image.util_rules.workers import with_properties


def worker(*properties: tuple[str, str], remote: bool = True) -> ProcessExecutionEnvironment:
    return ProcessExecutionEnvironment(
        environment_name="a name",
        platform="linux_x86_64",
        docker_image=None,
        remote_execution=remote,
        remote_execution_extra_platform_properties=list(properties),
    )


def test_a_remote_worker_is_asked_for_more_and_this_machine_is_not() -> None:
    asked = with_properties(worker(("pool", "small"), ("network", "off")), ["network=on", "note=a=b"])
    assert asked == worker(("network", "on"), ("note", "a=b"), ("pool", "small"))
    assert with_properties(worker(remote=False), ["network=on"]) == worker(remote=False)


def test_a_place_has_what_later_versions_of_pants_want_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, object] = {}
    monkeypatch.setattr(workers, "ProcessExecutionEnvironment", lambda **arguments: given.update(arguments))
    monkeypatch.setattr(workers, "_LATER_ARGUMENTS", {"keep_sandboxes": "never"})
    with_properties(worker(), ["network=on"])
    assert given["keep_sandboxes"] == "never"
    assert given["remote_execution"] is True

from __future__ import annotations

import json
from typing import Any

import pytest
from pants.engine.fs import EMPTY_DIGEST, Digest, DigestEntries, FileDigest, FileEntry
from pants.engine.process import ProcessCacheScope
from pants.util.frozendict import FrozenDict

from ociwheel import schemas
from slim_python_image.products import Tree, canonical_json
from slim_python_image.util_rules.kept_work import code_name, wheels_name
from slim_python_image.util_rules.steps import (
    StepRequest,
    Toolbox,
    answered,
    error_text,
    key_document,
    needs_machine,
    step_process,
)
from tests.support.schema_examples import examples


def digest(character: str) -> Digest:
    return Digest(character * 64, 1)


def request(**changes: object) -> StepRequest:
    fields: dict[str, object] = {
        "step": "plan",
        "arguments": ("--target", "target.json"),
        "description": "Plan",
        "toolbox": Toolbox(digest("a")),
    }
    return StepRequest(**{**fields, **changes})  # type: ignore[arg-type]


def test_limits_that_are_raised_are_in_the_key() -> None:
    assert "OCIWHEEL_LIMITS" not in step_process(request(), digest("c")).env
    process = step_process(request(), digest("c"), ["total_bytes=5", "ratio=9"])
    assert process.env["OCIWHEEL_LIMITS"] == "ratio=9 total_bytes=5"


def test_a_process_has_content_and_no_place() -> None:
    process = step_process(request(trees=FrozenDict({"sysroot": digest("b")})), digest("c"))
    assert process.argv == ("/bin/sh", ".ociwheel/core/step.sh", "plan", "--target", "target.json")
    assert dict(process.env) == {
        "OCIWHEEL_CODE": f".ociwheel/code/{code_name('plan', digest('c'), digest('a'))}",
        "OCIWHEEL_MACHINE": ".ociwheel/machine",
        "OCIWHEEL_TOOLS": ".ociwheel/tools",
    }
    assert dict(process.immutable_input_digests) == {
        ".ociwheel/core": digest("c"),
        ".ociwheel/tools": digest("a"),
        "sysroot": digest("b"),
    }
    assert dict(process.append_only_caches) == {
        "ociwheel_code": ".ociwheel/code",
        "ociwheel_machine": ".ociwheel/machine",
    }
    assert process.cache_scope == ProcessCacheScope.SUCCESSFUL


@pytest.mark.parametrize(
    ("step", "interpreter", "given"),
    [
        ("build", Tree(digest("d")), False),
        ("deb-layer", Tree(digest("d")), False),
        ("build", None, True),  # on macOS its Python is the machine's
        ("build-lock", Tree(digest("d")), True),
        ("emulate", Tree(digest("d")), True),
        ("plan", None, True),
    ],
)
def test_only_what_needs_the_machine_is_told_of_it(step: str, interpreter: Tree | None, given: bool) -> None:
    one = request(step=step, interpreter=interpreter)
    assert needs_machine(one, frozenset({"build-lock"})) == given
    process = step_process(one, digest("c"), machine=given)
    assert ("ociwheel_machine" in process.append_only_caches) == given
    assert ("OCIWHEEL_MACHINE" in process.env) == given


@pytest.mark.parametrize("step", ["build", "build-requires", "emulate"])
def test_no_step_that_runs_code_of_others_has_a_cache_of_bytecode(step: str) -> None:
    process = step_process(request(step=step, interpreter=Tree(digest("d"))), digest("c"), machine=False)
    assert "OCIWHEEL_CODE" not in process.env
    assert not process.append_only_caches


@pytest.mark.parametrize(
    ("step", "given"), [("describe", True), ("fetch", True), ("plan", False), ("build", False)]
)
def test_only_what_asks_indexes_is_given_what_the_machine_was_told_before(step: str, given: bool) -> None:
    process = step_process(request(step=step), digest("c"))
    assert ("ociwheel_kept" in process.append_only_caches) == given
    # What other code answered counts for nothing.
    name = f".ociwheel/kept/{code_name(step, digest('c'), digest('a'))}"
    assert process.env.get("OCIWHEEL_KEPT") == (name if given else None)


def test_bytecode_is_kept_by_what_it_is_made_of() -> None:
    one = code_name("plan", digest("c"), None)
    assert one.startswith("plan-")
    assert one != code_name("plan", digest("d"), None)
    assert one != code_name("plan", digest("c"), digest("a"))


@pytest.mark.parametrize("step", ["wheel-layer", "wheel-layers"])
def test_installed_wheels_are_kept_for_what_installs_them_alone(step: str) -> None:
    one = request(step=step, interpreter=Tree(digest("d")))
    process = step_process(one, digest("c"), machine=False)
    assert process.append_only_caches["ociwheel_wheels"] == ".ociwheel/wheels"
    name = wheels_name(digest("c"), digest("a"), digest("d"))
    assert process.env["OCIWHEEL_WHEELS"] == f".ociwheel/wheels/{name}"
    others = {
        wheels_name(digest("e"), digest("a"), digest("d")),
        wheels_name(digest("c"), digest("e"), digest("d")),
        wheels_name(digest("c"), digest("a"), digest("e")),
        wheels_name(digest("c"), digest("a"), None),
    }
    assert len({name, *others}) == len(others) + 1


@pytest.mark.parametrize("step", ["build", "build-requires", "emulate", "fetch", "plan", "source-layer"])
def test_no_other_step_sees_installed_wheels(step: str) -> None:
    process = step_process(request(step=step), digest("c"))
    assert "ociwheel_wheels" not in process.append_only_caches
    assert "OCIWHEEL_WHEELS" not in process.env


def test_a_hit_is_waited_for_before_the_same_work_is_done_here() -> None:
    assert step_process(request(), digest("c")).remote_cache_speculation_delay_millis >= 10_000


def test_what_is_in_a_key_can_be_read() -> None:
    process = step_process(request(output_files=("wheel",), output_directories=("out",)), digest("c"))
    files = DigestEntries([FileEntry("target.json", FileDigest("e" * 64, 1))])
    assert json.loads(key_document(process, files)) == {
        "arguments": ["/bin/sh", ".ociwheel/core/step.sh", "plan", "--target", "target.json"],
        "variables": {
            "OCIWHEEL_CODE": f".ociwheel/code/{code_name('plan', digest('c'), digest('a'))}",
            "OCIWHEEL_MACHINE": ".ociwheel/machine",
            "OCIWHEEL_TOOLS": ".ociwheel/tools",
        },
        "named caches": {"ociwheel_code": ".ociwheel/code", "ociwheel_machine": ".ociwheel/machine"},
        "outputs": ["wheel", "out"],
        "trees": {".ociwheel/core": "c" * 64, ".ociwheel/tools": "a" * 64},
        "inputs": {"target.json": "e" * 64},
    }


def test_an_interpreter_is_content() -> None:
    process = step_process(request(interpreter=Tree(digest("d"))), digest("c"))
    assert process.immutable_input_digests[".ociwheel/interpreter"] == digest("d")
    assert process.env["OCIWHEEL_INTERPRETER"] == ".ociwheel/interpreter"


def test_a_lock_is_resolved_anew_in_each_run() -> None:
    assert step_process(request(fresh=True), digest("c")).cache_scope == ProcessCacheScope.PER_SESSION


def test_the_description_is_no_part_of_a_request() -> None:
    assert request(description="one") == request(description="other")


def test_the_error_is_the_step_s_own() -> None:
    stderr = "note: a\nwarning: b\nerror: foo==1: no wheel fits\n  tags: cp311\n  -> relock\n"
    assert error_text(stderr) == "foo==1: no wheel fits\n  tags: cp311\n  -> relock"


def test_a_crash_is_shown_whole() -> None:
    assert error_text("Traceback\n  boom\n") == "Traceback\n  boom"
    assert error_text("") == "the step failed and said nothing"


@pytest.mark.parametrize("step", sorted(schemas.ANSWERS))
def test_an_answer_is_read_when_it_is_what_its_schema_says(step: str) -> None:
    for example in examples(schemas.ANSWERS[step]):
        assert said(step, example) is None
        assert answered(step, canonical_json(example), EMPTY_DIGEST).fields() == example
        start = f"the step {step} answered with something else than this plugin reads"
        assert said(step, {**example, "schema": "ociwheel.other/1"}).startswith(f"{start}: schema: expected ")
        assert said(step, {**example, "notes": [7]}) == (
            f"{start}: notes[0]: expected a text, found a number\n  -> please report it"
        )


def said(step: str, document: Any) -> Any:
    return answered(step, canonical_json(document), EMPTY_DIGEST).error


def test_an_answer_that_is_not_what_its_schema_says_is_one_line_with_its_place() -> None:
    (plan,) = examples("plan")
    (row,) = plan["artifacts"]
    start, end = (
        "the step plan answered with something else than this plugin reads: ",
        "\n  -> please report it",
    )
    for changed, message in (
        ({key: value for key, value in row.items() if key != "sha256"}, "artifacts[0].sha256: is missing"),
        ({**row, "more": 1}, "artifacts[0]: unknown keys: more"),
        ({**row, "size": "7"}, "artifacts[0].size: expected a whole number from 0 on, found '7'"),
    ):
        assert said("plan", {**plan, "artifacts": [changed]}) == f"{start}{message}{end}"
    for data, message in ((b"Killed", "is not JSON: "), (b"\xff", "is not UTF-8 text: byte 0")):
        assert str(answered("plan", data, EMPTY_DIGEST).error).startswith(start + message)

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ociwheel.build.build_lock import BuildEnvironment, BuildLock, Pin, lockable_files, render
from ociwheel.errors import LockError
from ociwheel.fetch.simple_api import IndexFile


def offered(*names: str) -> list[IndexFile]:
    return [IndexFile(name, f"https://host.invalid/{name}", "0" * 64, 7) for name in names]


def environment(sdist: str, python: str, *pins: str) -> BuildEnvironment:
    return BuildEnvironment(sdist, "1" * 64, python, tuple(Pin.parse(pin) for pin in pins))


def test_the_file_reads_well_in_a_diff() -> None:
    lock = BuildLock(
        (environment("netifaces==0.11.0", "3.11", "setuptools==69.5.1", "wheel==0.43.0"),),
        {"wheel==0.43.0": ({"filename": "wheel-0.43.0-py3-none-any.whl", "sha256": "ab"},), "unused==1": ()},
    )
    one = "1" * 64
    assert render(lock).decode() == (
        "{\n"
        ' "schema": "ociwheel.build-lock/1",\n'
        ' "environments": [\n'
        f'  {{"sdist": "netifaces==0.11.0", "sha256": "{one}", "python": "3.11", '
        '"pins": ["setuptools==69.5.1", "wheel==0.43.0"]}\n'
        " ],\n"
        ' "files": {\n'
        '  "wheel==0.43.0": [\n'
        '   {"filename": "wheel-0.43.0-py3-none-any.whl", "sha256": "ab"}\n'
        "  ]\n"
        " }\n"
        "}\n"
    )


def test_wheels_for_machines_that_build() -> None:
    names = [
        "cython-3.0.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        "cython-3.0.0-cp311-cp311-manylinux_2_17_aarch64.whl",
        "cython-3.0.0-cp311-cp311-macosx_11_0_arm64.whl",
        "cython-3.0.0-cp39-abi3-manylinux_2_17_x86_64.whl",
        "cython-3.0.0-py2.py3-none-any.whl",
    ]
    others = [
        "cython-3.0.0-cp310-cp310-manylinux_2_17_x86_64.whl",
        "cython-3.0.0-cp312-abi3-manylinux_2_17_x86_64.whl",
        "cython-3.0.0-cp311-cp311-win_amd64.whl",
        "cython-3.0.0-cp311-cp311-musllinux_1_1_x86_64.whl",
        "cython-3.0.0-cp311-cp311-manylinux_2_17_s390x.whl",
        "cython-3.0.0-py2-none-any.whl",
        "cython-3.0.1-py3-none-any.whl",
        "cython_more-3.0.0-py3-none-any.whl",
        "cython-3.0.0.tar.gz",
        "not a wheel.whl",
    ]
    found = lockable_files(Pin("cython", "3.0.0"), ["3.11"], offered(*others, *names))
    assert [file["filename"] for file in found] == sorted(names)


def test_a_build_requirement_with_only_an_sdist() -> None:
    with pytest.raises(LockError) as caught:
        lockable_files(Pin("old", "1.0"), ["3.11"], offered("old-1.0.tar.gz"))
    assert str(caught.value) == (
        "the build requirement old==1.0 has only an sdist on the index, and a build requirement is never "
        "built itself\n"
        "  -> constrain it to a version with a wheel: `constraints` of its build settings, or "
        "put a wheel of it on an index of your own"
    )


def test_the_size_is_taken_from_whichever_place_tells_it() -> None:
    files = [IndexFile("a-1-py3-none-any.whl", "file:///a", "0" * 64), *offered("a-1-py3-none-any.whl")]
    expected = ({"filename": "a-1-py3-none-any.whl", "sha256": "0" * 64, "size": 7},)
    assert lockable_files(Pin("a", "1"), ["3.11"], files) == expected
    assert lockable_files(Pin("a", "1"), ["3.11"], files[::-1]) == expected


def test_rows_of_one_python_are_replaced_and_of_unknown_ones_dropped() -> None:
    lock = BuildLock((environment("a==1", "3.9"), environment("a==1", "3.11"), environment("b==1", "3.13")))
    made = lock.renewed(BuildLock((environment("c==1", "3.11"),), {}), ["3.11"], ["3.11", "3.13"], ())
    assert [(row.sdist, row.python) for row in made.environments] == [("b==1", "3.13"), ("c==1", "3.11")]


def test_what_could_not_be_locked_keeps_what_it_had() -> None:
    def files(*names: str) -> tuple[dict[str, str], ...]:
        return tuple({"filename": name, "sha256": "0" * 64} for name in names)

    before = BuildLock(
        (environment("a==1", "3.11", "x==1"), environment("b==1", "3.11", "y==1")),
        {"x==1": files("x-any.whl"), "y==1": files("y-any.whl")},
    )
    new = BuildLock((environment("b==1", "3.11", "x==1"),), {"x==1": files("x-any.whl", "x-cp311.whl")})
    made = before.renewed(new, ["3.11"], ["3.11"], {"a==1"})
    assert [(row.sdist, [str(pin) for pin in row.pins]) for row in made.environments] == [
        ("a==1", ["x==1"]),
        ("b==1", ["x==1"]),
    ]
    assert made.files == {"x==1": files("x-any.whl", "x-cp311.whl")}
    assert before.renewed(new, ["3.11"], ["3.11"], {"b==1"}).environments == new.environments


def test_crates_stand_one_a_line_and_only_where_there_are_any() -> None:
    row = BuildEnvironment("bcrypt==5.0.0", "1" * 64, "3.11", (), ("a 1.0.0", "b 0.1.0+x"))
    lock = BuildLock((row,), {}, {"b 0.1.0+x": "2" * 64, "a 1.0.0": "3" * 64, "unused 1.0.0": "4" * 64})
    text = render(lock).decode()
    assert text.endswith(
        ' "files": {\n },\n "crates": {\n'
        f'  "a 1.0.0": "{"3" * 64}",\n  "b 0.1.0+x": "{"2" * 64}"\n }}\n}}\n'
    )
    assert BuildLock.from_json(json.loads(text), "x").environments == lock.environments
    assert "crates" not in render(BuildLock((environment("a==1", "3.11"),), {})).decode()


names = st.from_regex(r"[a-z]{1,5}", fullmatch=True)
rows = st.lists(st.tuples(names, st.sampled_from(["3.11", "3.13"]), st.lists(names, max_size=3)), max_size=4)


@given(rows)
def test_what_is_written_is_read_back(values: list[tuple[str, str, list[str]]]) -> None:
    lock = BuildLock(
        tuple(environment(f"{n}==1", python, *sorted(f"{p}==2" for p in pins)) for n, python, pins in values),
        {f"{p}==2": ({"filename": f"{p}.whl", "sha256": "f" * 64},) for _, _, pins in values for p in pins},
    )
    assert BuildLock.from_json(json.loads(render(lock)), "x") == lock


def test_another_document_is_refused() -> None:
    with pytest.raises(LockError) as caught:
        BuildLock.from_json({"schema": "ociwheel.plan/1"}, "x.build.lock")
    assert (
        str(caught.value)
        == "x.build.lock: expected a ociwheel.build-lock/1 document, found 'ociwheel.plan/1'"
    )


def test_wheels_of_further_machines_are_locked_where_builds_are_emulated() -> None:
    host, arm = "a-1-cp311-cp311-manylinux_2_17_x86_64.whl", "a-1-cp311-cp311-linux_armv7l.whl"
    files = offered(host, arm)
    assert [f["filename"] for f in lockable_files(Pin("a", "1"), ["3.11"], files)] == [host]
    both = lockable_files(Pin("a", "1"), ["3.11"], files, ["armv7l"])
    assert [f["filename"] for f in both] == [arm, host]

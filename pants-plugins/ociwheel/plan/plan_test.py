"""Plans: what is chosen for a target, and every way in which nothing can be."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ociwheel.cli.main import main
from ociwheel.errors import PlanError, UsageError
from ociwheel.plan.model import parse_request
from ociwheel.plan.plan_step import plan
from ociwheel.target import Target
from tests.support.values import value_of

LOCK = "3rdparty/python/default.lock"


def target(platform: str = "linux/amd64", **fields: str) -> Target:
    base = {"python": "3.11.2", "libc": "glibc", "libc_version": "2.36"}
    return Target.parse(value_of({"platform": platform, **base, **fields}))


AMD64, ARM64, ARMV7 = target(), target("linux/arm64"), target("linux/arm/v7")


def entry(
    name: str,
    version: str = "1.0",
    *requires: str,
    files: Sequence[str] | None = None,
    python: str | None = None,
    marker: str | None = None,
) -> dict[str, Any]:
    stem = name.replace("-", "_")
    names = files if files is not None else (f"{stem}-{version}-py3-none-any.whl", f"{stem}-{version}.tar.gz")
    return {
        "name": name,
        "version": version,
        "marker": marker,
        "requires_python": python,
        "requires_dist": list(requires),
        "files": [{"filename": f, "sha256": f"{i:064x}", "size": None} for i, f in enumerate(names)],
        "where": "x",
    }


def make(
    roots: Sequence[str | tuple[str, str]],
    *entries: dict[str, Any],
    on: Target = AMD64,
    **formats: list[str],
) -> dict[str, dict[str, Any]]:
    rows = [(root, "src/app:reqs") if isinstance(root, str) else root for root in roots]
    value = {
        "roots": [{"requirement": requirement, "origin": origin} for requirement, origin in rows],
        "entries": list(entries),
        "lockfile": LOCK,
        **formats,
    }
    found = plan(parse_request(value_of(value)), on)["artifacts"]
    assert [row["name"] for row in found] == sorted(row["name"] for row in found)
    return {row["name"]: row for row in found}


def failure(*args: Any, **kwargs: Any) -> str:
    with pytest.raises(PlanError) as caught:
        make(*args, **kwargs)
    return caught.value.render()


def test_only_what_is_reached() -> None:
    found = make(["a"], entry("a", "1", "B.c>=1"), entry("b-c", "2"), entry("unused"))
    assert found == {
        "a": {
            "name": "a",
            "version": "1",
            "kind": "wheel",
            "filename": "a-1-py3-none-any.whl",
            "sha256": f"{0:064x}",
            "size": None,
            "requires": ["b-c"],
            "required_by": [],
        },
        "b-c": {
            "name": "b-c",
            "version": "2",
            "kind": "wheel",
            "filename": "b_c-2-py3-none-any.whl",
            "sha256": f"{0:064x}",
            "size": None,
            "requires": [],
            "required_by": ["a"],
        },
    }


def test_extras_propagate_through_cycles_and_themselves() -> None:
    entries = (
        entry("app", "1", "web[standard]"),
        entry(
            "web",
            "1",
            "h11",
            'web[loop]; extra == "standard"',
            'fast; extra == "Loop"',
            'x; extra == "other"',
        ),
        entry("h11", "1", "web"),
        entry("fast", "1", "app"),
    )
    found = make(["app"], *entries)
    assert set(found) == {"app", "web", "h11", "fast"}
    assert found["web"]["requires"] == ["fast", "h11"]
    assert found["web"]["required_by"] == ["app", "h11"]


def test_an_extra_asked_for_later_counts() -> None:
    entries = (entry("a", "1", "b"), entry("b", "1", 'c; extra == "x"'), entry("c"), entry("d", "1", "b[x]"))
    assert set(make(["a", "d"], *entries)) == {"a", "b", "c", "d"}


def test_roots_of_one_name_are_one() -> None:
    found = make([("a>=1", "x:1"), ("A[e]<2", "y:2")], entry("a", "1.5", 'b; extra == "e"'), entry("b"))
    assert set(found) == {"a", "b"}


def test_markers_are_those_of_the_target() -> None:
    markers = {
        'sys_platform == "win32"': (False, False),
        'platform_machine == "armv7l"': (False, True),
        'python_full_version < "3.11.3"': (True, True),
        'python_version >= "3.11" and os_name == "posix"': (True, True),
        'platform_python_implementation != "CPython"': (False, False),
        'implementation_name == "cpython" and platform_system == "Linux"': (True, True),
        'platform_release == ""': (True, True),
    }
    needs = [f"m{i}; {marker}" for i, marker in enumerate(markers)]
    entries = [entry("a", "1", *needs), *(entry(f"m{i}") for i in range(len(markers)))]
    for column, on in enumerate((AMD64, ARMV7)):
        expected = {f"m{i}" for i, truth in enumerate(markers.values()) if truth[column]}
        assert set(make(["a"], *entries, on=on)) == {"a"} | expected


def test_a_root_with_a_marker_that_is_false() -> None:
    assert make(['gone; sys_platform == "win32"']) == {}


def test_versions_by_marker() -> None:
    entries = (
        entry("pint", "0.25", marker='python_full_version < "3.12"'),
        entry("pint", "0.26", marker='python_full_version >= "3.12"'),
    )
    assert make(["pint"], *entries)["pint"]["version"] == "0.25"
    assert make(["pint"], *entries, on=target(python="3.13.1"))["pint"]["version"] == "0.26"


def test_versions_of_several_resolves() -> None:
    entries = (entry("b", "1", "a<2"), entry("a", "1"), entry("a", "2"), entry("c", "1", "a"))
    assert make(["c", "b"], *entries)["a"]["version"] == "1"
    assert make(["c"], *entries)["a"]["version"] == "2"


@pytest.mark.parametrize(
    ("on", "files", "expected"),
    [
        (
            AMD64,
            ["a-1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", "a-1-py3-none-any.whl"],
            0,
        ),
        (
            AMD64,
            ["a-1-cp311-cp311-manylinux_2_17_x86_64.whl", "a-1-cp311-cp311-manylinux_2_28_x86_64.whl"],
            1,
        ),
        (AMD64, ["a-1-cp311-cp311-manylinux_2_37_x86_64.whl", "a-1-cp311-cp311-manylinux1_x86_64.whl"], 1),
        (AMD64, ["a-1-cp37-abi3-manylinux2010_x86_64.whl", "a-1-cp39-abi3-manylinux2010_x86_64.whl"], 1),
        (AMD64, ["a-1-cp312-abi3-linux_x86_64.whl", "a-1.zip"], 1),
        (AMD64, ["a-1-cp311-cp311t-linux_x86_64.whl", "a-1.tar.gz"], 1),
        (AMD64, ["a-1-py2.py3-none-any.whl", "a-1-2-py2.py3-none-any.whl", "a-1-10-py2.py3-none-any.whl"], 2),
        (AMD64, ["a-1-cp311-cp311-musllinux_1_2_x86_64.whl", "a-1.zip", "a-1.tar.gz"], 2),
        (AMD64, ["a-1-cp311-none-any.whl", "a-1-py3-none-any.whl"], 0),
        (ARM64, ["a-1-cp311-cp311-manylinux1_aarch64.whl", "a-1-cp311-cp311-manylinux2014_aarch64.whl"], 1),
        (ARMV7, ["a-1-cp311-cp311-linux_armv6l.whl", "a-1-cp311-cp311-linux_armv7l.whl"], 1),
        (ARMV7, ["a-1-cp311-cp311-manylinux_2_31_armv7l.whl", "a-1-cp311-cp311-linux_armv7l.whl"], 0),
        (target(libc="musl", libc_version="1.2"), ["a-1-cp311-cp311-manylinux2014_x86_64.whl", "a-1.zip"], 1),
        (target(libc="musl", libc_version="1.2"), ["a-1.zip", "a-1-cp311-cp311-musllinux_1_1_x86_64.whl"], 1),
        (target(libc_version="2.28"), ["a-1-py3-none-manylinux_2_31_x86_64.whl", "a-1.tgz"], 1),
    ],
)
def test_the_file_that_fits_best(on: Target, files: list[str], expected: int) -> None:
    assert make(["a"], entry("a", "1", files=files), on=on)["a"]["filename"] == files[expected]


def test_no_binary_and_only_binary() -> None:
    a, b = entry("a"), entry("b")
    kinds = {n: r["kind"] for n, r in make(["a", "b"], a, b, no_binary=["A"]).items()}
    assert kinds == {"a": "sdist", "b": "wheel"}
    kinds = {n: r["kind"] for n, r in make(["a", "b"], a, b, no_binary=[":all:"], only_binary=["b"]).items()}
    assert kinds == {"a": "sdist", "b": "wheel"}


def test_requires_python_of_a_file() -> None:
    one = entry("a", files=["a-1.0-py3-none-any.whl", "a-1.0.tar.gz"])
    one["files"][0]["requires_python"] = ">=3.12"
    assert make(["a"], one)["a"]["kind"] == "sdist"
    one["requires_python"] = "nonsense"
    assert make(["a"], one)["a"]["kind"] == "sdist"


def test_prereleases_that_are_locked_are_wanted() -> None:
    assert make(["a>=1"], entry("a", "2.0rc1"))["a"]["version"] == "2.0rc1"


def test_pip_may_be_required() -> None:
    assert set(make(["a"], entry("a", "1", "pip"), entry("pip", "24.0"))) == {"a", "pip"}


def test_message_of_what_is_not_locked() -> None:
    assert failure(["a"], entry("a", "1", "b>=2"), entry("b", "2", 'c[x]<3; os_name == "posix"')) == (
        f"{LOCK}: c is not in the lock\n"
        "  a requires b>=2 requires c[x]<3 (root from src/app:reqs)\n"
        "  -> lock again"
    )


def test_message_of_a_root_that_is_not_locked() -> None:
    assert failure(["a>1"]) == (
        f"{LOCK}: a is not in the lock\n"
        "  a>1 (root from src/app:reqs)\n"
        "  -> add it to the requirements of this resolve, then lock again"
    )


def test_message_of_what_is_locked_for_others() -> None:
    assert failure(["a"], entry("a", "1", "b"), entry("b", "3", marker='sys_platform == "win32"')) == (
        f"{LOCK}: b is not locked for this platform\n"
        "  a requires b (root from src/app:reqs)\n"
        '  b 3 is locked only for: sys_platform == "win32"\n'
        "  -> lock again"
    )


def test_message_of_another_version() -> None:
    assert failure(["a", "b"], entry("a", "1", "b<2"), entry("b", "2"), entry("c")) == (
        f"{LOCK}: b 2 is locked, which is not what is required\n"
        "  not satisfied: a requires b<2 (root from src/app:reqs)\n"
        "  -> lock again"
    )


def test_message_of_roots_that_contradict_each_other() -> None:
    assert failure([("a<2", "src/x:reqs"), ("a>=2", "src/y:reqs")], entry("a", "2.1")) == (
        f"{LOCK}: the requirements of this image contradict each other, a 2.1 is locked\n"
        "  not satisfied: a<2 (root from src/x:reqs)\n"
        "  satisfied: a>=2 (root from src/y:reqs)\n"
        "  -> make them agree, or use targets of one resolve; then lock again"
    )


def test_message_of_files_that_do_not_fit() -> None:
    files = [
        "a-1-cp311-cp311-macosx_11_0_arm64.whl",
        "a-1-cp311-cp311-manylinux2014_x86_64.whl",
        "a-1-cp311-cp311-manylinux_2_38_armv7l.whl",
        "a-1-cp311-cp311-musllinux_1_2_armv7l.whl",
        "a-1-cp312-cp312-linux_armv7l.whl",
        "a-1-py3-none-any.whl",
    ]
    a = entry("a", "1", files=files)
    a["files"][-1]["requires_python"] = ">=3.12"
    assert failure(["a"], a, on=ARMV7) == (
        "a 1 has no file that can be used on linux/arm/v7, Python 3.11.2, glibc 2.36\n"
        "  a-1-py3-none-any.whl: requires Python >=3.12\n"
        "  a-1-cp311-cp311-manylinux_2_38_armv7l.whl: needs glibc 2.38 or later\n"
        "  a-1-cp311-cp311-musllinux_1_2_armv7l.whl: is for musl\n"
        "  a-1-cp312-cp312-linux_armv7l.whl: is for Python cp312, ABI cp312\n"
        "  a-1-cp311-cp311-macosx_11_0_arm64.whl: is for macosx_11_0_arm64\n"
        "  a-1-cp311-cp311-manylinux2014_x86_64.whl: is for x86_64\n"
        "  a (root from src/app:reqs)\n"
        "  -> there is no sdist to compile either: lock another version of a, or lock again with its sdist "
        "allowed"
    )


def test_message_of_a_forbidden_sdist() -> None:
    assert failure(["a"], entry("a", "1", files=["a-1.tar.gz"]), only_binary=[":all:"]) == (
        "a 1 has no file that can be used on linux/amd64, Python 3.11.2, glibc 2.36\n"
        "  a-1.tar.gz: only_binary forbids it\n"
        "  a (root from src/app:reqs)\n"
        "  -> allow its sdist, so that it is compiled: take a (or :all:) out of only_binary"
    )


def test_message_of_a_forbidden_wheel() -> None:
    assert failure(["a"], entry("a", "1", files=["a-1-py3-none-any.whl"]), no_binary=["a"]) == (
        "a 1 has no file that can be used on linux/amd64, Python 3.11.2, glibc 2.36\n"
        "  a-1-py3-none-any.whl: no_binary forbids it\n"
        "  a (root from src/app:reqs)\n"
        "  -> it has no usable sdist to compile: take a (or :all:) out of no_binary"
    )


def test_message_of_both_forbidden() -> None:
    message = failure(["a"], entry("a"), no_binary=["a"], only_binary=["a"])
    assert message.endswith("  -> a is in both no_binary and only_binary: take it out of one of them")


def test_message_of_another_python() -> None:
    assert failure(["a"], entry("a", "1", python=">=3.12")) == (
        "a 1 has no file that can be used on linux/amd64, Python 3.11.2, glibc 2.36\n"
        "  a-1-py3-none-any.whl: requires Python >=3.12\n"
        "  a-1.tar.gz: requires Python >=3.12\n"
        "  a (root from src/app:reqs)\n"
        "  -> lock a version of a for this Python, or choose a base with another Python"
    )


def test_message_of_a_url() -> None:
    assert failure(["a"], entry("a", "1", "b @ https://jo:s3cret@h/b.whl"), entry("b", "1")) == (
        "b is required from a URL, but is locked from an index\n"
        "  b @ https://****@h/b.whl\n"
        "  a requires b (root from src/app:reqs)\n"
        "  -> lock again"
    )


def test_message_of_all_faults_together() -> None:
    assert failure(["a", "b", "not a requirement"], entry("a", "1", "gone"), entry("b", "1", files=[])) == (
        "3 problems:\n"
        "  src/app:reqs: is no requirement: not a requirement (Expected semicolon (after name with no "
        "version specifier) or end)\n"
        f"  {LOCK}: gone is not in the lock\n"
        "    a requires gone (root from src/app:reqs)\n"
        "    -> lock again\n"
        "  b 1 has no file that can be used on linux/amd64, Python 3.11.2, glibc 2.36\n"
        "    b (root from src/app:reqs)\n"
        "    -> there is no sdist to compile either: lock another version of b, or lock again with its sdist "
        "allowed"
    )


def test_many_chains_and_files_are_cut_short() -> None:
    users = [entry(f"u{i}", "1", "a") for i in range(9)]
    files = [f"a-1-cp3{i}-cp3{i}-win_amd64.whl" for i in range(10, 40)]
    message = failure([f"u{i}" for i in range(9)], *users, entry("a", "1", files=files))
    assert "\n  and 18 more files\n" in message
    assert "\n  u3 requires a (root from src/app:reqs)\n  and 5 more\n" in message


def test_an_entry_that_was_not_described() -> None:
    bare = entry("a")
    bare["requires_dist"] = None
    with pytest.raises(UsageError, match="is incomplete"):
        make(["a"], bare)


def test_the_step(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    on = {"platform": "linux/arm/v7", "python": "3.11.2", "libc": "glibc", "libc_version": "2.36"}
    (tmp_path / "target.json").write_text(json.dumps({"schema": "ociwheel.target/1", **on}))
    request = {"roots": [{"requirement": "a", "origin": "x"}], "entries": [entry("a")], "lockfile": LOCK}
    (tmp_path / "request.json").write_text(json.dumps(request))
    argv = ["plan", "--target", str(tmp_path / "target.json"), "--request", str(tmp_path / "request.json")]
    assert main(argv) == 0
    document = json.loads(capsysbinary.readouterr().out)
    assert document["schema"] == "ociwheel.plan/1"
    assert [row["filename"] for row in document["artifacts"]] == ["a-1.0-py3-none-any.whl"]
    (tmp_path / "request.json").write_text("[]")
    assert main(argv) == 11


def test_a_large_plan_is_quick() -> None:
    extras = [f'x{i}>=1; extra == "e{i}"' for i in range(50)]
    wheels = [
        f"p-1-cp3{m}-cp3{m}-manylinux_2_{g}_{a}.whl"
        for m in range(8, 15)
        for g in (17, 28)
        for a in ("x86_64", "aarch64")
    ]
    entries = [entry(f"p{i}", "1", f"p{i + 1}>=1,<2", *extras, files=wheels) for i in range(100)]
    start = time.process_time()
    found = make(["p0"], *entries, entry("p100", "1"))
    assert len(found) == 101
    assert time.process_time() - start < 1.0


@given(st.lists(st.text(max_size=30) | st.text("ab[]>=1;@ extra", max_size=30), max_size=3))
def test_any_text_is_a_requirement_or_a_readable_error(texts: list[str]) -> None:
    try:
        make(["a", *texts], entry("a", "1", *texts))
    except PlanError as e:
        assert e.render()  # noqa: PT017 (there need not be an error)

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any, Optional

import pytest
from pants.engine.addresses import Address

from slim_python_image.goals.explain import choose, gather, json_report, reports_below, write_file
from slim_python_image.goals.explain_report import Explanation, explain, parse_report
from slim_python_image.goals.explain_text import text_report
from slim_python_image.goals.package_image import SlimImageFieldSet
from slim_python_image.products import SlimImageError
from slim_python_image.target_types import SlimPythonImageTarget


def digest(letter: str) -> str:
    return "sha256:" + letter * 64


def step(name: str, *arguments: str, **files: str) -> dict[str, Any]:
    return {
        "step": name,
        "arguments": list(arguments),
        "files": {path.replace("__", "/"): content * 64 for path, content in files.items()},
        "trees": {},
        "code": "c" * 64,
        "libraries": "1" * 64,
        "interpreter": "2" * 64,
    }


def layer(title: str, letter: str, made: str, *contents: tuple[str, str, str]) -> dict[str, Any]:
    return {
        "title": title,
        "digest": digest(letter),
        "step": made,
        "contents": [{"type": kind, "name": name, "version": version} for kind, name, version in contents],
    }


def report() -> dict[str, Any]:
    """Return a report of an image with a package, two wheels, one of them built, and sources."""
    return {
        "schema": "slim-python-image.report/2",
        "target": "src:image",
        "digest": digest("a"),
        "step": "index",
        "fields": {"base": "//:base", "layer_budget": 8, "requirements": ["idna>=3", "ujson"]},
        "platforms": [
            {
                "platform": "linux/amd64",
                "digest": digest("b"),
                "step": "image",
                "config": {"env": {"MODE": "quiet"}, "cmd": [], "user": "nonroot"},
                "target": {"python": "3.11.2", "libc": "glibc", "libc_version": "2.36"},
                "interpreter_packages": {"python3.11:amd64": "3.11.2-6"},
                "builder_packages": {"libc6-dev:amd64": "2.36-9"},
                "layers": [
                    layer("data", "0", "debs", ("deb", "tzdata", "1")),
                    layer("idna 3.10", "1", "idna", ("wheel", "idna", "3.10")),
                    layer("ujson 5.9", "2", "ujson", ("wheel", "ujson", "5.9")),
                    layer("sources of src:image", "3", "sources", ("source", "sources of src:image", "")),
                ],
                "wheels": [
                    {"name": "idna", "version": "3.10", "step": None},
                    {"name": "ujson", "version": "5.9", "step": "build"},
                ],
            }
        ],
        "steps": {
            "debs": step("deb-layer", **{"debs__tzdata_1_all.deb": "d"}),
            "idna": step("wheel-layer", **{"wheels__idna-3.10-py3-none-any.whl": "e"}),
            "ujson": step(
                "wheel-layer", "--exclude", "**/x", **{"wheels__ujson-5.9-cp311-cp311-linux_x86_64.whl": "f"}
            ),
            "sources": step("source-layer", sources__shop__app_py="7", files__limits_json="8"),
            "build": {
                **step("build", **{"ujson-5.9.tar.gz": "4"}),
                "trees": {"sysroot": "5" * 64, "zig": "6" * 64},
            },
            "image": step("image", **{"request.json": "9"}),
            "index": step("index", **{"request.json": "a"}),
        },
    }


def edited(key: str, position: Optional[int] = None) -> dict[str, Any]:
    """Return the report of a build in which one step is another, and with it the layer that it made."""
    new = copy.deepcopy(report())
    new["steps"][f"{key}2"] = new["steps"].pop(key)
    new["digest"], new["platforms"][0]["digest"] = digest("c"), digest("d")
    if position is not None:
        new["platforms"][0]["layers"][position].update(digest=digest("e"), step=f"{key}2")
    return new


def lines(new: dict[str, Any], old: Optional[dict[str, Any]] = None) -> list[str]:
    """Return the text below the platform's line, without the count of equal layers."""
    text = text_report([explain(old or report(), new)]).splitlines()
    start = text.index("  linux/amd64: sha256:bbbbbbbbbbbb -> sha256:dddddddddddd")
    assert text[0] == "src:image: sha256:aaaaaaaaaaaa -> sha256:cccccccccccc"
    return [line.strip() for line in text[start + 1 :] if not line.endswith(" the same")]


def test_nothing_changed() -> None:
    found = explain(report(), report())
    assert text_report([found]) == "src:image: the same\n  linux/amd64: the same\n"
    assert {layer.status for layer in found.platforms[0].layers} == {"same"}


def test_source_files() -> None:
    new = edited("sources", 3)
    new["steps"]["sources2"]["files"] = {"sources/shop/app_py": "b" * 64, "sources/shop/new.py": "c" * 64}
    assert lines(new) == [
        "layer `sources of src:image`: sha256:333333333333 -> sha256:eeeeeeeeeeee",
        "file limits_json removed",
        "source file shop/app_py changed",
        "source file shop/new.py added",
    ]
    assert "    3 layers are the same" in text_report([explain(report(), new)])


def test_a_file_that_became_executable() -> None:
    new = edited("sources", 3)
    new["steps"]["sources2"]["files"]["files/limits_json"] += " executable"
    assert lines(new)[1:] == ["file limits_json changed"]


def test_the_version_of_a_wheel_and_of_a_package() -> None:
    new = edited("idna", 1)
    new["steps"]["idna2"]["files"] = {"wheels/idna-3.11-py3-none-any.whl": "b" * 64}
    new["platforms"][0]["layers"][1].update(
        title="idna 3.11", contents=[{"type": "wheel", "name": "idna", "version": "3.11"}]
    )
    assert lines(new) == [
        "layer `idna 3.11`: sha256:111111111111 -> sha256:eeeeeeeeeeee",
        "wheel idna: 3.10 -> 3.11",
    ]
    new = edited("debs", 0)
    new["steps"]["debs2"]["files"] = {"debs/tzdata_2%3a1_all.deb": "b" * 64}
    assert lines(new)[1:] == ["package tzdata:all: 1 -> 2:1"]


def test_another_file_of_the_same_version() -> None:
    new = edited("idna", 1)
    new["steps"]["idna2"]["files"] = {"wheels/idna-3.10-py3-none-any.whl": "b" * 64}
    name = "idna-3.10-py3-none-any.whl sha256:"
    assert lines(new)[1:] == [f"wheel idna: {name}eeeeeeeeeeee -> {name}bbbbbbbbbbbb"]


def rebuilt(**build: Any) -> dict[str, Any]:
    """Return the report of a build in which ujson was built from something else."""
    new = edited("ujson", 2)
    new["steps"]["ujson2"]["files"] = {"wheels/ujson-5.9-cp311-cp311-linux_x86_64.whl": "b" * 64}
    new["steps"]["build2"] = {**new["steps"].pop("build"), **build}
    new["platforms"][0]["wheels"][1]["step"] = "build2"
    return new


def test_a_wheel_that_was_built_says_why() -> None:
    new = rebuilt(trees={"sysroot": "6" * 64, "zig": "7" * 64}, code="d" * 64)
    new["platforms"][0]["builder_packages"] = {"libc6-dev:amd64": "2.36-10", "libpq-dev:amd64": "15"}
    assert lines(new)[2:] == [
        "plugin code of the step build changed",
        "sysroot changed",
        "package libc6-dev:amd64: 2.36-9 -> 2.36-10",
        "package libpq-dev:amd64 added (15)",
        "compiler changed",
    ]
    new = rebuilt(files={"ujson-5.9.tar.gz": "5" * 64, "settings.json": "1" * 64})
    assert lines(new)[2:] == [
        "build settings [slim-image].builds added",
        "sdist ujson: ujson-5.9.tar.gz sha256:444444444444 -> ujson-5.9.tar.gz sha256:555555555555",
    ]


def test_a_wheel_that_is_not_built_any_more() -> None:
    new = rebuilt()
    new["platforms"][0]["wheels"][1]["step"] = None
    assert lines(new)[2:] == ["origin of the wheel ujson: built from its sdist -> fetched as a wheel"]


def test_a_wheel_that_a_step_built_twice_differently() -> None:
    new = rebuilt()
    new["steps"]["build"] = new["steps"].pop("build2")
    new["platforms"][0]["wheels"][1]["step"] = "build"
    assert lines(new)[2:] == [
        "the step build gave different bytes from the same inputs: a bug of the step or of its tools"
    ]


def test_fields_of_layers() -> None:
    new = edited("ujson", 2)
    new["steps"]["ujson2"]["arguments"] = [
        "--exclude",
        "**/x",
        "--exclude",
        "**/y",
        "--title",
        "ujson",
        "--bytecode",
        "none",
    ]
    assert lines(new)[1:] == ["field bytecode added (none)", "field exclude: **/x -> **/x, **/y"]


def test_fields_of_the_configuration() -> None:
    new = edited("image")
    new["platforms"][0].update(
        step="image2",
        config={"env": {"MODE": "loud", "LANG": "C"}, "cmd": ["--port", "1"], "user": "nonroot"},
    )
    new["steps"]["image2"]["files"] = {"request.json": "0" * 64}
    assert lines(new) == [
        "field args added (--port, 1)",
        "field env.LANG added (C)",
        "field env.MODE: quiet -> loud",
    ]


def test_the_plugin_itself_changed() -> None:
    new = edited("image")
    new["platforms"][0]["step"] = "image2"
    new["steps"]["image2"]["code"] = "d" * 64
    assert lines(new) == ["plugin code of the step image changed"]


def test_python_itself_changed() -> None:
    new = edited("idna", 1)
    new["steps"]["idna2"]["interpreter"] = "3" * 64
    new["platforms"][0]["interpreter_packages"] = {"python3.11:amd64": "3.11.2-7"}
    assert lines(new)[1:] == [
        "interpreter that runs the step changed",
        "package python3.11:amd64: 3.11.2-6 -> 3.11.2-7",
    ]


def test_the_target_of_the_base_changed() -> None:
    old, new = report(), edited("idna", 1)
    old["steps"]["idna"]["files"]["target.json"] = "1" * 64
    new["steps"]["idna2"]["files"]["target.json"] = "2" * 64
    new["platforms"][0]["target"]["libc_version"] = "2.41"
    assert lines(new, old)[1:] == [
        "target the base's Python and libc changed",
        "field libc_version: 2.36 -> 2.41",
    ]


def test_a_layer_made_anew_with_the_same_digest() -> None:
    new = report()
    new["platforms"][0]["layers"][1]["step"] = "idna2"
    new["steps"]["idna2"] = {**new["steps"].pop("idna"), "code": "d" * 64}
    assert text_report([explain(report(), new)]).splitlines()[2:] == [
        "    layer `idna 3.10`: the same digest, though its inputs changed",
        "      plugin code of the step wheel-layer changed",
    ]


def test_requirements_and_the_layers_that_come_and_go() -> None:
    new = edited("image")
    new["fields"]["requirements"] = ["idna>=3", "click"]
    platform = new["platforms"][0]
    platform["layers"][2] = layer("click 8", "5", "click", ("wheel", "click", "8"))
    platform["step"] = "image2"
    new["steps"]["click"] = step("wheel-layer", **{"wheels__click-8-py3-none-any.whl": "b"})
    text = text_report([explain(report(), new)]).splitlines()
    assert text[1:3] == ["  requirement ujson removed", "  requirement click added"]
    assert lines(new) == [
        "layer `click 8`: added sha256:555555555555",
        "wheel click added (8 in the layer `click 8`)",
        "layer `ujson 5.9`: removed sha256:222222222222",
        "wheel ujson removed (5.9 in the layer `ujson 5.9`)",
    ]


def test_platforms_that_come_and_go() -> None:
    new = edited("image")
    new["platforms"][0]["platform"] = "linux/arm64"
    text = text_report([explain(report(), new)]).splitlines()
    assert text[1:] == [
        "  linux/arm64: added sha256:dddddddddddd",
        "  linux/amd64: removed sha256:bbbbbbbbbbbb",
    ]


def test_a_base_image_that_moved_for_platforms_of_others() -> None:
    old, new = report(), {**report(), "digest": digest("c")}
    old["fields"]["base_image"], new["fields"]["base_image"] = digest("1"), digest("2")
    assert text_report([explain(old, new)]).splitlines()[1:] == [
        "  field base_image: sha256:111111111111 -> sha256:222222222222",
        "  linux/amd64: the same",
    ]


def test_the_order_of_platforms_and_layers() -> None:
    old = report()
    old["platforms"].append({**copy.deepcopy(old["platforms"][0]), "platform": "linux/arm64"})
    new = {**old, "platforms": old["platforms"][::-1], "digest": digest("c")}
    assert text_report([explain(old, new)]).splitlines()[1] == (
        "  field platforms: linux/amd64, linux/arm64 -> linux/arm64, linux/amd64"
    )
    new = edited("image")
    new["platforms"][0]["layers"].reverse()
    new["platforms"][0]["step"] = "image2"
    assert lines(new) == ["layer order changed"]


def test_a_long_list_is_cut() -> None:
    new = edited("sources", 3)
    new["steps"]["sources2"]["files"] = {f"sources/{n:03}.py": "b" * 64 for n in range(30)}
    assert lines(new)[-1] == "and 12 more, which `--slim-explain-format=json` lists"


def first_version() -> dict[str, Any]:
    """Return a report of the version that did not say what its parts were made from."""
    old = report()
    old["schema"] = "slim-python-image.report/1"
    for key in ("step", "steps", "fields"):
        del old[key]
    for key in ("step", "config", "target", "interpreter_packages", "builder_packages"):
        del old["platforms"][0][key]
    for one in (*old["platforms"][0]["layers"], *old["platforms"][0]["wheels"]):
        del one["step"]
    return old


def test_a_report_that_says_less() -> None:
    new = edited("idna", 1)
    new["platforms"][0]["layers"][1]["contents"][0]["version"] = "3.11"
    assert lines(new, first_version()) == [
        "layer `idna 3.10`: sha256:111111111111 -> sha256:eeeeeeeeeeee",
        "wheel idna: 3.10 -> 3.11",
        "the earlier report does not say what its parts were made from",
    ]
    assert lines(edited("image"), first_version()) == [
        "the earlier report does not say what its parts were made from"
    ]


def test_json_has_whole_digests_and_all_causes() -> None:
    new = edited("sources", 3)
    new["steps"]["sources2"]["files"] = {f"sources/{n:03}.py": "b" * 64 for n in range(30)}
    document = json.loads(json_report([explain(report(), new)]))
    assert document["schema"] == "slim-python-image.explain/1"
    (image,) = document["images"]
    assert (image["target"], image["status"]) == ("src:image", "changed")
    (platform,) = image["platforms"]
    assert [one["status"] for one in platform["layers"]] == ["same", "same", "same", "changed"]
    changed = platform["layers"][3]
    assert (changed["earlier"], changed["current"]) == (digest("3"), digest("e"))
    assert len(changed["causes"]) == 32
    assert changed["causes"][-1] == {
        "kind": "source file",
        "subject": "shop/app_py",
        "earlier": "7" * 64,
        "current": None,
    }


# --- reports on the disk -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "x.json: is not JSON"),
        (
            b"[]",
            "x.json: expected a report (slim-python-image.report/1 or slim-python-image.report/2), found None",
        ),
        (b'{"schema": "slim-python-image.report/9"}', "found 'slim-python-image.report/9'"),
        (b'{"schema": "slim-python-image.report/2"}', "x.json: the report has no target, digest, platforms"),
        (b"\xff\xfe", "x.json: is not JSON"),
    ],
)
def test_what_is_no_report(data: bytes, message: str) -> None:
    with pytest.raises(SlimImageError) as e:
        parse_report(data, "x.json")
    assert message in str(e.value)
    assert "\n  -> name the `<name>.json` that `package` wrote" in str(e.value)


def fields(name: str = "image") -> SlimImageFieldSet:
    return SlimImageFieldSet.create(SlimPythonImageTarget({"base": ":b"}, Address("src", target_name=name)))


def test_reports_are_found_by_target(tmp_path: Path) -> None:
    (tmp_path / "dist/src/layout").mkdir(parents=True)
    (tmp_path / "dist/src/image.json").write_text(json.dumps(report()))
    (tmp_path / "dist/src/other.json").write_text("{}")
    (tmp_path / "dist/src/layout/oci-layout").write_text("{}")
    (tmp_path / "dist/src/layout/index.json").write_text("{}")
    assert list(reports_below(tmp_path)) == ["src:image"]
    expected = {Address("src", target_name="image"): report()}
    for against in ("dist", "dist/src/image.json", str(tmp_path / "dist"), None):
        assert gather(against, [fields()], tmp_path, tmp_path / "dist") == expected


def test_reports_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(
        SlimImageError, match=r"gone\.json: cannot be read \(No such file or directory\)\n  -> give"
    ):
        gather("gone.json", [fields()], tmp_path, tmp_path)
    with pytest.raises(
        SlimImageError, match=r"holds no report of src:other, but of: none\n  -> give --against"
    ):
        gather(".", [fields("other")], tmp_path, tmp_path)
    (tmp_path / "image.json").write_text(json.dumps(report()))
    with pytest.raises(SlimImageError, match=r"holds no report of src:other, but of: src:image"):
        gather("image.json", [fields(), fields("other")], tmp_path, tmp_path)


def test_one_image_may_be_compared_with_another(tmp_path: Path) -> None:
    file = tmp_path / "image.json"
    file.write_text("")
    assert choose("src:other", {"src:image": report()}, file, alone=True) == report()


def test_an_explanation_is_a_value() -> None:
    found: Explanation = explain(report(), edited("sources", 3))
    assert found == explain(report(), edited("sources", 3))
    assert len({found}) == 1


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    assert write_file(tmp_path, "a/b.svg", "ü") == "Wrote a/b.svg\n"
    assert (tmp_path / "a/b.svg").read_text(encoding="utf-8") == "ü"
    with pytest.raises(SlimImageError, match=r"a/b\.svg/c\.svg: cannot be written"):
        write_file(tmp_path, "a/b.svg/c.svg", "")

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from pants.backend.python.target_types import PythonRequirementTarget, PythonSourceTarget
from pants.engine.addresses import Address
from pants.engine.target import Target

from slim_python_image.products import Root, SlimImageError
from slim_python_image.target_types import SlimPythonImageTarget
from slim_python_image.util_rules.image_definition import image_config
from slim_python_image.util_rules.requirements import binary_choices, requirements_of

OWNER = Address("src/x", target_name="image")
BASE = "//3rdparty/debian:b"


def image(**fields: Any) -> SlimPythonImageTarget:
    return SlimPythonImageTarget({"base": BASE, **fields}, OWNER)


def requirement(name: str, *requirements: str, resolve: str | None = None) -> Target:
    return PythonRequirementTarget(
        {"requirements": list(requirements), "resolve": resolve}, Address("3rdparty", target_name=name)
    )


def setup(**changes: Any) -> Any:
    """Stand in for the options of `[python]`."""
    options = {"resolves_to_no_binary": {}, "resolves_to_only_binary": {}, **changes.pop("options", {})}
    fields = {
        "enable_resolves": True,
        "default_resolve": "main",
        "resolves": {"main": "3rdparty/main.lock", "other": "3rdparty/other.lock"},
        "default_to_resolve_interpreter_constraints": False,
        **changes,
    }
    return SimpleNamespace(**fields, options=SimpleNamespace(**options))


# --- requirements ------------------------------------------------------------------------------------


def test_requirements_of_one_resolve() -> None:
    targets = [
        requirement("web", "uvicorn[standard]>=0.3", "httpx"),
        requirement("a", "idna", resolve="main"),
    ]
    found = requirements_of(targets, OWNER, setup())
    assert found.roots == (
        Root("httpx", "3rdparty:web"),
        Root("idna", "3rdparty:a"),
        Root("uvicorn[standard]>=0.3", "3rdparty:web"),
    )
    assert (found.resolve, found.lockfile) == ("main", "3rdparty/main.lock")


def test_sources_alone_decide_the_resolve_too() -> None:
    source = PythonSourceTarget({"source": "a.py", "resolve": "other"}, Address("src/a"))
    found = requirements_of([source], OWNER, setup())
    assert (found.roots, found.resolve, found.lockfile) == ((), "other", "3rdparty/other.lock")


def test_without_requirements_the_default_resolve_it_is() -> None:
    assert requirements_of([], OWNER, setup()).lockfile == "3rdparty/main.lock"


def test_requirements_of_two_resolves() -> None:
    targets = [requirement("a", "idna", resolve="other"), requirement("b", "httpx")]
    with pytest.raises(SlimImageError) as e:
        requirements_of(targets, OWNER, setup())
    assert str(e.value) == (
        "src/x:image: its dependencies are of several resolves\n"
        "  main: 3rdparty:b\n"
        "  other: 3rdparty:a\n"
        "  -> one image takes its wheels from one lockfile; use the same `resolve` throughout"
    )


def test_without_resolves_nothing_pins_the_wheels() -> None:
    with pytest.raises(SlimImageError) as e:
        requirements_of([], OWNER, setup(enable_resolves=False))
    assert str(e.value) == (
        "src/x:image: no lockfile pins the wheels\n"
        "  -> set `[python].enable_resolves = true` and `[python].resolves` in pants.toml"
    )


def test_choices_of_the_target_add_to_those_of_the_resolve() -> None:
    options = {
        "resolves_to_no_binary": {"__default__": ["numpy"], "other": ["lxml"]},
        "resolves_to_only_binary": {"__default__": [":all:"]},
    }
    target = image(entry_point="m", no_binary=["ujson"], only_binary=["scipy"])
    assert binary_choices(target, "main", setup(options=options)) == (("numpy", "ujson"), (":all:", "scipy"))
    assert binary_choices(target, "other", setup(options=options)) == (("lxml", "ujson"), (":all:", "scipy"))


# --- what the container runs ---------------------------------------------------------------------------


def test_the_defaults_of_the_configuration() -> None:
    config = image_config(image(entry_point="m"), ("/app/bin/python",)).to_dict()
    assert config == {
        "entrypoint": ["/app/bin/python"],
        "cmd": [],
        "env": {
            "LANG": "C.UTF-8",
            "PATH": "/app/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt",
        },
        "user": "nonroot",
        "workdir": "/app",
        "exposed_ports": [],
        "volumes": [],
        "labels": {},
        "stop_signal": None,
    }


def test_fields_reach_the_configuration() -> None:
    target = image(
        entry_point="m",
        args=["--port", "1"],
        env={"LANG": "de_DE.UTF-8", "A": "b"},
        user="root",
        workdir="/srv",
        ports=["1/udp"],
        volumes=["/data"],
        labels={"b": "2", "a": "1"},
        stop_signal="SIGINT",
    )
    config = image_config(target, ()).to_dict()
    assert (config["env"]["LANG"], config["env"]["A"]) == ("de_DE.UTF-8", "b")
    assert list(config["labels"]) == ["a", "b"]
    assert [config[key] for key in ("cmd", "user", "workdir", "exposed_ports", "volumes", "stop_signal")] == [
        ["--port", "1"],
        "root",
        "/srv",
        ["1/udp"],
        ["/data"],
        "SIGINT",
    ]

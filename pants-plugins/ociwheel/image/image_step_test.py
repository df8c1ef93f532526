import argparse
import copy
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ociwheel.errors import ImageError, OciwheelError, UsageError
from ociwheel.image import image_step, index_step

_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
Step = Callable[[dict[str, Any]], dict[str, Any]]


def _layer(digit: str, **more: Any) -> dict[str, Any]:
    return {
        "schema": "ociwheel.layer/1",
        "descriptor": {"mediaType": _GZIP, "digest": f"sha256:{digit * 64}", "size": 100},
        "diff_id": f"sha256:{digit * 63}0",
        "unpacked_size": 300,
        "files": 3,
        "title": f"layer {digit}",
        "contents": [{"type": "wheel", "name": "demo", "version": digit}],
        **more,
    }


_REQUEST: dict[str, Any] = {
    "platform": "linux/arm/v7",
    "layers": [_layer("1"), _layer("2")],
    "config": {
        "entrypoint": ["/app/bin/python", "-m", "demo"],
        "cmd": ["--help"],
        "env": {"PATH": "/app/bin", "A": "b=c"},
        "user": "65532:65532",
        "workdir": "/app",
        "exposed_ports": [8080, "53/udp"],
        "volumes": ["/data"],
        "labels": {"x": "y"},
        "stop_signal": "SIGINT",
    },
    "created": 86400,
    "annotations": {"org.opencontainers.image.title": "demo"},
}


@pytest.fixture
def image(tmp_path: Path) -> Step:
    return _step(image_step, tmp_path)


@pytest.fixture
def index(tmp_path: Path) -> Step:
    return _step(index_step, tmp_path)


def _step(module: Any, tmp_path: Path) -> Step:
    def run(request: dict[str, Any]) -> dict[str, Any]:
        (tmp_path / "request.json").write_text(json.dumps(request))
        parser = argparse.ArgumentParser()
        module.configure(parser)
        arguments = ["--request", str(tmp_path / "request.json"), "--output", str(tmp_path / "out")]
        result: dict[str, Any] = module.run(parser.parse_args(arguments))
        return result

    return run


def _blob(tmp_path: Path, descriptor: dict[str, Any]) -> dict[str, Any]:
    data = (tmp_path / "out/blobs/sha256" / descriptor["digest"][7:]).read_bytes()
    assert f"sha256:{hashlib.sha256(data).hexdigest()}" == descriptor["digest"]
    assert len(data) == descriptor["size"]
    value: dict[str, Any] = json.loads(data)
    return value


def test_config_and_manifest(tmp_path: Path, image: Step) -> None:
    result = image(_REQUEST)
    config = _blob(tmp_path, result["config"])
    assert config == {
        "created": "1970-01-02T00:00:00Z",
        "architecture": "arm",
        "os": "linux",
        "variant": "v7",
        "config": {
            "Entrypoint": ["/app/bin/python", "-m", "demo"],
            "Cmd": ["--help"],
            "Env": ["A=b=c", "PATH=/app/bin"],
            "User": "65532:65532",
            "WorkingDir": "/app",
            "ExposedPorts": {"8080/tcp": {}, "53/udp": {}},
            "Volumes": {"/data": {}},
            "Labels": {"x": "y"},
            "StopSignal": "SIGINT",
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{'1' * 63}0", f"sha256:{'2' * 63}0"]},
        "history": [
            {"created": "1970-01-02T00:00:00Z", "created_by": "layer 1", "comment": "demo 1"},
            {"created": "1970-01-02T00:00:00Z", "created_by": "layer 2", "comment": "demo 2"},
        ],
    }
    assert _blob(tmp_path, result["manifest"]) == {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": result["config"],
        "layers": [
            {"mediaType": _GZIP, "digest": f"sha256:{'1' * 64}", "size": 100},
            {"mediaType": _GZIP, "digest": f"sha256:{'2' * 64}", "size": 100},
        ],
        "annotations": {"org.opencontainers.image.title": "demo"},
    }
    assert result["manifest"]["platform"] == {"architecture": "arm", "os": "linux", "variant": "v7"}
    assert result["size"] == 200 + result["config"]["size"] + result["manifest"]["size"]
    assert result["layers"] == 2
    # Golden: changes only with what an image says of itself. A change belongs in the changelog.
    assert (
        result["manifest"]["digest"]
        == "sha256:ac047f708c564e7c01b424a90b7e2f2b6f71cb72cdcaa5a385660b6d20485469"
    )


def test_what_is_not_asked_for_is_not_there(tmp_path: Path, image: Step) -> None:
    result = image({"platform": "linux/amd64", "layers": [_layer("1")], "config": {"stop_signal": None}})
    assert _blob(tmp_path, result["config"])["config"] == {}
    assert "annotations" not in _blob(tmp_path, result["manifest"])


def test_layers_of_a_registry_become_oci_layers(tmp_path: Path, image: Step) -> None:
    docker = _layer("3")
    docker["descriptor"]["mediaType"] = "application/vnd.docker.image.rootfs.diff.tar.gzip"
    empty = _layer("4", unpacked_size=0)
    result = image({**_REQUEST, "layers": [docker, empty, empty]})
    assert {layer["mediaType"] for layer in _blob(tmp_path, result["manifest"])["layers"]} == {_GZIP}
    assert result["size"] == 200 + result["config"]["size"] + result["manifest"]["size"]


def test_a_long_comment_is_cut(tmp_path: Path, image: Step) -> None:
    contents = [{"type": "wheel", "name": f"n{n}", "version": "1"} for n in range(15)]
    result = image({**_REQUEST, "layers": [_layer("1", contents=contents)]})
    comment = _blob(tmp_path, result["config"])["history"][0]["comment"]
    assert comment.startswith("n0 1, n1 1, ")
    assert comment.endswith(", n11 1 and 3 more")


def _changed(path: str, value: Any) -> dict[str, Any]:
    request = copy.deepcopy(_REQUEST)
    at: Any = request
    *folders, last = path.split(".")
    for key in folders:
        at = at[int(key) if key.isdigit() else key]
    at[last] = value
    return request


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("layers", [], "layers: an image needs a list of at least one layer document"),
        ("layers", [_layer("1"), _layer("1")], "layers[1]: repeats layers[0]: layer 1"),
        (
            "layers",
            [_layer("1")] * 128,
            "layers: 128 layers are more than the 127 that Docker can mount\n  -> let wheels share layers",
        ),
        ("layers.0.diff_id", "x", "layers[0].diff_id: expected a digest, found 'x'"),
        (
            "layers.1.descriptor",
            {"mediaType": _GZIP, "size": 1, "digest": "sha256:xyz"},
            "layers[1].descriptor: expected a digest sha256:<64 hex digits>, found 'sha256:xyz'",
        ),
        (
            "layers.1.descriptor.mediaType",
            "text/plain",
            "layers[1].descriptor: 'text/plain' is not a layer's media type",
        ),
        ("config.workdir", "app", "config.workdir: expected an absolute path, found 'app'"),
        ("config.volumes", ["data"], "config.volumes: expected an absolute path, found 'data'"),
        (
            "config.user",
            "a b",
            "config.user: expected a user such as nonroot, 1000 or 1000:1000, found 'a b'",
        ),
        ("config.healthcheck", {}, "config.healthcheck: has no command"),
        (
            "config.healthcheck",
            {"command": ["a"], "retries": 0},
            "config.healthcheck: expected numbers above 0, found {'command': ['a'], 'retries': 0}",
        ),
        (
            "config.healthcheck",
            {"cmd": 1},
            (
                "config.healthcheck: expected a command and interval, timeout, "
                "start_period, retries, found {'cmd': 1}"
            ),
        ),
        (
            "config.stop_signal",
            "TERM!",
            "config.stop_signal: expected a signal such as SIGTERM, found 'TERM!'",
        ),
        ("config.env", {"A=B": "c"}, "config.env: 'A=B' cannot be an environment variable"),
        ("config.labels", {"a": 1}, "config.labels: expected an object whose values are strings"),
        ("config.entrypoint", "sh", "config.entrypoint: expected a list of strings, found 'sh'"),
        ("config.entry_point", [], "config: unknown keys: entry_point"),
        (
            "config.exposed_ports",
            ["70000"],
            "config.exposed_ports: expected a port such as 8080, 8080/tcp or 53/udp, found '70000'",
        ),
        ("created", "now", "created: expected seconds since 1970, found 'now'"),
        ("annotations", {"a": None}, "annotations: expected an object whose values are strings"),
    ],
)
def test_requests_that_make_no_image(image: Step, path: str, value: Any, message: str) -> None:
    with pytest.raises(ImageError) as e:
        image(_changed(path, value))
    assert str(e.value) == message


def test_all_faults_come_at_once(image: Step) -> None:
    with pytest.raises(ImageError) as e:
        image({**_changed("config.workdir", "app"), "layers": [], "created": None})
    assert str(e.value) == (
        "3 problems:\n"
        "  layers: an image needs a list of at least one layer document\n"
        "  config.workdir: expected an absolute path, found 'app'\n"
        "  created: expected seconds since 1970, found None"
    )


def test_an_unknown_platform(image: Step) -> None:
    with pytest.raises(UsageError) as e:
        image(_changed("platform", "linux/vax"))
    assert str(e.value).startswith("unknown platform 'linux/vax'\n  -> use one of: linux/amd64, ")


def _manifest(digit: str, architecture: str, **more: str) -> dict[str, Any]:
    return {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": f"sha256:{digit * 64}",
        "size": 5,
        "platform": {"os": "linux", "architecture": architecture, **more},
    }


def test_index_and_layout(tmp_path: Path, index: Step) -> None:
    arm, amd = _manifest("a", "arm", variant="v7"), _manifest("b", "amd64")
    result = index({"manifests": [arm, amd], "annotations": {"k": "v"}, "name": "1.0"})
    assert _blob(tmp_path, result["descriptor"]) == {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [amd, arm],
        "annotations": {"k": "v"},
    }
    assert json.loads((tmp_path / "out/index.json").read_bytes()) == {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [
            {**result["descriptor"], "annotations": {"org.opencontainers.image.ref.name": "1.0"}},
        ],
    }
    assert (tmp_path / "out/oci-layout").read_bytes() == b'{"imageLayoutVersion":"1.0.0"}'
    assert index({"manifests": [amd, arm], "annotations": {"k": "v"}, "name": "2.0"}) == result


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"manifests": []}, "manifests: an index needs a list of at least one manifest"),
        (
            {"manifests": [_manifest("a", "arm"), _manifest("b", "arm")], "name": "x"},
            "manifests[1]: there is a second manifest for linux/arm",
        ),
        (
            {"manifests": [{**_manifest("a", "arm"), "platform": None}], "name": "x"},
            "manifests[0]: the descriptor needs a platform with os and architecture",
        ),
        (
            {"manifests": [{**_manifest("a", "arm"), "mediaType": _GZIP}], "name": "x"},
            f"manifests[0]: {_GZIP!r} is not an image manifest",
        ),
        ({"manifests": [_manifest("a", "arm")], "name": "a b"}, "name: 'a b' cannot be a reference name"),
    ],
)
def test_requests_that_make_no_index(index: Step, request_: dict[str, Any], message: str) -> None:
    with pytest.raises(OciwheelError) as e:
        index(request_)
    assert str(e.value) == message

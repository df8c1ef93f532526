"""The step `push` as the first of a run: it sends the other images too, as far as it can."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path

import pytest

from tests.support.faulty_registry import Asked, Instead, faulty
from tests.support.pusher import Pusher
from tests.support.registry_server import Registry, login
from tests.support.small_image import digest_of, manifests_of, write_layout


def leave(run: Path, name: str, layout: Path, *images: str, without: str = "", **more: object) -> None:
    """Leave an image to the first push of a run, as the goal does.

    :param without: digest of a blob that is not left.
    """
    run.mkdir(exist_ok=True)
    shutil.copytree(layout, run / name)
    if without:
        (run / name / "blobs/sha256" / without.partition(":")[2]).unlink()
    document = {"images": images, "digest": digest_of(layout), "origins": {}, **more}
    (run / f"{name}.json").write_text(json.dumps(document))


def base_of(layout: Path) -> str:
    """Return the digest of a layer that all images of one `common` have."""
    digest = manifests_of(layout)[0]["layers"][0]["digest"]
    assert isinstance(digest, str)
    return digest


def done(run: Path) -> list[str]:
    """Return the images that are marked."""
    return sorted(path.stem for path in run.glob("*.done"))


def test_the_first_push_of_a_run_says_which_others_need_none(
    registry: Registry, push: Pusher, tmp_path: Path
) -> None:
    layouts = {name: write_layout(tmp_path / name, f"print({name!r})") for name in ("a", "b", "c")}
    run = tmp_path / "run"
    run.mkdir()
    for name, layout in layouts.items():
        images = [f"{registry.host}/run/{name}:{tag}" for tag in ("1", "2")]
        (run / f"{name}.json").write_text(json.dumps({"images": images, "digest": digest_of(layout)}))
    push(layouts["b"], *(f"--image={registry.host}/run/b:{tag}" for tag in ("1", "2")))
    push(layouts["c"], f"--image={registry.host}/run/c:1")
    (run / "d.json").write_text('{"images": ["127.0.0.1:1/nobody/listens:1"], "digest": "sha256:0"}')
    process = push.start(layouts["a"], f"--image={registry.host}/run/a:1", f"--run={run}")
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    # `c` lacks a tag and left nothing that could be sent, and nobody answers for `d`: their own pushes meet that.
    assert done(run) == ["b"]
    assert f"{registry.host}/run/b:1,2: already there, nothing sent; {digest_of(layouts['b'])}" in err
    (run / "b.done").unlink()
    push(layouts["c"], f"--image={registry.host}/run/c:1", f"--run={run}")
    assert not list(run.glob("*.done")), "one push of a run asks for all"


def test_the_first_push_of_a_run_sends_the_others_too(
    registry: Registry, push: Pusher, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    names = ("a", "b", "c", "d")
    layouts = {name: write_layout(tmp_path / name, f"print({name!r})", b"together") for name in names}
    base = base_of(layouts["a"])
    for name, layout in layouts.items():
        # The base is not left to anybody: the push that is run has it, as all images have it.
        leave(run, name, layout, f"{registry.host}/together/{name}:1", without=base)
    lacking = manifests_of(layouts["d"])[0]["layers"][1]["digest"]
    (run / "d/blobs/sha256" / lacking.partition(":")[2]).unlink()
    registry.accesses()
    process = push.start(layouts["a"], f"--image={registry.host}/together/a:1", f"--run={run}")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    log = registry.accesses()
    assert done(run) == ["b", "c"]
    sent = [one.sent_blob for one in log if one.sent_blob]
    assert len(sent) == len(set(sent)), "a blob that images share goes up once"
    assert sum(one.path == "/v2/" for one in log) == 1
    for name in ("a", "b", "c"):
        assert registry.check_complete(f"together/{name}", "1") == 6
        assert registry.tag(f"together/{name}", "1") == digest_of(layouts[name])
    for name in ("b", "c"):
        assert f"{registry.host}/together/{name}:1: sent " in err
    # The document is of what the step was asked for, and a layer of `d` is not at hand.
    assert json.loads(out)["digest"] == digest_of(layouts["a"])
    assert registry.tag("together/d", "1") is None
    assert not [one for one in log if one.sent_manifest and "/together/d/" in one.path]
    assert not [path for path in run.iterdir() if path.is_dir()], "what was left is needed no more"
    push(layouts["d"], f"--image={registry.host}/together/d:1", f"--run={run}")
    assert registry.check_complete("together/d", "1") == 6


def test_images_of_a_run_go_side_by_side(registry: Registry, push: Pusher, tmp_path: Path) -> None:
    run = tmp_path / "run"
    both = threading.Barrier(2, timeout=30)
    met: set[str] = set()

    def meet(asked: Asked) -> Instead | None:
        name = asked.path.split("/")[3] if asked.is_upload else ""
        if name and name not in met:
            met.add(name)
            both.wait()
        return None

    with faulty(registry.port, meet) as host:
        layouts = {name: write_layout(tmp_path / name, name, name.encode()) for name in ("a", "b")}
        for name, layout in layouts.items():
            leave(run, name, layout, f"{host}/beside/{name}:1")
        push(layouts["a"], f"--image={host}/beside/a:1", f"--run={run}", "--jobs=2")
    assert not both.broken, "one image waited for the other"
    assert done(run) == ["b"]


@pytest.mark.parametrize("broken", ["index.json", "digest", "layer", "refused"])
def test_an_image_that_cannot_be_sent_is_left_to_its_own_push(
    registry: Registry, push: Pusher, tmp_path: Path, broken: str
) -> None:
    run = tmp_path / "run"
    layouts = {name: write_layout(tmp_path / name, name, broken.encode()) for name in ("a", "b")}

    def refuse(asked: Asked) -> Instead | None:
        writes = asked.method in ("POST", "PUT") and f"/{broken}/b/" in asked.path
        return Instead(403) if writes and broken == "refused" else None

    with faulty(registry.port, refuse) as host:
        more = {"digest": "sha256:" + "0" * 64} if broken == "digest" else {}
        leave(run, "b", layouts["b"], f"{host}/{broken}/b:1", **more)
        if broken == "index.json":
            (run / "b/index.json").write_text("{}")
        if broken == "layer":
            layer = manifests_of(layouts["b"])[0]["layers"][1]["digest"].partition(":")[2]
            (run / "b/blobs/sha256" / layer).write_bytes(b"short")
        push(layouts["a"], f"--image={host}/{broken}/a:1", f"--run={run}")
        assert done(run) == []
        assert registry.tag(f"{broken}/b", "1") is None
        if broken == "refused":
            assert "403" in push.fails(layouts["b"], f"--image={host}/{broken}/b:1", f"--run={run}")
        else:
            push(layouts["b"], f"--image={host}/{broken}/b:1", f"--run={run}")
            assert registry.check_complete(f"{broken}/b", "1") == 6


def test_a_push_that_fails_fails_by_itself(registry: Registry, push: Pusher, tmp_path: Path) -> None:
    run = tmp_path / "run"
    layouts = {name: write_layout(tmp_path / name, name, b"by itself") for name in ("a", "b")}

    def refuse(asked: Asked) -> Instead | None:
        return Instead(403) if asked.method == "POST" and "/itself/a/" in asked.path else None

    with faulty(registry.port, refuse) as host:
        leave(run, "b", layouts["b"], f"{host}/itself/b:1")
        assert "403" in push.fails(layouts["a"], f"--image={host}/itself/a:1", f"--run={run}")
    assert done(run) == ["b"]
    assert registry.check_complete("itself/b", "1") == 6


def test_one_login_for_all_images_of_a_run(guarded: Registry, push: Pusher, tmp_path: Path) -> None:
    login(push.home / ".docker/config.json", guarded.host, "ali:open sesame")
    run = tmp_path / "run"
    layouts = {name: write_layout(tmp_path / name, name) for name in ("a", "b")}
    for name, layout in layouts.items():
        leave(run, name, layout, f"{guarded.host}/login/{name}:1")
    guarded.accesses()
    push(layouts["a"], f"--image={guarded.host}/login/a:1", f"--run={run}")
    log = guarded.accesses()
    assert done(run) == ["b"]
    assert [one.path for one in log if one.status == 401] == ["/v2/"]
    assert sum(one.path == "/v2/" for one in log) == 1

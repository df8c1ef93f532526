"""The step `push` against a real registry, and against one behind a proxy that has a bad day."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ociwheel.cli.main import main
from ociwheel.registry.push_step import origins
from tests.support.faulty_registry import (
    Asked,
    Fault,
    FirstUploads,
    Instead,
    break_tag,
    denied,
    every_third,
    faulty,
    retry_later,
    truncated,
)
from tests.support.pusher import Pusher
from tests.support.registry_server import Registry, login
from tests.support.small_image import digest_of, manifests_of, write_layout


@pytest.fixture
def impatient(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Give the step in this process, without pauses between attempts; it has to fail, its error comes back."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("ociwheel.registry.session.BACKOFF", 0.0)

    def fail(layout: Path, *arguments: str) -> str:
        assert main(["push", "--layout", str(layout), *arguments]) == 21
        out, err = capsys.readouterr()
        assert json.loads(out)["kind"] == "registry"
        return err[err.index("error: ") :]

    return fail


def test_content_first_tags_last_and_the_second_time_nothing(
    registry: Registry, push: Pusher, tmp_path: Path
) -> None:
    layout = write_layout(tmp_path / "layout", "print(1)")
    images = [f"--image={registry.host}/first/a:{tag}" for tag in ("1.0", "latest")]
    registry.accesses()
    document = push(layout, *images)
    log = registry.accesses()
    stored = [one.sent_manifest for one in log if one.sent_manifest]
    blobs = [one.sent_blob for one in log if one.sent_blob]
    assert len(blobs) == len(set(blobs)) == 5
    assert max(n for n, one in enumerate(log) if one.sent_blob) < min(
        n for n, one in enumerate(log) if one.sent_manifest
    )
    # The index goes up with its first tag, which no tag of an incomplete image can be.
    assert stored[2:] == ["1.0", "latest"]
    assert all(reference.startswith("sha256:") for reference in stored[:2])
    assert registry.tag("first/a", digest_of(layout)) == digest_of(layout)
    assert registry.check_complete("first/a", "1.0") == 6
    assert registry.tag("first/a", "latest") == digest_of(layout) == document["digest"]
    assert document["reference"] == f"{registry.host}/first/a@{digest_of(layout)}"

    registry.accesses()
    assert push(layout, *images)["sent_bytes"] == 0
    again = registry.accesses()
    assert not [one for one in again if one.writes]
    assert [one.method for one in again] == ["GET", "HEAD", "HEAD"]


def test_another_tag_of_what_is_there_moves_only_the_tag(
    registry: Registry, push: Pusher, tmp_path: Path
) -> None:
    layout = write_layout(tmp_path / "layout", "print(1)")
    push(layout, f"--image={registry.host}/tags/a:1.0")
    registry.accesses()
    document = push(layout, f"--image={registry.host}/tags/a:1.0", f"--image={registry.host}/tags/a:2.0")
    assert [one.path for one in registry.accesses() if one.writes] == ["/v2/tags/a/manifests/2.0"]
    assert document["tags"] == ["2.0"]


def test_after_an_edit_only_what_changed_goes_up(registry: Registry, push: Pusher, tmp_path: Path) -> None:
    push(write_layout(tmp_path / "before", "print(1)"), f"--image={registry.host}/edit/a:latest")
    document = push(write_layout(tmp_path / "after", "print(2)"), f"--image={registry.host}/edit/a:latest")
    # The source layer is one for both platforms.
    assert (len(document["sent"]), document["present"], len(document["manifests"])) == (3, 2, 3)
    assert registry.tag("edit/a", "latest") == digest_of(tmp_path / "after")


def test_what_a_tags_image_has_is_not_asked_for_blob_by_blob(
    registry: Registry, push: Pusher, tmp_path: Path
) -> None:
    image = f"--image={registry.host}/asked/a:latest"
    push(write_layout(tmp_path / "one", "print(1)"), image)
    registry.accesses()
    second = push(write_layout(tmp_path / "two", "print(2)"), image)
    log = registry.accesses()
    asked = [one.path.rpartition("/")[2] for one in log if one.method == "HEAD" and "/blobs/" in one.path]
    # Nor is a configuration, which is of one manifest alone: what is left is the source layer.
    configs = {one["config"]["digest"] for one in manifests_of(tmp_path / "two")}
    assert len(configs) == 2
    assert sorted(asked) == sorted({one["digest"] for one in second["sent"]} - configs)
    assert second["present"] > 0
    assert registry.check_complete("asked/a", "latest") == 6
    # And nothing is asked or sent twice: the index is that of its tag.
    index = digest_of(tmp_path / "two")
    assert [one.method for one in log if index in one.path] == []
    assert [one.method for one in log if one.path.endswith("/manifests/latest")] == ["HEAD", "PUT"]
    assert len(log) == 17


def test_an_index_that_is_there_by_its_digest_alone_gets_its_tag(
    registry: Registry, push: Pusher, tmp_path: Path
) -> None:
    layout = write_layout(tmp_path / "layout", "print(1)")
    push(layout, f"--image={registry.host}/again/a:1.0")
    push(write_layout(tmp_path / "newer", "print(2)"), f"--image={registry.host}/again/a:1.0")
    registry.accesses()
    document = push(layout, f"--image={registry.host}/again/a:1.0")
    assert [one.path for one in registry.accesses() if one.writes] == ["/v2/again/a/manifests/1.0"]
    assert (document["sent"], len(document["manifests"]), document["tags"]) == ([], 1, ["1.0"])


def test_blobs_that_images_share_go_up_once(registry: Registry, push: Pusher, tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        layout = write_layout(tmp_path / name, f"print({name!r})", common=b"shared")
        registry.accesses()
        document = push(layout, f"--image={registry.host}/shared/{name}:latest")
        log = registry.accesses()
        expected = (5, 0) if name == "one" else (3, 2)
        assert (len(document["sent"]), len(document["mounted"])) == expected
        assert (sum(bool(a.sent_blob) for a in log), sum(bool(a.mounted_blob) for a in log)) == expected
        assert registry.check_complete(f"shared/{name}", "latest") == 6


def test_blobs_of_a_base_are_mounted_from_its_repository(
    registry: Registry, push: Pusher, tmp_path: Path
) -> None:
    base = write_layout(tmp_path / "base", "base")
    push(base, f"--image={registry.host}/library/python:3.11")
    child = write_layout(tmp_path / "child", "child")
    shared = {path.name for path in (base / "blobs/sha256").iterdir()}
    shared &= {path.name for path in (child / "blobs/sha256").iterdir()}
    for name in shared:
        (child / "blobs/sha256" / name).unlink()
    repositories = tmp_path / "origins.json"
    place = [f"{registry.host}/library/python", "elsewhere.example.com/library/python"]
    repositories.write_text(json.dumps({f"sha256:{name}": place for name in shared}))
    (push.home / "known.json").unlink()
    document = push(child, f"--image={registry.host}/based/a:1", f"--origins={repositories}")
    assert {one["digest"].partition(":")[2] for one in document["mounted"]} == shared
    assert registry.check_complete("based/a", "1") == 6


def test_a_registry_that_does_not_mount_is_sent_what_another_repository_of_it_has(
    registry: Registry, push: Pusher, tmp_path: Path
) -> None:
    """A base's blobs, which this machine need not have; some registries mount nothing, or not everything."""
    push(write_layout(tmp_path / "base", "base", b"aside"), f"--image={registry.host}/aside/python:3.11")
    child = write_layout(tmp_path / "child", "child", b"aside")
    blobs = {path.name for path in (tmp_path / "base/blobs/sha256").iterdir()}
    shared = blobs & {path.name for path in (child / "blobs/sha256").iterdir()}
    for name in shared:
        (child / "blobs/sha256" / name).unlink()

    def not_mounting(asked: Asked) -> Instead | None:
        mounts = asked.method == "POST" and "mount=" in asked.path
        return Instead(202, headers={"Location": "/v2/never"}) if mounts else None

    def not_readable(asked: Asked) -> Instead | None:
        return Instead(403) if "/aside/python/" in asked.path else None

    repositories = tmp_path / "origins.json"
    with faulty(registry.port, not_mounting) as host:
        repositories.write_text(json.dumps({f"sha256:{name}": [f"{host}/aside/python"] for name in shared}))
        document = push(child, f"--image={host}/aside/a:1", f"--origins={repositories}")
    assert shared <= {one["digest"].partition(":")[2] for one in document["sent"]}
    assert registry.check_complete("aside/a", "1") == 6
    with faulty(registry.port, not_readable) as host:
        repositories.write_text(json.dumps({f"sha256:{name}": [f"{host}/aside/python"] for name in shared}))
        error = push.fails(child, f"--image={host}/aside/b:1", f"--origins={repositories}")
    assert "neither this machine nor a repository that it may read has the blob sha256:" in error
    assert "answered 403 Forbidden" in error
    assert error.count("error:") == 1
    assert registry.tag("aside/b", "1") is None


def test_a_base_of_docker_s_own_registry_has_a_place_there() -> None:
    listed = {"sha256:a": ["python"], "sha256:b": ["r.example.com:5000/python"]}
    assert origins(listed, "docker.io") == {"sha256:a": ("library/python",)}
    assert origins(listed, "r.example.com:5000") == {"sha256:b": ("python",)}


def test_a_place_that_has_the_blob_no_more_is_no_reason_to_fail(
    registry: Registry, push: Pusher, tmp_path: Path
) -> None:
    layout = write_layout(tmp_path / "layout", "gone", common=b"gone")
    layers = {f"sha256:{path.name}": ["nowhere/x"] for path in (layout / "blobs/sha256").iterdir()}
    (push.home / "known.json").write_text(json.dumps({registry.host: layers}))
    assert len(push(layout, f"--image={registry.host}/gone/a:1")["sent"]) == 5
    (push.home / "known.json").write_text("{damaged")
    assert push(layout, f"--image={registry.host}/gone/b:1")["sent"]


def test_blobs_go_up_side_by_side(registry: Registry, push: Pusher, tmp_path: Path) -> None:
    layout = write_layout(tmp_path / "layout", "side by side", common=b"side by side")
    both = threading.Barrier(2, timeout=30)
    first = iter(range(2))

    def meet(asked: Asked) -> Instead | None:
        if asked.is_upload and next(first, None) is not None:
            both.wait()
        return None

    with faulty(registry.port, meet) as host:
        push(layout, f"--image={host}/parallel/a:1", "--jobs=2")
    assert not both.broken, "one upload waited for the other"
    assert registry.check_complete("parallel/a", "1") == 6


def test_a_dry_run_counts_the_bytes_and_writes_nothing(
    registry: Registry, push: Pusher, tmp_path: Path
) -> None:
    layout = write_layout(tmp_path / "layout", "dry", common=b"dry")
    registry.accesses()
    image = f"--image={registry.host}/dry/a:1"
    plan = push(layout, image, "--dry-run")
    assert not [one for one in registry.accesses() if one.writes]
    assert registry.tag("dry/a", "1") is None
    done = push(layout, image)
    assert plan["sent_bytes"] == done["sent_bytes"] > 0
    assert plan["tags"] == done["tags"] == ["1"]


def test_a_blob_that_the_registry_lost_is_sent_again(
    registry: Registry, push: Pusher, tmp_path: Path
) -> None:
    """The image that the tag names shows that its blobs are there, and so does a manifest that is there: until not."""
    image = f"--image={registry.host}/lost/a:latest"
    push(write_layout(tmp_path / "one", "print(1)", b"to be lost"), image)
    after = write_layout(tmp_path / "two", "print(2)", b"to be lost")
    base = manifests_of(after)[0]["layers"][0]["digest"]
    registry.lose("lost/a", base)
    document = push(after, image)
    assert base in {one["digest"] for one in document["sent"]}
    assert registry.check_complete("lost/a", "latest") == 6
    assert registry.tag("lost/a", "latest") == digest_of(after)
    # What it takes no manifest for in the end is told as it was.
    registry.lose("lost/a", base)
    (after / "blobs/sha256" / base.partition(":")[2]).unlink()
    (push.home / "known.json").unlink()
    last = write_layout(tmp_path / "three", "print(3)", b"to be lost")
    (last / "blobs/sha256" / base.partition(":")[2]).unlink()
    error = push.fails(last, image)
    assert f"neither this machine nor a repository that it may read has the blob {base}" in error
    assert registry.tag("lost/a", "latest") == digest_of(after)


def test_a_manifest_that_is_refused_is_told_as_it_was(
    registry: Registry, push: Pusher, tmp_path: Path
) -> None:
    def refusing(asked: Asked) -> Instead | None:
        body = b'{"errors":[{"code":"MANIFEST_INVALID","message":"no images on Fridays"}]}'
        return Instead(400, body) if asked.method == "PUT" and "/manifests/" in asked.path else None

    layout = write_layout(tmp_path / "layout", "print(1)", b"refused")
    with faulty(registry.port, refusing) as host:
        error = push.fails(layout, f"--image={host}/refused/a:1")
    assert "(MANIFEST_INVALID: no images on Fridays), being sent the manifest sha256:" in error
    assert error.count("error:") == 1


# --- bad days ---------------------------------------------------------------------------------------------


def lost(_asked: Asked) -> Instead:
    """Break the connection."""
    return Instead()


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("third", every_third),
        ("truncated", FirstUploads(truncated, 3)),
        ("broken", FirstUploads(lost, 3)),
        ("unavailable", FirstUploads(lambda _: Instead(503), 3)),
        ("busy", retry_later(3)),
    ],
)
def test_a_bad_day_ends_well(
    registry: Registry, push: Pusher, tmp_path: Path, name: str, fault: Fault
) -> None:
    layout = write_layout(tmp_path / "layout", name, common=name.encode())
    with faulty(registry.port, fault) as host:
        document = push(layout, f"--image={host}/bad/{name}:1", "--jobs=2")
    assert registry.tag(f"bad/{name}", "1") == digest_of(layout) == document["digest"]
    assert registry.check_complete(f"bad/{name}", "1") == 6


def test_a_push_that_is_killed_moves_no_tag_and_can_go_on(
    registry: Registry, push: Pusher, tmp_path: Path
) -> None:
    image = f"--image={registry.host}/killed/a:1"
    before = write_layout(tmp_path / "before", "before")
    push(before, image)
    # Its layers are larger than a configuration, so that they go up first.
    after = write_layout(tmp_path / "after", "after", common=bytes(range(256)))
    uploads = [threading.Event() for _ in range(2)]
    seen = iter(uploads)

    def stall(asked: Asked) -> Instead | None:
        if asked.is_upload and (event := next(seen, None)):
            event.set()
        elif asked.is_upload:
            time.sleep(30)
        return None

    with faulty(registry.port, stall) as host:
        process = push.start(after, f"--image={host}/killed/a:1", "--jobs=1")
        assert uploads[1].wait(30)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)
    assert registry.tag("killed/a", "1") == digest_of(before)
    assert registry.check_complete("killed/a", "1") == 6
    document = push(after, image)
    assert document["present"] >= 1, "what had arrived is sent again"
    assert registry.tag("killed/a", "1") == digest_of(after)
    assert registry.check_complete("killed/a", "1") == 6


def test_two_at_once_end_with_one_of_two_complete_images(
    registry: Registry, push: Pusher, tmp_path: Path
) -> None:
    layouts = [write_layout(tmp_path / name, name, common=b"at once") for name in ("one", "other")]
    pushes = [push.start(layout, f"--image={registry.host}/race/a:1") for layout in layouts]
    for process in pushes:
        assert process.wait(60) == 0, process.communicate()[1]
        process.communicate()
    assert registry.tag("race/a", "1") in {digest_of(layout) for layout in layouts}
    for layout in layouts:
        assert registry.check_complete("race/a", digest_of(layout)) == 6
    assert json.loads((push.home / "known.json").read_bytes())[registry.host]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_a_push_at_once(
    registry: Registry, push: Pusher, tmp_path: Path, number: signal.Signals
) -> None:
    layout = write_layout(tmp_path / "layout", "stopped", common=b"stopped")
    stalled, ended = threading.Event(), threading.Event()

    def stall(asked: Asked) -> Instead | None:
        if asked.is_upload:
            stalled.set()
            ended.wait(60)
        return Instead() if asked.is_upload else None

    with faulty(registry.port, stall) as host:
        process = push.start(layout, f"--image={host}/stopped/{number.name.lower()}:1")
        assert stalled.wait(30)
        process.send_signal(number)
        _, err = process.communicate(timeout=30)  # half of what the registry waits
        ended.set()
    assert process.returncode == 130
    assert "no tag names an incomplete image" in err
    assert list(push.home.glob("ociwheel-push-*")) == []
    assert registry.tag(f"stopped/{number.name.lower()}", "1") is None


def test_a_registry_that_stays_broken_is_one_error(
    registry: Registry, impatient: Callable[..., str], tmp_path: Path
) -> None:
    layout = write_layout(tmp_path / "layout", "never", common=b"never")
    with faulty(registry.port, FirstUploads(truncated, 1000)) as host:
        error = impatient(layout, f"--image={host}/never/a:1", "--jobs=1")
    assert "did not arrive in 8 attempts: 400 Bad Request (DIGEST_INVALID" in error
    assert error.count("error:") == 1
    assert registry.tag("never/a", "1") is None


def test_a_tag_that_cannot_move_stays(
    registry: Registry, push: Pusher, impatient: Callable[..., str], tmp_path: Path
) -> None:
    before = write_layout(tmp_path / "before", "before")
    push(before, f"--image={registry.host}/stays/a:1")
    after = write_layout(tmp_path / "after", "after")
    with faulty(registry.port, break_tag) as host:
        error = impatient(after, f"--image={host}/stays/a:1")
    assert error.startswith(f"error: {host}: the registry cannot be reached after 8 attempts")
    assert registry.tag("stays/a", "1") == digest_of(before)


def test_nobody_listens(impatient: Callable[..., str], tmp_path: Path) -> None:
    layout = write_layout(tmp_path / "layout", "x")
    error = impatient(layout, "--image=127.0.0.1:9/a/b:1")
    assert error.splitlines() == [
        "error: 127.0.0.1:9: the registry cannot be reached after 8 attempts: the connection failed: Connection refused",
        "  -> check the address, the proxy settings, and that the registry runs",
    ]


def test_a_repository_without_permission(registry: Registry, push: Pusher, tmp_path: Path) -> None:
    layout = write_layout(tmp_path / "layout", "mine", common=b"mine")
    with faulty(registry.port, denied) as host:
        login(push.home / ".docker/config.json", host, "ali:secret")
        error = push.fails(layout, f"--image={host}/denied/a:1")
    assert error.splitlines() == [
        (
            f"error: {host}/denied/a: 'ali' may not write there: "
            "answered 403 Forbidden (DENIED: requested access to the resource is denied)"
        ),
        (
            "  -> log in with an account that may: "
            f"docker login {host}, podman login {host} or skopeo login {host}"
        ),
    ]

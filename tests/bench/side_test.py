"""What `bench/run` measures with, without a contender: edits, the log, bytes on the wire, the report."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import subprocess
import sys
import threading
import time
import tomllib
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from bench.side import buildkit
from bench.side.buildkit import PROGRAMS, VERSION, BuildKit, BuildKitError, programs
from bench.side.cli import base_platforms
from bench.side.contenders import CONTENDERS
from bench.side.figures import Target, best, cell
from bench.side.meter import ROOT as ROOT_GROUP
from bench.side.meter import Group, Meter, Sample, busy_seconds
from bench.side.mirror import serving
from bench.side.records import Log
from bench.side.report import BUILDS, write_report
from bench.side.repository import (
    BUILD_LOCK,
    COMPILED_LINE,
    LOCK,
    PURE_LINE,
    SPARK,
    LockLine,
    WorkingCopy,
)
from bench.side.scenarios import SCENARIOS
from bench.side.site import exit_code
from bench.side.wire import relayed
from ociwheel.fetch.simple_api import JSON_TYPE
from tests.integration.repository import ROOT


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> WorkingCopy:
    made = WorkingCopy(tmp_path_factory.mktemp("copy") / "repository")
    made.create(ROOT)
    return made


@pytest.mark.parametrize("line", [PURE_LINE, COMPILED_LINE], ids=lambda line: line.name)
def test_an_edit_of_a_lock_line_changes_that_line_and_is_undone(copy: WorkingCopy, line: LockLine) -> None:
    before = copy.read(LOCK)
    assert f"{line.name}=={line.version} " not in before
    with copy.edited(copy.lock_edit(line)):
        after = copy.read(LOCK)
        assert f"\n{line.name}=={line.version} \\\n    --hash=sha256:{line.hashes[0]}" in after
        names = [[row.split("==")[0] for row in text.splitlines() if "==" in row] for text in (before, after)]
        assert names[0] == names[1]
        if line.built_as:
            entries = json.loads(copy.read(BUILD_LOCK))["environments"]
            (entry,) = [one for one in entries if one["sdist"].startswith(f"{line.name}==")]
            assert entry["sdist"] == f"{line.name}=={line.version}"
            assert entry["sha256"] == line.hashes[0]
            assert entry["pins"]
    assert copy.read(LOCK) == before


def test_an_edit_of_a_source_file_is_undone(copy: WorkingCopy) -> None:
    edit = copy.source_edit(SPARK, "a mark")
    (path,) = edit.files
    before = copy.read(path)
    with copy.edited(edit):
        assert "EDITED = 'a mark'" in copy.read(path)
    assert copy.read(path) == before


def test_every_scenario_has_a_row_and_every_limit_is_of_a_scenario() -> None:
    keys = {scenario.key for scenario in SCENARIOS}
    rows = {key for scenario in SCENARIOS for key in scenario.keys}
    assert {key for key in rows if not key.startswith(("size-", "start-"))} <= set(BUILDS)
    for kind in CONTENDERS:
        assert set(kind.limits) <= keys, kind.name


@pytest.mark.parametrize(
    ("names", "keys", "platforms"),
    [
        ("ours floor", "cold arm", ()),
        ("ours buildkit", "cold", ("linux/amd64",)),
        ("ours uv", "cold arm", ("linux/amd64", "linux/arm/v7")),
    ],
)
def test_base_images_are_made_for_who_builds_on_them(
    names: str, keys: str, platforms: tuple[str, ...]
) -> None:
    chosen = [one for one in CONTENDERS if one.name in names.split()]
    assert base_platforms(chosen, keys.split()) == platforms


def test_the_log_goes_on_where_it_ended(tmp_path: Path) -> None:
    log = Log(tmp_path / "log.jsonl")
    log.sample("ours", "cold", 1, Sample(wall=2.0, cpu=1.5), {})
    log.reason("classic", "cold", 1, "it broke", failed=True)
    log.reason("floor", "source", 1, "builds no image", failed=False)
    again = Log(log.file)
    assert again.entries == log.entries
    assert [again.has(*one) for one in (("ours", "cold", 1), ("ours", "cold", 2))] == [True, False]
    assert not again.has("classic", "cold", 1), "what failed is tried again"
    assert again.has("floor", "source", 1)
    assert again.sample("ours", "cold", 2, Sample(wall=4.0), {}).line == 4


def test_figures_are_medians_with_their_lines(tmp_path: Path) -> None:
    log = Log(tmp_path / "log.jsonl")
    for repeat, seconds in ((1, 3.0), (2, 1.0), (3, 2.0)):
        log.sample("ours", "cold", repeat, Sample(wall=seconds), {})
    log.sample("classic", "cold", 1, Sample(wall=8.0), {})
    log.sample("uv", "cold", 1, Sample(wall=5.0), {})
    log.reason("buildah", "cold", 1, "no storage", failed=True)
    assert cell(log, "ours", "cold", "wall").median == 2.0
    assert cell(log, "ours", "cold", "wall").lines == (1, 2, 3)
    assert cell(log, "buildah", "cold", "wall").reason == "failed: no storage"
    assert best(log, Target("cold", "wall", 0.5), ["classic", "uv", "buildah"]) == ("uv", 5.0)


def test_the_page_names_what_was_missed_and_what_was_not_measured(tmp_path: Path) -> None:
    (tmp_path / "docs/reference").mkdir(parents=True)
    (tmp_path / "bench/side").mkdir(parents=True)
    (tmp_path / "bench/side/notes.md").write_text("What it means.\n")
    log = Log(tmp_path / "bench/results/side-by-side-x.jsonl")
    log.sample("ours", "cold", 1, Sample(wall=40.0, cpu=30.0, load=0.5, others=0.1), {})
    log.sample("classic", "cold", 1, Sample(wall=50.0, cpu=20.0, load=2.5, others=0.7), {})
    log.sample("ours", "source", 1, Sample(wall=1.0), {})
    log.sample("classic", "source", 1, Sample(wall=10.0), {})
    log.sample("buildkit", "source", 1, Sample(wall=0.5), {})
    log.sample("floor", "same", 1, Sample(wall=0.4), {})
    log.sample("ours", "cold", 2, Sample(wall=40.0, cpu=30.0, load=2.5, others=0.1), {})
    log.sample("ours", "publish", 1, Sample(wall=1.0, sent=24_001), {})
    log.sample("ours", "deliver", 1, Sample(wall=0.5), {})
    log.sample("uv", "deliver", 1, Sample(wall=1.0), {})
    log.reason("uv", "cold", 1, "it broke", failed=True)
    write_report(tmp_path, "x", log)
    page = (tmp_path / "docs/reference/side-by-side.md").read_text()
    targets = [
        "| cold | 40.0 s | 50.0 s (classic) | 0.80 | 0.75 | **missed** | 1.50 |  |",
        # Against the best `docker build`; beside it, the ratio to bare `buildctl`, which is faster here.
        "| one source file of `devcon_spark` | 1.00 s | 10.0 s (classic) | 0.10 | 0.9 | met |  | 2.00 |",
        f"| {BUILDS['source']} | 1.00 s | 0.40 s (floor, nothing changed) | 2.50 | 1.6 | **missed** |  |  |",
        "| from an edit to the registry | 0.50 s | 1.00 s (uv) | 0.50 | 0.9 | met |  |  |",
        "| fresh machine, filled cache |  | pants-docker |  | 0.4 | not measured |  |  |",
        "| linux/arm/v7, cold |  |  |  | 0.05 | not measured |  |  |",
        "| bytes sent after a source edit | 24001 |  |  | 24000 | **missed** |  |  |",
    ]
    assert [row for row in targets if row not in page.splitlines()] == []
    assert "| cold | 40.0 (40.0–40.0) [1, 7] | 50.0 [2] |" in page
    # Load of the bench's own counts for nothing, that of others does.
    busy = "processors kept busy by others at most"
    assert f"Turn 1: {busy} 0.70 [2]: **not quiet**, which is at most 0.5." in page
    assert f"Turn 2: {busy} 0.10 [7]: quiet." in page
    assert "- uv: cold: failed: it broke" in page
    assert "What it means." in page
    assert "40.0" in (tmp_path / "docs/reference/side-by-side-seconds.svg").read_text()


class _Upstream(BaseHTTPRequestHandler):
    files: ClassVar = {"demo-1.0-py3-none-any.whl": b"not really a wheel"}
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        name = self.path.rsplit("/", 1)[-1]
        if self.path == "/simple/demo/":
            links = [
                f'<a href="/f/{one}#sha256={hashlib.sha256(data).hexdigest()}" data-requires-python="&gt;=3">'
                f"{one}</a>"
                for one, data in self.files.items()
            ]
            body, kind = "".join(links).encode(), "text/html"
        else:
            body, kind = self.files.get(name, b""), "application/octet-stream"
        self.send_response(200 if body else 404)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        pass


def test_the_mirror_asks_the_network_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    upstream = HTTPServer(("127.0.0.1", 0), _Upstream)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{upstream.server_port}/simple")
    try:
        with serving(tmp_path / "mirror") as server:
            for _ in range(2):
                with urllib.request.urlopen(f"{server.index}Demo/") as answer:
                    page = answer.read().decode()
                with urllib.request.urlopen(
                    f"{server.address}/files/demo/demo-1.0-py3-none-any.whl"
                ) as answer:
                    assert answer.read() == b"not really a wheel"
            assert 'data-requires-python="&gt;=3"' in page
            file_url = f"{server.address}/files/demo/demo-1.0-py3-none-any.whl"
            with urllib.request.urlopen(urllib.request.Request(file_url, method="HEAD")) as answer:
                assert (answer.headers["Content-Length"], answer.read()) == ("18", b"")
            asked = urllib.request.Request(f"{server.index}demo/", headers={"Accept": JSON_TYPE})
            with urllib.request.urlopen(asked) as answer:
                assert answer.headers["Content-Type"] == JSON_TYPE
                (file,) = json.load(answer)["files"]
            assert (file["requires-python"], file["yanked"]) == (">=3", False)
            assert file["hashes"] == {"sha256": hashlib.sha256(b"not really a wheel").hexdigest()}
            assert hashlib.sha256(b"not really a wheel").hexdigest() in page
            assert server.mirror.misses == 2
            assert _Upstream.asked.count("/simple/demo/") == 1
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(f"{server.address}/files/demo/other-1.0.whl")
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(f"{server.address}/debian/../../secret")
    finally:
        upstream.shutdown()
        upstream.server_close()


def test_a_relay_counts_both_directions(tmp_path: Path) -> None:
    upstream = HTTPServer(("127.0.0.1", 0), _Upstream)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    try:
        with relayed(upstream.server_port) as relay:
            connection = http.client.HTTPConnection(relay.host)
            connection.request("GET", "/f/demo-1.0-py3-none-any.whl", headers={"X-Pad": "x" * 5000})
            body = connection.getresponse().read()
            connection.close()
            assert body == b"not really a wheel"
            assert 5000 < relay.traffic.sent < 5500
            assert len(body) < relay.traffic.received < 500
    finally:
        upstream.shutdown()
        upstream.server_close()


def test_a_meter_sees_time_memory_and_bytes_of_processes_in_its_group(tmp_path: Path) -> None:
    group = Group(f"bench-test-{os.getpid()}")
    group.create()
    code = (
        "import os, time\n"
        "data = bytearray(os.urandom(1 << 20)) * 64\n"
        "file = open('out', 'wb'); file.write(data); file.flush(); os.fsync(file.fileno())\n"
        "end = time.process_time() + 0.4\n"
        "while time.process_time() < end: pass\n"
    )
    try:
        with serving(tmp_path / "mirror") as server, relayed(1) as relay:
            meter = Meter(group, server, relay, None)
            with meter.measure() as sample:
                command = [*group.prefix(), sys.executable, "-c", code]
                subprocess.run(command, cwd=tmp_path, check=True)
            with meter.measure() as idle:
                subprocess.run([sys.executable, "-c", "x = bytearray(1 << 26)"], check=True)
    finally:
        group.remove()
    assert sample.wall >= 0.4
    assert 64 << 20 <= sample.written < 80 << 20
    if not group.supported:
        assert (sample.cpu, sample.memory, sample.others) == (None, None, None)
        return
    assert sample.cpu is not None
    assert 0.4 <= sample.cpu < 10
    assert sample.memory is not None
    assert 60 << 20 < sample.memory < 200 << 20
    assert idle.cpu == 0, "what is not in the group is not counted"
    assert sample.others is not None
    assert not any((ROOT_GROUP / f"{group.name}{end}").exists() for end in ("", "-own"))


def test_what_others_do_is_what_is_busy_and_not_ours(tmp_path: Path) -> None:
    text = "cpu  100 200 300 4000 50 6 7 80 9 9\ncpu0 1 2 3 4 5 6 7 8 0 0\n"
    ticks = os.sysconf("SC_CLK_TCK")
    assert busy_seconds(text) == (100 + 200 + 300 + 6 + 7 + 80) / ticks
    if not (group := Group(f"bench-others-{os.getpid()}")).supported:
        return
    spin = "import time\nwhile time.process_time() < 1: pass"
    with group:
        before, machine = group.others_seconds(), busy_seconds(Path("/proc/stat").read_text())
        subprocess.run([sys.executable, "-c", spin], cwd=tmp_path, check=True)
        after, machine_after = group.others_seconds(), busy_seconds(Path("/proc/stat").read_text())
    assert before is not None
    assert after is not None
    assert machine_after - machine > 0.8
    # The child is the bench's: its second is in the machine's, and not in that of others.
    assert after - before < machine_after - machine - 0.8


def test_a_daemon_of_buildkit_is_its_own_and_runs_where_it_is_measured(tmp_path: Path) -> None:
    group = Group("bench-test-buildkit")
    kit = BuildKit(tmp_path / "kit", tmp_path / "bin", group, ("127.0.0.1:5000",))
    config = tomllib.loads(kit.config())
    assert config["root"] == str(tmp_path / "kit/root")
    assert config["worker"]["containerd"] == {"enabled": False}
    assert config["worker"]["oci"]["enabled"] is True
    if group.supported:
        assert config["worker"]["oci"]["defaultCgroupParent"] == group.parent
    assert config["registry"] == {"127.0.0.1:5000": {"http": True}}
    assert kit.ctl("build") == [
        str(tmp_path / "bin/buildctl"),
        "--addr",
        f"unix://{tmp_path}/kit/sock",
        "build",
    ]


def test_buildkit_is_compiled_once_and_says_what_it_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buildkit, "find_tool", lambda _: None)
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(BuildKitError, match="install Go"):
        programs(tmp_path)
    (tmp_path / VERSION).mkdir()
    for name in PROGRAMS:
        (tmp_path / VERSION / name).touch()
    assert programs(tmp_path) == tmp_path / VERSION


def test_a_command_is_waited_for_without_looking_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """What looks every 50 ms is wrong by as much."""
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("it sleeps"))
    with subprocess.Popen(["sh", "-c", "read line; exit 7"], stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert exit_code(process, 0.01) is None
        process.stdin.close()
        assert exit_code(process, 30) == 7

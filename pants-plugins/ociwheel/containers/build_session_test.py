"""What is left in the engine after a session, whatever ended it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ociwheel_testing.fake_engine import FakeEngine

from ociwheel.containers.build_session import LABEL, Session, session
from ociwheel.containers.engine import ContainerEngine
from ociwheel.errors import ToolError
from ociwheel.image.container import write_container_image
from ociwheel.layer.writer import Content, Entry, write_layer
from ociwheel.platforms import platform

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("layout")
    entries = [Entry("build/out", "dir", 0o755)]
    layer = write_layer(entries, folder, title="compiler", contents=[Content("deb", "gcc", "12")])
    write_container_image(layer, platform("linux/arm/v7"), folder)
    return folder


def engine_of(fake: FakeEngine) -> ContainerEngine:
    return ContainerEngine(str(fake.program))


def use(opened: Session, layout: Path, work: Path) -> str:
    opened.load(layout, work)
    return opened.create(["/usr/bin/python3.11"])


def test_a_session_leaves_nothing_and_shares_nothing(tmp_path: Path, layout: Path) -> None:
    fake = FakeEngine(tmp_path).install()
    state = tmp_path / "containers"
    with session(engine_of(fake), state) as opened:
        container = use(opened, layout, tmp_path)
        assert fake.left == [container, opened.image.replace("/", "!")]
        with session(engine_of(fake), state) as other:
            use(other, layout, tmp_path)
        # The end of the other session, and its look for what killed ones left, touched nothing of this.
        assert fake.left == [container, opened.image.replace("/", "!")]
    assert fake.left == []
    assert list(state.iterdir()) == []
    assert not (tmp_path / "image.tar").exists()


def test_a_container_gets_no_network_no_privilege_and_nothing_of_the_machine(
    tmp_path: Path, layout: Path
) -> None:
    fake = FakeEngine(tmp_path).install()
    with session(engine_of(fake), tmp_path / "containers") as opened:
        use(opened, layout, tmp_path)
    (create,) = (call for call in fake.calls if call[0] == "create")
    assert create == [
        *("create", "--interactive", "--pull", "never", "--label", f"{LABEL}={opened.token}"),
        *("--network", "none", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
        *("--user", "65532:65532", "--workdir", "/build", opened.image, "/usr/bin/python3.11"),
    ]


def test_an_error_inside_leaves_nothing(tmp_path: Path, layout: Path) -> None:
    fake = FakeEngine(tmp_path).install(create="no space left on device\n")
    with (
        pytest.raises(ToolError, match="docker cannot create a container\n  no space left on device"),
        session(engine_of(fake), tmp_path / "containers") as opened,
    ):
        use(opened, layout, tmp_path)
    assert fake.left == []


def test_an_image_that_the_engine_refuses(tmp_path: Path, layout: Path) -> None:
    fake = FakeEngine(tmp_path).install(load="no space left on device\n")
    with (
        pytest.raises(ToolError, match="docker cannot load the image of the build"),
        session(engine_of(fake), tmp_path / "containers") as opened,
    ):
        use(opened, layout, tmp_path)
    assert not (tmp_path / "image.tar").exists()


def test_what_could_not_be_removed_is_told_and_removed_by_the_next(
    tmp_path: Path, layout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = FakeEngine(tmp_path).install()
    state = tmp_path / "containers"
    with session(engine_of(fake), state) as opened:
        container = use(opened, layout, tmp_path)
        fake.plan(rm="the daemon is gone\n")
    assert "warning: docker did not remove" in capsys.readouterr().err
    assert container in fake.left
    fake.plan()
    other = FakeEngine(tmp_path, "podman").install()
    with session(engine_of(other), state):
        assert container in fake.left  # it is of another engine
    with session(engine_of(fake), state):
        assert fake.left == []
    assert list(state.iterdir()) == []


def test_a_damaged_session_file_stops_nobody(tmp_path: Path) -> None:
    state = tmp_path / "containers"
    state.mkdir()
    for number, text in enumerate(("", "[]", '{"token": 1}')):
        (state / f"{number}.json").write_text(text)
    with session(engine_of(FakeEngine(tmp_path).install()), state):
        pass
    assert list(state.iterdir()) == []


_STEP = """
import sys
from pathlib import Path
from ociwheel.containers.engine import ContainerEngine
from ociwheel.containers.build_session import session
engine, folder, layout = sys.argv[1:]
with session(ContainerEngine(engine), Path(folder) / "containers") as opened:
    opened.load(Path(layout), Path(folder))
    opened.engine.attach(opened.create(["x"]))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_killed_step_leaves_nothing_or_what_the_next_one_removes(
    tmp_path: Path, layout: Path, number: signal.Signals
) -> None:
    fake = FakeEngine(tmp_path).install(wait=True)
    argv = [sys.executable, "-c", _STEP, str(fake.program), str(tmp_path), str(layout)]
    with subprocess.Popen(argv, env={"PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE) as step:
        deadline = time.monotonic() + 30
        while not (tmp_path / "state/started").exists():
            assert time.monotonic() < deadline
            assert step.poll() is None, step.stderr and step.stderr.read()
            time.sleep(0.05)
        os.kill(step.pid, number)
    if number == signal.SIGKILL:
        assert len(fake.left) == 2
        with session(engine_of(fake), tmp_path / "containers"):
            pass
    assert fake.left == []
    assert list((tmp_path / "containers").iterdir()) == []

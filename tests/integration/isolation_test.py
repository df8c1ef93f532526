"""Builds see what is locked and nothing else: hostile backends, as root and as somebody else.

The interpreter and the programs are the example's own, from its lock.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.builds import Builds, sdist

pytestmark = pytest.mark.slow

SOMEBODY = 54321
LIBRARIES = Path(f"/usr/lib/{os.uname().machine}-linux-gnu")
SECRET = "do-not-tell-anybody"


@pytest.fixture(scope="module")
def builds() -> Iterator[Builds]:
    """Give content in a folder that every user may enter, as pytest's own is not."""
    with tempfile.TemporaryDirectory(prefix="ociwheel-isolation-") as folder:
        Path(folder).chmod(0o711)
        yield Builds(Path(folder))


@pytest.fixture(params=[None, SOMEBODY], ids=["as-is", "somebody"])
def user(request: pytest.FixtureRequest) -> int | None:
    """Give who builds: whoever runs the tests, root in CI, and where that is root, somebody else."""
    chosen: int | None = request.param
    if chosen is not None and os.getuid() != 0:
        return None
    return chosen


@pytest.fixture
def folder(builds: Builds) -> Iterator[Path]:
    """Give an empty folder beside the content."""
    with tempfile.TemporaryDirectory(prefix="case-", dir=builds.work) as name:
        Path(name).chmod(0o711)
        yield Path(name)


SEES = """
import platform, pwd, socket
report["root"] = sorted(os.listdir("/"))
report["tmp"] = os.listdir("/tmp")
report["home"] = os.environ["HOME"]
report["variables"] = sorted(os.environ)
report["programs"] = sorted(n for f in os.environ["PATH"].split(":") for n in attempt(lambda: os.listdir(f)))
report["interfaces"] = [n for _, n in socket.if_nameindex()]
report["processes"] = len([n for n in os.listdir("/proc") if n.isdigit()])
report["who"] = pwd.getpwuid(os.getuid())[:4]
report["headers"] = sorted(os.listdir("/usr/include"))
mounts = {line.split()[4] for line in open("/proc/self/mountinfo")}
report["mounts"] = sorted(m for m in mounts if not m.startswith("/proc/"))
report["name"] = socket.gethostname()
"""


def test_a_build_sees_nothing_of_the_machine_and_the_same_everywhere(builds: Builds, folder: Path) -> None:
    source = sdist(folder, SEES)
    users = [None, SOMEBODY] if os.getuid() == 0 else [None]
    built = [builds.build(source, folder / str(user), user=user, env={"SECRET": SECRET}) for user in users]
    built.append(builds.build(source, folder / "another place/deeper", around=["env", "PATH=/sbin:/bin"]))
    seen = built[0].report()
    assert seen["root"] == ["bin", "dev", "etc", "lib", "lib64", "ociwheel", "proc", "tmp", "usr", "var"]
    assert seen["tmp"] == []
    assert seen["home"] == "/build/home"  # as texts of wheels name it
    assert "SECRET" not in seen["variables"]
    assert {"make", "sed", "bash", "sh", "tar"} <= set(seen["programs"])
    assert not {"apt-get", "git", "gcc-12", "bwrap", "mount"} & set(seen["programs"])
    assert seen["interfaces"] == ["lo"]
    assert seen["processes"] < 8
    assert seen["who"] == ["build", "x", 1000, 1000]
    assert seen["headers"] == [f"python{builds.minor}"]
    assert seen["name"] == "build"
    assert all(one.report() == seen for one in built)
    assert len({one.wheel.read_bytes() for one in built}) == 1
    assert [one.document["isolation"] for one in built] == ["root"] * len(built)


READS = """
import glob
secret = {secret!r}
places = {places!r}
report["read"] = [p for p in places if secret in str(attempt(lambda: open(p).read()))]
report["environments"] = [p for p in glob.glob("/proc/[0-9]*/environ") if secret in str(attempt(lambda: open(p).read()))]
report["there"] = [p for p in places if os.path.lexists(p)]
"""


def test_it_reads_no_file_and_no_environment_of_the_machine(
    builds: Builds, folder: Path, user: int | None
) -> None:
    home, other, machine = folder / "home", folder / "pants-sandbox-other", folder / "machine"
    for place in (home, other, machine):
        place.mkdir()
        (place / ".netrc").write_text(SECRET)
    places = [str(p / ".netrc") for p in (home, other, machine)]
    places += ["/etc/shadow", "/etc/hostname", "/root", "/home", "/run", "/sys", "/var/run/docker.sock"]
    source = sdist(folder, READS.format(secret=SECRET, places=places))
    env = {"HOME": str(home), "OCIWHEEL_MACHINE": str(machine), "AWS_SECRET_ACCESS_KEY": SECRET}
    report = builds.build(source, folder / "work", user=user, env=env).report()
    assert report == {"read": [], "environments": [], "there": []}


WRITES = """
places = {places!r}
report["written"] = [p for p in places if attempt(lambda: open(p, "a").write("x")) == 1]
report["inside"] = attempt(lambda: open("/tmp/pwned", "w").write("x"))
report["home"] = attempt(lambda: open(os.environ["HOME"] + "/pwned", "w").write("x"))
"""


def test_it_writes_nothing_but_its_own(builds: Builds, folder: Path, user: int | None) -> None:
    victim = folder / "machine"
    victim.mkdir()
    victim.chmod(0o1733)
    inside = ["core/ociwheel/errors.py", "python/usr/bin/python3", "tools/usr/bin/sed", "zig/zig"]
    places = [f"{victim}/pwned", *(f"/ociwheel/{name}" for name in inside), "/etc/passwd", "/usr/include/x.h"]
    places += [
        "/proc/sys/vm/drop_caches",
        "/proc/sysrq-trigger",
        "/proc/sys/kernel/core_pattern",
        "/dev/pwned",
    ]
    before = {
        p: p.read_bytes() for p in (builds.steps.core / "ociwheel/errors.py", builds.programs / "usr/bin/sed")
    }
    tmp = Path(tempfile.gettempdir()) / "pwned"
    tmp.unlink(missing_ok=True)
    source = sdist(folder, WRITES.format(places=places))
    env = {"OCIWHEEL_MACHINE": str(victim), "HOME": str(victim)}
    report = builds.build(source, folder / "work", user=user, env=env).report()
    assert report == {"written": [], "inside": 1, "home": 1}
    assert list(victim.iterdir()) == []
    assert not tmp.exists()
    assert before == {p: p.read_bytes() for p in before}


LEAVES = """
import ctypes, socket
libc = ctypes.CDLL(None, use_errno=True)
pids = sorted(int(n) for n in os.listdir("/proc") if n.isdigit())
def reach():
    socket.create_connection(("127.0.0.1", {port}), timeout=2).sendall(b"out")
    return "REACHED"
def enter(pid, kind, flag):
    file = os.open(f"/proc/{{pid}}/ns/{{kind}}", os.O_RDONLY)
    return libc.setns(file, flag)
report["reach"] = attempt(reach)
for kind, flag in (("net", 0x40000000), ("mnt", 0x20000), ("user", 0x10000000), ("pid", 0x20000000)):
    entered = [attempt(lambda: enter(pid, kind, flag)) for pid in pids]
    if kind != "pid":
        report[kind] = 0 in entered and os.path.exists({place!r})
report["after"] = attempt(reach)
report["unshare"] = [libc.unshare(flag) for flag in (0x10000000, 0x20000, 0x10000000 | 0x20000)]
report["mount"] = libc.mount(b"proc", b"/tmp", b"proc", 0, None)
report["chroot"] = attempt(lambda: os.chroot("/tmp"))
report["outside"] = os.path.exists({place!r})
report["uid"] = [str(attempt(lambda: os.setuid(0)))[:7], os.getuid()]
with open("/proc/self/status") as file:
    report["capabilities"] = [line.split()[1] for line in file if line.startswith(("CapEff", "CapPrm", "CapBnd"))]
"""


def test_it_leaves_no_namespace(builds: Builds, folder: Path, user: int | None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        source = sdist(folder, LEAVES.format(port=server.getsockname()[1], place=str(folder)))
        report = builds.build(source, folder / "work", user=user).report()
        with pytest.raises(TimeoutError):
            server.accept()
    refused = report.pop("chroot")
    assert refused == "REFUSED PermissionError"
    assert report == {
        "reach": "REFUSED ConnectionRefusedError",
        "net": False,
        "mnt": False,
        "user": False,
        "after": "REFUSED ConnectionRefusedError",
        "unshare": [-1, -1, -1],
        "mount": -1,
        "outside": False,
        "uid": ["REFUSED", 1000],
        "capabilities": ["0000000000000000"] * 3,
    }


TRACES = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
PTRACE_ATTACH = 16
own = os.getpid()
seen = dict()
for name in os.listdir("/proc"):
    if name.isdigit() and int(name) != own:
        seen[int(name)] = open("/proc/" + name + "/cmdline").read().replace("\\0", " ")
report["strangers"] = [text for text in seen.values() if "ociwheel" not in text]
report["outside"] = attempt(lambda: os.kill({pid}, 0))
report["traced"] = libc.ptrace(PTRACE_ATTACH, {pid}, None, None)
"""


def test_it_traces_and_sees_no_process_of_the_machine(builds: Builds, folder: Path, user: int | None) -> None:
    with subprocess.Popen(["sleep", "600"], user=user, group=user) as victim:
        try:
            source = sdist(folder, TRACES.format(pid=victim.pid))
            report = builds.build(source, folder / "work", user=user).report()
            assert victim.poll() is None
        finally:
            victim.kill()
    assert report == {"strangers": [], "outside": "REFUSED ProcessLookupError", "traced": -1}


def running(marker: str) -> list[int]:
    """Return the processes of this machine whose command names a marker."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if marker.encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


DAEMONS = """
import subprocess
for seconds in ("{marker}1", "{marker}2"):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execv("/usr/bin/sleep", ["sleep", seconds])
        os._exit(0)
# This one holds the pipe that its output goes to, and writes.
subprocess.Popen(["/bin/sh", "-c", "while :; do echo {marker}3; sleep 0.1; done"], start_new_session=True)
"""


@pytest.mark.parametrize("rooted", [True, False])
def test_what_it_leaves_running_ends_with_it(
    builds: Builds, folder: Path, user: int | None, rooted: bool
) -> None:
    """Also where the machine gives no root of its own."""
    marker = "98765432"
    code = DAEMONS.format(marker=marker)
    started = time.monotonic()
    tools = None if rooted else bare_tools(builds, folder)
    built = builds.build(sdist(folder, code), folder / "work", user=user, tools=tools)
    assert built.document["isolation"] == ("root" if rooted else "network"), built.stderr
    assert running(marker) == []
    assert time.monotonic() - started < 60


def test_one_that_sleeps_is_ended(builds: Builds, folder: Path, user: int | None) -> None:
    code = 'import time\nprint("now it sleeps", flush=True)\ntime.sleep(9876543)'
    built = builds.build(sdist(folder, code), folder / "work", "--time-limit", "3", user=user)
    assert built.returncode == 15
    lines = built.stderr.splitlines()
    assert lines[0].endswith(": its build took longer than 3 seconds, and was ended")
    assert "  now it sleeps" in lines
    assert lines[-1] == ("  -> raise --time-limit, or use a version that has a wheel for this platform")


def test_two_gigabytes_of_output_are_not_kept(builds: Builds, folder: Path, user: int | None) -> None:
    code = 'line = b"x" * (1 << 20)\nfor _ in range(2048):\n    os.write(1, line)\nraise SystemExit("\\nthe end")'
    built = builds.build(sdist(folder, code), folder / "work", "--output-limit", "1", user=user)
    assert built.returncode == 15
    assert "the end" in built.stderr
    assert len(built.stderr) < 100_000


MEMORY = {
    "one process": 'data = bytearray(600 << 20)\nreport["got"] = len(data)',
    "many processes": """
import time
for _ in range(8):
    if os.fork() == 0:
        data = b"x" * (100 << 20)
        time.sleep(9876543)
time.sleep(9876543)
""",
    "shared memory": """
import mmap, time
kept = []
for _ in range(8):
    kept.append(mmap.mmap(-1, 100 << 20))
    kept[-1].write(b"x" * (100 << 20))
time.sleep(9876543)
""",
}


@pytest.mark.parametrize("kind", MEMORY)
def test_memory_has_an_end(builds: Builds, folder: Path, kind: str) -> None:
    built = builds.build(sdist(folder, MEMORY[kind]), folder / "work", "--memory-limit", "400")
    assert built.returncode == 15
    if kind == "one process":
        assert "MemoryError" in built.stderr
    else:
        first = built.stderr.splitlines()[0]
        assert first.endswith(": its build took more than 400 MiB of memory, and was ended")


def test_one_that_ends_everything_it_sees_is_an_error_of_ours(builds: Builds, folder: Path) -> None:
    built = builds.build(sdist(folder, "import signal\nos.kill(-1, signal.SIGKILL)"), folder / "work")
    assert built.returncode == 15
    assert "Traceback" not in built.stderr
    assert "without an answer" in built.stderr.splitlines()[0]


LINKS = {
    "a link": 'os.symlink({secret!r}, os.path.join(folder, "probe-1.0-py3-none-any.whl"))',
    "a pipe": 'os.mkfifo(os.path.join(folder, "probe-1.0-py3-none-any.whl"))',
    "nothing": "pass",
}


@pytest.mark.parametrize("kind", LINKS)
def test_a_wheel_that_is_no_file_is_not_read(builds: Builds, folder: Path, kind: str) -> None:
    secret = folder / "secret.whl"
    secret.write_text(SECRET)
    code = LINKS[kind].format(secret=str(secret)) + '\nresult = "probe-1.0-py3-none-any.whl"'
    built = builds.build(sdist(folder, code), folder / "work")
    assert built.returncode == 15
    assert built.stderr.splitlines()[0].endswith("the backend left no file probe-1.0-py3-none-any.whl")
    assert SECRET not in built.stderr


@pytest.mark.parametrize("result", ['"../../etc/passwd"', "7", '"/etc/passwd"', "[1]", "b'x.whl'"])
def test_an_answer_that_is_no_name_is_an_error(builds: Builds, folder: Path, result: str) -> None:
    built = builds.build(sdist(folder, f"result = {result}"), folder / "work")
    assert built.returncode == 15
    assert ": the build backend failed" in built.stderr.splitlines()[0]


# --- where there is no root ----------------------------------------------------------------------


def bare_tools(builds: Builds, folder: Path) -> Path:
    """Return the programs as a lock of before there was bubblewrap has them."""
    tools = folder / "tools"
    shutil.copytree(builds.programs, tools, symlinks=True)
    (tools / "usr/libexec/bwrap").unlink()
    (tools / "usr/bin/bwrap").unlink()
    return tools


def test_a_lock_without_bubblewrap_is_told(builds: Builds, folder: Path) -> None:
    tools = bare_tools(builds, folder)
    source = sdist(folder, 'report["root"] = os.path.exists("/ociwheel")')
    built = builds.build(source, folder / "auto", tools=tools)
    assert built.report() == {"root": os.path.exists("/ociwheel")}
    assert built.document["isolation"] == "network"
    assert built.stderr == (
        "note: probe 1.0 for linux/amd64, Python 3.11: it is built with this machine's files in sight, but without a network: the lock of the base has "
        "no bubblewrap; to change that, lock the base again\n"
    )
    required = builds.build(source, folder / "required", "--isolation", "required", tools=tools)
    assert required.returncode == 20
    lines = required.stderr.splitlines()
    assert lines[0].endswith(
        "this machine gives builds no root of their own (the lock of the base has no bubblewrap), and "
        "isolation is required"
    )
    assert lines[-1] == "  -> lock the base again"


# As an engine that forbids namespaces, or a remote worker's sandbox.
FORBIDS = ["bwrap", "--unshare-user", "--disable-userns", "--dev-bind", "/", "/", "--proc", "/proc"]
FORBIDS += ["--cap-drop", "ALL"]


def test_a_machine_that_forbids_namespaces_is_told(builds: Builds, folder: Path) -> None:
    source = sdist(folder, 'report["fine"] = True')
    built = builds.build(source, folder / "auto", around=FORBIDS)
    assert built.report() == {"fine": True}
    assert built.document["isolation"] == "none"
    assert "and it has the network: bwrap: " in built.stderr
    offline = builds.build(source, folder / "offline", around=[*FORBIDS, "--unshare-net"])
    assert offline.document["isolation"] == "network"
    required = builds.build(source, folder / "required", "--isolation", "required", around=FORBIDS)
    assert required.returncode == 20
    assert "--security-opt seccomp=unconfined" in required.stderr.splitlines()[-1]


def test_a_root_within_a_root(builds: Builds, folder: Path) -> None:
    """As where Pants itself runs in a container that allows namespaces."""
    outer = ["bwrap", "--unshare-user", "--unshare-pid", "--dev-bind", "/", "/", "--proc", "/proc"]
    user = SOMEBODY if os.getuid() == 0 else None
    built = builds.build(sdist(folder, 'report["fine"] = True'), folder / "work", around=outer, user=user)
    assert built.document["isolation"] == "root", built.stderr


# --- what it is for --------------------------------------------------------------------------------

# As evdev does: constants from whichever kernel header is there.
GENERATES = """
import re
found = "none"
for place in ("/usr/include/linux/input-event-codes.h", "/usr/include/linux/input.h"):
    if os.path.exists(place):
        found = sorted(re.findall(r"#define +((?:KEY|EV)_\\w+)\\s+(\\w+)", open(place).read()))
        break
report["codes"] = found
"""


def test_a_kernel_header_of_the_machine_changes_nothing(builds: Builds, folder: Path) -> None:
    source = sdist(folder, GENERATES)
    headers = {
        "absent": None,
        "present": "#define KEY_A 30\n",
        "changed": "#define KEY_A 31\n#define EV_B 1\n",
    }
    wheels = {}
    for kind, text in headers.items():
        include = folder / "headers" / kind
        (include / "linux").mkdir(parents=True)
        if text is not None:
            (include / "linux/input-event-codes.h").write_text(text)
        # The machine's files, but for that folder; without a user namespace where it is root's to make mounts.
        machine = ["bwrap", "--dev-bind", "/", "/", "--ro-bind", str(include), "/usr/include"]
        seen = subprocess.run(
            [*machine, "ls", "/usr/include/linux"], capture_output=True, text=True, check=True
        )
        assert seen.stdout == ("" if text is None else "input-event-codes.h\n")
        built = builds.build(source, folder / kind, around=machine)
        assert built.document["isolation"] == "root", built.stderr
        wheels[kind] = hashlib.sha256(built.wheel.read_bytes()).hexdigest()
    assert len(set(wheels.values())) == 1, wheels


# As scikit-build-core and meson-python do: what is not found on the machine has to be locked. A compiler is
# there as in a build: the locked one, under gcc's names.
ASKS = """
import shutil
required += [] if shutil.which("cmake") else ["packaging==24.0"]
required += [] if shutil.which("ninja") else ["setuptools==80.9.0"]
required += [] if shutil.which("gcc") else ["wheel==0.45.1"]
required += ["installer==0.7.0"] if os.path.isdir("/usr/include/linux") else ["flit-core==3.12.0"]
import glob
required += ["hatchling==1.27.0"] if glob.glob("/usr/lib/*/lib*.so") else []
"""


def test_a_lock_is_the_same_whatever_the_machine_has(builds: Builds, folder: Path) -> None:
    source = sdist(folder, "pass", requires=ASKS)
    bare = folder / "bare"
    bare.mkdir()
    machine = ["bwrap", "--dev-bind", "/", "/"]
    kinds = {
        "with": [*machine, *_shown(folder, "cmake", "ninja", "gcc"), *_libraries(folder, "with")],
        "without": [*machine, "--ro-bind", str(bare), "/usr/include", *_libraries(folder, "without")],
    }
    kinds["without"] += [word for name in ("cmake", "ninja", "gcc") for word in _hidden(folder, name)]
    look = ["/bin/sh", "-c", f"for n in cmake ninja gcc {LIBRARIES}/lib*.so; do command -v $n; done | wc -l"]
    seen = [
        int(subprocess.run([*kinds[kind], *look], capture_output=True, text=True, check=True).stdout)
        for kind in kinds
    ]
    assert seen[0] > 3
    assert seen[1] == 0
    locks = {kind: builds.lock(source, folder / kind, around) for kind, around in kinds.items()}
    assert len({lock.data for lock in locks.values()}) == 1
    assert locks["with"].pins == ["flit-core==3.12.0", "packaging==24.0", "setuptools==80.9.0"]


def _shown(folder: Path, *names: str) -> list[str]:
    """Return the words that show programs among those of the machine."""
    shown, real = folder / "shown", folder / "real"
    shown.mkdir()
    real.mkdir()
    for path in Path("/usr/bin").iterdir():
        (shown / path.name).symlink_to(real / path.name)
    for name in names:
        (shown / name).unlink(missing_ok=True)
        (shown / name).write_text("#!/bin/sh\nexit 0\n")
        (shown / name).chmod(0o755)
    return ["--ro-bind", "/usr/bin", str(real), "--ro-bind", str(shown), "/usr/bin"]


def _libraries(folder: Path, kind: str) -> list[str]:
    """Return the words that show libraries to link against among those of the machine, or hide all of them."""
    shown, real = folder / f"libraries-{kind}", folder / f"real-libraries-{kind}"
    shown.mkdir()
    real.mkdir()
    for path in LIBRARIES.iterdir():
        if kind == "with" or not fnmatch.fnmatch(path.name, "lib*.so"):
            (shown / path.name).symlink_to(real / path.name)
    if kind == "with" and not (shown / "libzmq.so").is_symlink():
        (shown / "libzmq.so").symlink_to(real / "libc.so.6")
    return ["--ro-bind", str(LIBRARIES), str(real), "--ro-bind", str(shown), str(LIBRARIES)]


def _hidden(folder: Path, name: str) -> list[str]:
    """Return the words that hide a program of the machine, where it has it."""
    found = shutil.which(name)
    if found is None:
        return []
    empty = folder / "hidden"
    empty.write_text("")
    empty.chmod(0o644)
    return ["--ro-bind", str(empty), str(Path(found).resolve())]


def test_a_lock_hook_reads_nothing_of_the_machine(builds: Builds, folder: Path) -> None:
    secret = folder / "secret"
    secret.write_text(SECRET)
    hook = f"""
import socket
assert not os.path.exists({str(secret)!r})
assert [n for _, n in socket.if_nameindex()] == ["lo"]
assert "PIP_INDEX_URL" not in os.environ
"""
    locked = builds.lock(sdist(folder, "pass", requires=hook), folder / "work")
    assert (locked.pins, locked.said["failed"], locked.said["isolation"]) == ([], None, "root")


# As mysqlclient and systemd-python do in their setup.py.
PKG_CONFIG = """
import subprocess
flags = subprocess.run(["pkg-config", "--libs", os.environ["WANTED"]], capture_output=True, text=True)
if flags.returncode:
    raise Exception("Can not find valid pkg-config name.\\n" + flags.stderr)
required += ["packaging==24.0"] if flags.stdout.strip() == "-lprobe" else []
required += ["wheel==0.45.1"] if os.path.exists("/usr/include/probe.h") else []
required += ["installer==0.7.0"] if config_settings.get("fast") else []
"""


def test_a_lock_hook_has_what_its_build_has(builds: Builds, folder: Path) -> None:
    """Headers and pkg-config of the base, and the user's settings."""
    sysroot = folder / "sysroot"
    shutil.copytree(builds.stand_in / "sysroot", sysroot)
    pc = sysroot / f"usr/lib/{os.uname().machine}-linux-gnu/pkgconfig/probe.pc"
    pc.parent.mkdir(parents=True)
    pc.write_text("Name: probe\nDescription: x\nVersion: 1\nLibs: -lprobe\n")
    (sysroot / "usr/include/probe.h").touch()
    source = sdist(folder, "pass", requires=PKG_CONFIG)
    settings = {"env": {"WANTED": "probe"}, "config_settings": {"fast": "1"}}
    locked = builds.lock(source, folder / "there", sysroot=sysroot, settings=settings)
    assert locked.said["failed"] is None, locked.said
    assert locked.pins == ["installer==0.7.0", "packaging==24.0", "wheel==0.45.1"]


def test_a_lock_hook_that_dies_is_quoted_and_what_the_project_says_is_locked(
    builds: Builds, folder: Path
) -> None:
    source = sdist(folder, "pass", requires=PKG_CONFIG)
    locked = builds.lock(source, folder / "gone", settings={"env": {"WANTED": "nothing-there"}})
    assert locked.pins == []
    assert locked.said["failed"].startswith("Exception: Can not find valid pkg-config name.")
    assert any("nothing-there" in line for line in locked.said["tail"])

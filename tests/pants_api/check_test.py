"""`build-support/pants_api.py` as people run it, on a Pants of a few lines: what fits, and every kind of break."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from api_check import facts

from tests.pants_api.miniature import PANTS, REPOSITORY, VERSION, edited, write

Files = dict[str, str]
SCRIPT = Path(__file__).resolve().parents[2] / "build-support/pants_api.py"
_ENGINE = "src/python/pants/engine"
_PLUGIN = "pants-plugins/slim_python_image"


def check(
    folder: Path, pants: Files = PANTS, repository: Files = REPOSITORY, *arguments: object
) -> subprocess.CompletedProcess[str]:
    """Compare a backend with a Pants, both written to a folder."""
    checkout = write(folder / "pants", pants)
    given = ("--repository", write(folder / "repository", repository), *arguments)
    command = [sys.executable, SCRIPT, checkout, *given]
    return subprocess.run([str(one) for one in command], capture_output=True, text=True, check=False)


def broken(run: subprocess.CompletedProcess[str]) -> list[str]:
    """Return what the table says of breaks, after checking that the run failed for them."""
    found = [
        line.removeprefix("    BREAK ") for line in run.stdout.splitlines() if line.startswith("    BREAK ")
    ]
    assert run.returncode == 1, run.stdout + run.stderr
    assert run.stdout.splitlines()[-1].endswith(f": {len(found)} BREAKS")
    return found


def row(run: subprocess.CompletedProcess[str], kind: str, name: str) -> list[str]:
    """Return the row of a name in the table."""
    found = [line.split(maxsplit=2) for line in run.stdout.splitlines() if line.split()[:2] == [kind, name]]
    assert len(found) == 1, run.stdout
    return re.split("  +", found[0][2])


def test_all_fits(tmp_path: Path) -> None:
    run = check(tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.splitlines()[0].split("  ")[0] == "kind"
    assert run.stdout.splitlines()[-1] == f"Pants {VERSION}: 24 names, 2 rules, 3 awaitables: all fit"
    assert run.stderr == ""
    assert row(run, "class", "pants.engine.process.Process") == [
        "slim_python_image/steps.py:4 and 1 more",
        "(argv, description, scope=)",
    ]
    assert (
        row(run, "awaitable", "pants.engine.intrinsics.create_digest")[0] == "slim_python_image/steps.py:17"
    )
    # What Pants looks for in a class of ours.
    assert (
        row(run, "attribute", "pants.option.subsystem.Subsystem.help")[0] == "slim_python_image/options.py:7"
    )
    assert row(run, "option", "[GLOBAL].remote_token") == ["docs/how-to/remote.md:4", "yes"]


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        pytest.param(
            f"{_ENGINE}/intrinsics.py",
            "async def create_digest",
            "async def make_digest",
            [
                "slim_python_image/steps.py:3: is not in Pants 2.99.0",
                "slim_python_image/steps.py:19: is not in Pants 2.99.0",
                "ImportError: cannot import name 'create_digest' from 'pants.engine.intrinsics'",
            ],
            id="a rule has another name",
        ),
        pytest.param(
            f"{_ENGINE}/intrinsics.py",
            "process: Process, where: Place",
            "process: Process",
            [
                "slim_python_image/steps.py:25: 2 positional arguments, and it takes 1",
                "slim_python_image/steps.py:21: run_step gives 2 arguments, and it takes 1",
            ],
            id="a rule takes fewer arguments",
        ),
        pytest.param(
            f"{_ENGINE}/intrinsics.py",
            "create: CreateDigest",
            "create: CreateDigest, where: Place",
            ["slim_python_image/steps.py:19: `where` not given, and no `**implicitly()`"],
            id="a rule takes more arguments",
        ),
        pytest.param(
            f"{_ENGINE}/intrinsics.py",
            "create: CreateDigest",
            "create: MergeDigests",
            [
                (
                    "slim_python_image/steps.py:19: argument 1 is pants.engine.fs.CreateDigest, "
                    "and `create` is pants.engine.fs.MergeDigests"
                )
            ],
            id="a rule takes another type",
        ),
        pytest.param(
            f"{_ENGINE}/process.py",
            "    description: str\n",
            "    description: str\n    level: str\n",
            ["slim_python_image/steps.py:24: requires `level`"],
            id="a dataclass has one more field",
        ),
        pytest.param(
            f"{_ENGINE}/process.py",
            "    description: str\n",
            "",
            ["slim_python_image/steps.py:24: has no parameter `description`"],
            id="a dataclass lost a field",
        ),
        pytest.param(
            f"{_ENGINE}/internals/native_engine.pyi",
            "name: str, platform: str",
            "name: str, platform: str, keep: str",
            ["slim_python_image/steps.py:25: requires `keep`"],
            id="a native class has one more parameter",
        ),
        pytest.param(
            f"{_ENGINE}/internals/native_engine.pyi",
            "def fingerprint",
            "def digest",
            ["slim_python_image/steps.py:25: is not in Pants 2.99.0"],
            id="a native class lost an attribute",
        ),
        pytest.param(
            f"{_ENGINE}/process.py",
            "    always =",
            "    ever =",
            [
                "slim_python_image/steps.py:24: is not in Pants 2.99.0",
            ],
            id="an enumeration lost a member",
        ),
        pytest.param(
            "src/python/pants/option/global_options.py",
            "remote_token",
            "remote_bearer_token",
            ["docs/how-to/remote.md:4: is not in Pants 2.99.0"],
            id="an option has another name",
        ),
    ],
)
def test_a_break(tmp_path: Path, name: str, old: str, new: str, expected: list[str]) -> None:
    pants = edited(PANTS, name, old, new)
    if "always" in old:
        pants = edited(pants, name, "Scope.always", "Scope.ever")
    found = broken(check(tmp_path, pants))
    assert [text.partition(" (")[0] for text in found] == expected


def test_a_constructor_that_is_inherited_from_the_native_extension(tmp_path: Path) -> None:
    more = "from pants.engine.process import Elsewhere\ndef elsewhere(): return Elsewhere(name='a')\n"
    repository = {**REPOSITORY, f"{_PLUGIN}/steps.py": more + REPOSITORY[f"{_PLUGIN}/steps.py"]}
    assert broken(check(tmp_path, PANTS, repository)) == ["slim_python_image/steps.py:2: requires `platform`"]


def test_a_rule_that_nobody_registers(tmp_path: Path) -> None:
    pants = edited(
        PANTS, f"{_ENGINE}/intrinsics.py", "return collect_rules(globals())", "return [create_digest.rule]"
    )
    # As long as the backend does not do so itself.
    repository = edited(
        REPOSITORY, f"{_PLUGIN}/steps.py", "collect_rules(globals())", "[inputs.rule, run_step.rule]"
    )
    assert broken(check(tmp_path, pants, repository)) == [
        "slim_python_image/steps.py:21: run_step awaits a rule that neither Pants nor the backend registers"
    ]


def test_a_backend_that_is_gone(tmp_path: Path) -> None:
    pants = {name: text for name, text in PANTS.items() if "backend/python" not in name}
    assert broken(check(tmp_path, pants)) == ["pants.toml:2: is not in Pants 2.99.0"]


def test_the_table_shows_breaks_only(tmp_path: Path) -> None:
    run = check(
        tmp_path, edited(PANTS, f"{_ENGINE}/process.py", "    description: str\n", ""), REPOSITORY, "--quiet"
    )
    lines = run.stdout.splitlines()
    assert [line.split()[0] for line in lines if line] == ["kind", "class", "BREAK", "Pants"]


def test_a_branch_counts_on_its_versions_only(tmp_path: Path) -> None:
    plain = edited(REPOSITORY, f"{_PLUGIN}/steps.py", "if OLD:\n    from", "from")
    assert (
        broken(check(tmp_path / "no guard", PANTS, plain))[0]
        == "slim_python_image/by_type.py:1: is not in Pants 2.99.0"
    )
    other = edited(REPOSITORY, f"{_PLUGIN}/steps.py", "{} if OLD", "{} if not OLD")
    assert broken(check(tmp_path / "other branch", PANTS, other)) == [
        "slim_python_image/steps.py:25: requires `platform`"
    ]


def test_an_option_of_one_version_in_the_docs(tmp_path: Path) -> None:
    repository = edited(REPOSITORY, "docs/how-to/remote.md", "# before Pants 2.30", "# from Pants 2.30")
    assert broken(check(tmp_path, PANTS, repository)) == ["docs/how-to/remote.md:5: is not in Pants 2.99.0"]


def test_an_import_that_may_fail(tmp_path: Path) -> None:
    guarded = "try:\n    from pants.engine.rules import Gone\nexcept ImportError:\n    {}\n"
    name = f"{_PLUGIN}/steps.py"
    for instead in ("Gone = None", "from pants.engine.rules import rule as Gone"):
        run = check(tmp_path, PANTS, {**REPOSITORY, name: guarded.format(instead) + REPOSITORY[name]})
        assert run.returncode == 0, run.stdout
    lost = guarded.format("from pants.engine.rules import Lost as Gone") + REPOSITORY[name]
    assert broken(check(tmp_path, PANTS, {**REPOSITORY, name: lost}))[:2] == [
        "slim_python_image/steps.py:2: is not in Pants 2.99.0",
        "slim_python_image/steps.py:4: is not in Pants 2.99.0",
    ]


def test_what_was_found_is_recorded(tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    assert check(tmp_path, PANTS, REPOSITORY, "--record", record).returncode == 0
    first = record.read_text()
    found = facts.read(record)
    assert found.version == VERSION
    assert list(found.names) == sorted(found.names)
    assert all(name.startswith(("pants.", "[GLOBAL].")) for name in found.names), "nothing of ours"
    assert facts.written(found) == first
    assert check(tmp_path, PANTS, REPOSITORY, "--record", record).returncode == 0
    assert record.read_text() == first


def failed(run: subprocess.CompletedProcess[str]) -> str:
    """Return the message of a comparison that could not be made."""
    assert (run.returncode, run.stdout) == (2, "")
    assert "Traceback" not in run.stderr
    return run.stderr


def test_no_checkout(tmp_path: Path) -> None:
    lacking = {name: text for name, text in PANTS.items() if not name.endswith("rules.py")}
    assert failed(check(tmp_path, lacking)) == (
        f"pants_api.py: {tmp_path}/pants is no checkout of Pants: it lacks src/python/pants/engine/rules.py\n"
        "  -> git clone --depth 1 --branch 2.33.x https://github.com/pantsbuild/pants\n"
    )


def test_a_requirement_that_is_not_installed(tmp_path: Path) -> None:
    pants = edited(PANTS, "src/python/pants/core/register.py", "def rules", "import hdrh\ndef rules")
    version = "{}.{}".format(*sys.version_info[:2])
    assert failed(check(tmp_path, pants)) == (
        f"pants_api.py: pants.core.register imports hdrh, which this Python {version} lacks\n"
        f"  -> {sys.executable} -m pip install 'hdrhistogram==0.10.3'\n"
    )


def test_a_python_that_is_too_old(tmp_path: Path) -> None:
    pants = edited(PANTS, "src/python/pants/core/register.py", "def rules", "lazy import sys\ndef rules")
    pants = edited(pants, "pants.toml", "3.11", "3.99")
    assert failed(check(tmp_path, pants)) == (
        f"pants_api.py: pants.core.register of {tmp_path}/pants: invalid syntax (register.py, line 1); "
        "run this with the Python of that Pants, 3.99\n"
    )


def test_a_pants_that_needs_more_than_there_is(tmp_path: Path) -> None:
    pants = edited(PANTS, "src/python/pants/core/register.py", "def rules", "{}['engine']\ndef rules")
    assert failed(check(tmp_path, pants)) == (
        f"pants_api.py: pants.core.register of {tmp_path}/pants needs the engine: KeyError: 'engine'\n"
    )
    name = f"{_ENGINE}/internals/native_engine.pyi"
    assert failed(check(tmp_path, edited(PANTS, name, "class Place:", "class Place(Unknown):"))) == (
        f"pants_api.py: {tmp_path}/pants/{name}:9: has no stand-in: NameError: name 'Unknown' is not defined\n"
    )


def test_no_backend(tmp_path: Path) -> None:
    assert failed(check(tmp_path, PANTS, REPOSITORY, "--backend", tmp_path)) == (
        f"pants_api.py: {tmp_path} has no package slim_python_image\n"
    )


def test_help_says_how_to_get_a_checkout_and_a_python() -> None:
    run = subprocess.run([sys.executable, SCRIPT, "--help"], capture_output=True, text=True, check=True)
    assert "git clone --depth 1 --branch 2.33.x https://github.com/pantsbuild/pants" in run.stdout
    assert "-m pip install -r /tmp/pants-2.33/3rdparty/python/requirements.txt" in run.stdout

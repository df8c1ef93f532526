"""A Pants of a few lines, and a backend for it: what the comparison needs to find, in the places where Pants has it.

The rule parser here reads calls of names in the rule's own module, as Pants's does among much else.
"""

from __future__ import annotations

from pathlib import Path

VERSION = "2.99.0"

PANTS = {
    "pants.toml": '[python]\ninterpreter_constraints = ["==3.11.*"]\n',
    "3rdparty/python/requirements.txt": "ansicolors==1.1.8\nhdrhistogram==0.10.3  # statistics\n",
    "src/python/pants/__init__.py": "",
    "src/python/pants/version.py": f'VERSION = "{VERSION}"\n',
    "src/python/pants/_version/__init__.py": "",
    "src/python/pants/_version/VERSION": f"{VERSION}\n",
    "src/python/pants/engine/__init__.py": "",
    "src/python/pants/engine/internals/__init__.py": "",
    "src/python/pants/engine/internals/native_engine.pyi": """
from typing import overload
from pants.engine.fs import CreateDigest

class Digest:
    @property
    def fingerprint(self) -> str: ...

class Place:
    def __init__(self, *, name: str, platform: str) -> None: ...
    @property
    def name(self) -> str: ...

class FrozenDict:
    @overload
    def __new__(cls, __items: object) -> FrozenDict: ...
    @overload
    def __new__(cls, **items: object) -> FrozenDict: ...
""",
    "src/python/pants/engine/fs.py": """
from dataclasses import dataclass
from pants.engine.internals.native_engine import Digest as Digest

@dataclass(frozen=True)
class CreateDigest:
    files: tuple = ()

@dataclass(frozen=True)
class MergeDigests:
    digests: tuple
""",
    "src/python/pants/engine/process.py": """
from dataclasses import dataclass
from enum import Enum
from pants.engine.internals.native_engine import Place as Place

class Scope(Enum):
    always = "always"

class Elsewhere(Place):
    pass

@dataclass(frozen=True)
class Process:
    argv: tuple
    description: str
    scope: Scope = Scope.always
""",
    "src/python/pants/engine/rules.py": """
import ast, inspect, sys
from dataclasses import dataclass
from typing import get_type_hints

def implicitly(*arguments): return {"__implicitly": arguments}

@dataclass(frozen=True)
class Awaitable:
    rule_id: str
    explicit_args_arity: int

@dataclass(frozen=True)
class TaskRule:
    parameters: object
    awaitables: tuple
    func: object
    canonical_name: str
    def __hash__(self): return hash(self.canonical_name)

@dataclass(frozen=True)
class RuleIndex:
    rules: tuple
    @classmethod
    def create(cls, rules): return cls(tuple(rules))

def rule(function):
    module = vars(sys.modules[function.__module__])
    awaitables = []
    for node in ast.walk(ast.parse(inspect.getsource(function))):
        called = module.get(node.func.id) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else None
        if hasattr(called, "rule"):
            awaitables.append(Awaitable(called.rule.canonical_name, len(node.args)))
    hints = get_type_hints(function)
    hints.pop("return")
    name = f"{function.__module__}.{function.__qualname__}"
    function.rule = TaskRule(hints, tuple(awaitables), function, name)
    return function

def collect_rules(names): return [one.rule for one in names.values() if hasattr(one, "rule")]
""",
    "src/python/pants/engine/intrinsics.py": """
from pants.engine.fs import CreateDigest, Digest, MergeDigests
from pants.engine.process import Place, Process
from pants.engine.rules import collect_rules, rule

@rule
async def create_digest(create: CreateDigest) -> Digest: ...

@rule
async def execute_process(process: Process, where: Place) -> Digest: ...

def rules(): return collect_rules(globals())
""",
    "src/python/pants/option/__init__.py": "",
    "src/python/pants/option/option_types.py": """
from dataclasses import dataclass

@dataclass(frozen=True)
class OptionInfo:
    args: tuple
    kwargs: object

class StrOption:
    def __init__(self, *, help): self.help = help
    def __set_name__(self, owner, name): self.name = name
    def __get__(self, one, owner): return OptionInfo(("--" + self.name.replace("_", "-"),), {})

def collect_options_info(cls):
    for name in [name for one in reversed(cls.__mro__) for name in vars(one)]:
        if isinstance(found := getattr(cls, name), OptionInfo):
            yield found
""",
    "src/python/pants/option/subsystem.py": "class Subsystem:\n    help = ''\n",
    "src/python/pants/option/global_options.py": """
from pants.option.option_types import StrOption
from pants.option.subsystem import Subsystem

class GlobalOptions(Subsystem):
    options_scope = ""
    remote_token = StrOption(help="")
    backend_packages = StrOption(help="")
""",
    "src/python/pants/core/__init__.py": "",
    "src/python/pants/core/register.py": "def rules(): return []\n",
    "src/python/pants/backend/__init__.py": "",
    "src/python/pants/backend/python/__init__.py": "",
    "src/python/pants/backend/python/register.py": "def rules(): return []\n",
}
"""The files of a checkout of Pants."""

REPOSITORY = {
    "pants.toml": '[GLOBAL]\nbackend_packages = ["pants.backend.python", "slim_python_image"]\n',
    "README.md": "",
    "docs/how-to/remote.md": """
```toml
[GLOBAL]
remote_token = "secret"
remote_token_path = "/secret"  # before Pants 2.30
```

The address `[slim].address` is ours.
""",
    "pants-plugins/slim_python_image/__init__.py": "",
    "pants-plugins/slim_python_image/versions.py": """
from pants.version import VERSION

def minor_version(version):
    return tuple(int(part) for part in version.split(".")[:2])

_OLD = (2, 17)
OLD = minor_version(VERSION) == _OLD
""",
    "pants-plugins/slim_python_image/by_type.py": "from pants.engine.rules import Get\n",
    "pants-plugins/slim_python_image/options.py": """
from pants.option.option_types import StrOption
from pants.option.subsystem import Subsystem

class Options(Subsystem):
    options_scope = "slim"
    help = "Ours."
    address = StrOption(help="")
""",
    "pants-plugins/slim_python_image/steps.py": """
from pants.engine.fs import CreateDigest, Digest
from pants.engine.intrinsics import create_digest, execute_process
from pants.engine.process import Place, Process, Scope
from pants.engine.rules import collect_rules, implicitly, rule
from slim_python_image.versions import OLD

if OLD:
    from slim_python_image.by_type import Get

_MORE = {} if OLD else {"platform": "linux"}

class Step:
    def __init__(self, place: Place) -> None:
        self.place = place

@rule
async def inputs(step: Step, digest: Digest) -> Digest:
    return await create_digest(CreateDigest())

@rule
async def run_step(step: Step) -> Digest:
    digest = await inputs(step, **implicitly())
    process = Process(argv=("true",), description=step.place.name, scope=Scope.always)
    return await execute_process(process, Place(name=digest.fingerprint, **_MORE))

def rules(): return collect_rules(globals())
""",
    "pants-plugins/slim_python_image/register.py": """
from slim_python_image import steps

def rules(): return steps.rules()
""",
}
"""The files of a repository whose backend fits that Pants."""


def write(folder: Path, files: dict[str, str]) -> Path:
    """Write files below a folder, and return it."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def edited(files: dict[str, str], name: str, old: str, new: str) -> dict[str, str]:
    """Return files with another text in one of them, where it stands."""
    assert old in files[name], f"{name} has no {old!r}"
    return {**files, name: files[name].replace(old, new)}

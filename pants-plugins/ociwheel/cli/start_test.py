"""What a step loads before it does anything: most of what a small step costs is loading modules."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import ociwheel
from ociwheel.cli.main import STEPS

PACKAGE = Path(ociwheel.__file__).parent
# Modules of Python and of the core, on CPython 3.11; what is added to these is added to each step of its kind.
MOST = {"source-layer": 115, "fetch-debs": 141, "fetch": 146, "describe": 186, "push": 149}
_COUNT = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("entry", sys.argv[1])
entry = importlib.util.module_from_spec(spec)
spec.loader.exec_module(entry)
sys.modules.update({name: entry._Later(name) for name in entry._LATER})
sys.path.insert(0, sys.argv[2])
importlib.import_module(sys.argv[3])
loaded = sorted(name for name, module in sys.modules.items() if not isinstance(module, entry._Later))
print(*loaded)
"""


@pytest.mark.parametrize("step", sorted(MOST))
def test_a_step_loads_no_more_modules_than_it_did(step: str) -> None:
    arguments = [PACKAGE / "sandbox/__main__.py", PACKAGE.parent, STEPS[step][0]]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", _COUNT, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = done.stdout.split()
    assert len(loaded) <= MOST[step], " ".join(loaded)

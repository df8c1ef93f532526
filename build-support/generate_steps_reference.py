"""Writes docs/reference/steps.md from the steps themselves.

``PYTHONPATH=pants-plugins python build-support/generate_steps_reference.py > docs/reference/steps.md``
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import sys

from ociwheel.cli.main import STEPS
from ociwheel.documents import SCHEMA_VERSIONS, schema

HEAD = """\
# Steps of the core

Generated from the code by `build-support/generate_steps_reference.py`; a test fails when it is stale.

Each step is a command: arguments and files in, files and one JSON document (on standard output) out. In a
sandbox they run as `step.sh STEP ...`; by hand, in the folder that holds the package and an environment
with the libraries of `tools.lock`:

```console
$ python -m ociwheel plan --help
```

Exit code 0 means that the document is complete; 2 is a wrong command line; every kind of error has a code of
its own (`ociwheel/errors.py`), prints `error: ` with what is wrong, where, and what to do next on standard
error, and is itself a document on standard output (`ociwheel/schemas/error.json`), whose `remedy` is a code
with arguments (`ociwheel/remedies.py`) for whoever runs the step to render. No document is printed to a
terminal, or where the variable `OCIWHEEL_ERRORS` is `text`. Code 23 is a fault of this program: the message
says where its trace lies.
"""


def _argument(action: argparse.Action) -> str:
    name = ", ".join(f"`{option}`" for option in action.option_strings) or f"`{action.dest}`"
    value = action.metavar or (", ".join(map(str, action.choices)) if action.choices else "")
    flags = [str(value)] if value and action.nargs != 0 else []
    flags += ["required"] if action.required else []
    flags += (
        [f"default {action.default}"] if action.default not in (None, [], False, argparse.SUPPRESS) else []
    )
    return f"| {name} | {', '.join(flags)} | {action.help or ''} |"


def _step(name: str) -> str:
    module_name, summary = STEPS[name]
    module = importlib.import_module(module_name)
    parser = argparse.ArgumentParser(add_help=False)
    module.configure(parser)
    rows = "\n".join(_argument(action) for action in parser._actions)  # noqa: SLF001 (argparse has no other way)
    about = inspect.cleandoc(module.__doc__ or summary)
    return f"## `{name}`\n\n{about}\n\n| argument | | meaning |\n| --- | --- | --- |\n{rows}\n"


def render() -> str:
    """Return the page."""
    kinds = "\n".join(f"- `{schema(kind)}`" for kind in sorted(SCHEMA_VERSIONS))
    schemas = f"## Documents\n\n{kinds}\n"
    return "\n".join([HEAD, *(_step(name) for name in STEPS), schemas])


if __name__ == "__main__":
    sys.stdout.write(render())

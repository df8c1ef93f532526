"""Writes docs/reference/targets.md from the targets and options themselves.

``python -m slim_python_image.reference > ../docs/reference/targets.md``, in ``pants-plugins``, with Pants's
Python.
"""

from __future__ import annotations

import sys
from typing import Any, Iterable

from pants.engine.target import COMMON_TARGET_FIELDS, Field, Target

from slim_python_image.register import target_types
from slim_python_image.subsystems.options import SlimImageOptions
from slim_python_image.subsystems.publish import PublishOptions
from slim_python_image.subsystems.run import RunOptions
from slim_python_image.subsystems.tests import ImageTestOptions

HEAD = """\
# Targets and options

Generated from the code by `python -m slim_python_image.reference`; a test fails when it is stale. The same
texts come from `./pants help slim_python_image` and `./pants help slim-image`.
"""


def _text(value: Any) -> str:
    text = value() if callable(value) else value
    return str(text).strip()


def _default(field: type[Field]) -> str:
    if getattr(field, "required", False):
        return "required"
    default = getattr(field, "default", None)
    return "" if default in (None, ()) else f"default `{default!r}`"


def _field(field: type[Field]) -> str:
    note = _default(field)
    return f"### `{field.alias}`{f' ({note})' if note else ''}\n\n{_text(field.help)}\n"


def _target(target: type[Target]) -> str:
    own = [field for field in target.core_fields if field not in COMMON_TARGET_FIELDS]
    fields = "\n".join(_field(field) for field in own)
    return f"## `{target.alias}`\n\n{_text(target.help)}\n\n{fields}"


def _options() -> Iterable[str]:
    for subsystem in (SlimImageOptions, PublishOptions, RunOptions, ImageTestOptions):
        yield f"## `[{subsystem.options_scope}]`\n\n{_text(subsystem.help)}\n"
        for name, option in sorted(vars(subsystem).items()):
            text = getattr(option, "_help", None)
            if text is not None:
                yield f"### `{name}`\n\n{_text(text(subsystem) if callable(text) else text)}\n"


def render() -> str:
    """Return the page."""
    return "\n".join([HEAD, *(_target(target) for target in target_types()), *_options()])


if __name__ == "__main__":
    sys.stdout.write(render())

"""Virtual environments on an interpreter that is content; see :mod:`ociwheel.base.interpreter`."""

from ociwheel.base.interpreter import write_venv

__all__ = ["write_venv"]

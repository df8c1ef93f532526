"""Bytecode as content: what a step made of the code of others, for an interpreter that is content."""

from __future__ import annotations

from dataclasses import dataclass

from pants.engine.fs import Digest

from slim_python_image import engine


@dataclass(frozen=True)
class Bytecode:
    """``__pycache__`` folders that lie beside the modules of the core, and of the toolbox."""

    core: Digest
    tools: Digest


async def laid_over(bytecode: Bytecode, core: Digest, tools: Digest) -> tuple[Digest, Digest]:
    """Return the core and the toolbox with their bytecode."""
    return await engine.merge((core, bytecode.core)), await engine.merge((tools, bytecode.tools))

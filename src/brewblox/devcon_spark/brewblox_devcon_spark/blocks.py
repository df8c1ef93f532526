"""Blocks of a controller: their names, and how they go over the wire."""

from __future__ import annotations

import base64
import binascii
import json
from pathlib import Path
from typing import Any

import aiofiles
import aiofiles.os
from bidict import ValueDuplicationError, bidict
from fastapi import APIRouter, HTTPException
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from google.protobuf.message import DecodeError
from google.protobuf.struct_pb2 import Struct
from pydantic import BaseModel, Field


class BlockError(ValueError):
    """A block that cannot be encoded or decoded, or a name that is taken."""


class BlockNames:
    """The name of each block and, the other way, the block of each name.

    :param file: where they are kept between starts; in memory only without.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._names: bidict[int, str] = bidict()

    async def load(self) -> None:
        """Read what was kept, if anything was."""
        if self._file and await aiofiles.os.path.exists(self._file):
            async with aiofiles.open(self._file, encoding="utf-8") as file:
                kept = json.loads(await file.read())
            self._names = bidict({int(number): name for number, name in kept.items()})

    async def rename(self, number: int, name: str) -> None:
        """Give block ``number`` a name.

        :raises BlockError: when another block has it.
        """
        try:
            self._names[number] = name
        except ValueDuplicationError as error:
            raise BlockError(f"block {self._names.inverse[name]} is called {name!r} already") from error
        if self._file:
            # Written beside and moved, so that a power cut leaves either the old names or the new ones.
            beside = self._file.with_suffix(".new")
            async with aiofiles.open(beside, "w", encoding="utf-8") as file:
                await file.write(json.dumps(dict(self._names), sort_keys=True))
            await aiofiles.os.replace(beside, self._file)

    def number(self, name: str) -> int | None:
        """Return the block that has ``name``."""
        return self._names.inverse.get(name)

    def all(self) -> dict[int, str]:
        """Return every name by its block."""
        return dict(self._names)


def encode(data: dict[str, Any]) -> str:
    """Return the data of a block as base64 of a protobuf ``Struct``, equal data as equal text.

    :raises BlockError: when protobuf has no value like it.
    """
    try:
        message = ParseDict(data, Struct())
    except ParseError as error:
        raise BlockError(str(error)) from error
    return base64.b64encode(message.SerializeToString(deterministic=True)).decode("ascii")


def decode(text: str) -> dict[str, Any]:
    """Return the data of a block from what :func:`encode` made.

    :raises BlockError: when it is not that.
    """
    try:
        return MessageToDict(Struct.FromString(base64.b64decode(text, validate=True)))
    except (binascii.Error, DecodeError) as error:
        raise BlockError(f"no encoded block: {error}") from error


class EncodedBlock(BaseModel):
    """The data of a block as it goes over the wire."""

    data: str


class BlockName(BaseModel):
    """The name that a user gave a block."""

    name: str = Field(min_length=1, max_length=200)


def create_router(names: BlockNames) -> APIRouter:
    """Return the routes of ``/blocks``."""
    router = APIRouter(prefix="/blocks", tags=["blocks"])

    @router.post("/encode")
    async def encode_block(data: dict[str, Any]) -> EncodedBlock:
        """Encode the data of a block."""
        try:
            return EncodedBlock(data=encode(data))
        except BlockError as error:
            raise HTTPException(422, str(error)) from error

    @router.post("/decode")
    async def decode_block(block: EncodedBlock) -> dict[str, Any]:
        """Decode the data of a block."""
        try:
            return decode(block.data)
        except BlockError as error:
            raise HTTPException(422, str(error)) from error

    @router.get("/names")
    async def get_names() -> dict[int, str]:
        """Tell the names of all blocks."""
        return names.all()

    @router.put("/names/{number}")
    async def put_name(number: int, block: BlockName) -> BlockName:
        """Name a block."""
        try:
            await names.rename(number, block.name)
        except BlockError as error:
            raise HTTPException(409, str(error)) from error
        return block

    return router

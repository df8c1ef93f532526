from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from brewblox_devcon_spark.blocks import BlockError, BlockNames, decode, encode


def test_a_block_survives_the_wire() -> None:
    data = {
        "setting": 20.5,
        "enabled": True,
        "sensor": None,
        "range": [1.0, 2.0],
        "nested": {"name": "kettle"},
    }
    assert decode(encode(data)) == data


def test_equal_blocks_are_equal_on_the_wire() -> None:
    assert encode({"a": 1, "b": 2}) == encode({"b": 2, "a": 1})


@pytest.mark.parametrize("text", ["not base64!", "AAAA"])
def test_what_is_no_block_is_refused(text: str) -> None:
    with pytest.raises(BlockError, match="no encoded block"):
        decode(text)


def test_names_are_kept_between_starts(tmp_path: Path) -> None:
    async def kept() -> int | None:
        first = BlockNames(tmp_path / "names.json")
        await first.load()
        await first.rename(101, "Kettle sensor")
        second = BlockNames(tmp_path / "names.json")
        await second.load()
        return second.number("Kettle sensor")

    assert asyncio.run(kept()) == 101


def test_a_name_belongs_to_one_block() -> None:
    async def taken() -> None:
        names = BlockNames()
        await names.rename(101, "Kettle")
        await names.rename(102, "Kettle")

    with pytest.raises(BlockError, match="block 101 is called 'Kettle' already"):
        asyncio.run(taken())

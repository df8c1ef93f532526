"""Conversion between the units that brewers use."""

from __future__ import annotations

from functools import cache
from tokenize import TokenError
from typing import Annotated

import pint
from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel


class UnitError(ValueError):
    """A unit that is not known, or that the other one cannot become."""


class Conversion(BaseModel):
    """A value in two units."""

    value: float
    unit: str
    result: float
    to: str


@cache
def registry() -> pint.UnitRegistry[float]:
    """Return the known units, read once: Pint's own and those of brewers."""
    units: pint.UnitRegistry[float] = pint.UnitRegistry(autoconvert_offset_to_baseunit=True)
    # What brewers count by: a beer barrel of the United States, and the colour of beer (EBC Analytica 9.6).
    units.define("keg = 0.5 * beer_barrel")
    units.define("ebc_color = [color] = EBC")
    units.define("srm_color = 1.97 * ebc_color = SRM")
    return units


def convert(value: float, unit: str, to: str) -> float:
    """Return ``value``, given in ``unit``, in the unit ``to``.

    :raises UnitError: when a unit is not known, or they measure different things.
    """
    units = registry()
    try:
        return float(units.Quantity(value, unit).to(to).magnitude)
    # Pint parses units as expressions: nonsense can fail in the tokenizer as well.
    except (pint.errors.PintError, ValueError, TypeError, AttributeError, SyntaxError, TokenError) as error:
        raise UnitError(f"cannot convert {unit!r} to {to!r}: {error}") from error


def create_router() -> APIRouter:
    """Return the routes of ``/units``."""
    router = APIRouter(prefix="/units", tags=["units"])

    @router.get("/convert")
    async def convert_units(
        value: float,
        unit: Annotated[str, Query(max_length=40)],
        to: Annotated[str, Query(max_length=40)],
    ) -> Conversion:
        """Convert a value: ``?value=20&unit=degC&to=degF``."""
        try:
            return Conversion(value=value, unit=unit, result=round(convert(value, unit, to), 9), to=to)
        except UnitError as error:
            raise HTTPException(422, str(error)) from error

    return router

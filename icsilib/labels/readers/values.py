"""Checks through which every value of an annotation file passes: anyone may have edited it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from icsilib.labels.readers.records import Unusable


def number(value: Any, name: str) -> float:
    """`value` as a finite number; text that spells one is accepted."""
    try:
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise ValueError
        result = float(value)
    except (ValueError, OverflowError):
        raise Unusable(f"{name} is not a number") from None
    if not math.isfinite(result):
        raise Unusable(f"{name} is not a finite number")
    return result


def pixels(value: Any) -> int | None:
    """`value` as a whole number of pixels from 1 to 10⁶, or None: a size that is absent or nonsense is unknown."""
    try:
        count = number(value, "size")
    except Unusable:
        return None
    return int(count) if 1 <= count <= 1_000_000 and count == int(count) else None


def mapping(value: Any, name: str) -> Mapping[str, Any]:
    """`value` as a JSON object."""
    if not isinstance(value, dict):
        raise Unusable(f"{name} is missing" if value is None else f"{name} is not an object")
    return value


def sequence(value: Any, name: str) -> Sequence[Any]:
    """`value` as a JSON array."""
    if not isinstance(value, list):
        raise Unusable(f"{name} is missing" if value is None else f"{name} is not a list")
    return value


def text(value: Any) -> str | None:
    """`value` as text without surrounding space, or None where there is none."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(int(value) if isinstance(value, float) and value.is_integer() else value)  # tables make ids 1.0
    return value.strip() or None if isinstance(value, str) else None

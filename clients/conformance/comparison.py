"""Compares values with what a scenario expects. `README.md` describes the expectations."""

import json
import re
from collections.abc import Mapping
from typing import Any

JSON = Any


class Mismatch(Exception):
    """Something is not as the scenario expects."""


def compare(what: str, expected: JSON, got: JSON) -> None:
    """Raises Mismatch unless a value is as a scenario expects it."""
    if not _fits(expected, got):
        raise Mismatch(f"{what}: expected {json.dumps(expected)[:600]}, got {json.dumps(got)[:600]}")


def _fits(expected: JSON, got: JSON) -> bool:
    """Compares objects by the expected keys, texts after a "~" as patterns, and {"$count": n} with a list's length."""
    if isinstance(expected, Mapping):
        if "$count" in expected:
            return isinstance(got, list) and len(got) == expected["$count"]
        return isinstance(got, Mapping) and all(
            name in got and _fits(value, got[name]) for name, value in expected.items()
        )
    if isinstance(expected, list):
        return (
            isinstance(got, list)
            and len(got) == len(expected)
            and all(_fits(one, other) for one, other in zip(expected, got, strict=True))
        )
    if isinstance(expected, str) and expected.startswith("~"):
        return isinstance(got, str) and re.search(expected[1:], got, re.IGNORECASE | re.DOTALL) is not None
    return bool(expected == got)

"""Faults as text, as a command line takes them: `POST /events 503 times=3`, `* 429 probability=0.05`, `* delay=250ms`.

METHOD or `*`, a path prefix, a status, an action, and options, in this order; all but the method may be left out.
"""

import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any

from intercomd_daemon.sandbox.faults import UNANSWERED, Action, Fault

METHODS = frozenset({"*", "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0}
_SIZE = re.compile(r"(\d+)(B|KiB|MiB)")
_BYTES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20}


class FaultSyntaxError(ValueError):
    """A malformed fault; the message names the word and what was expected."""


def parse_fault(text: str) -> Fault:
    """Parses a fault.

    Raises:
        FaultSyntaxError: the text is malformed.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise FaultSyntaxError(f"fault '{text}': {error}") from None
    if not words or words[0].upper() not in METHODS:
        raise FaultSyntaxError(f"fault '{text}': must begin with a method or *, such as 'POST /events 503'")
    fields: dict[str, Any] = {"method": words.pop(0).upper()}
    if words and words[0].startswith("/"):
        fields["path"] = words.pop(0)
    if not words:
        raise FaultSyntaxError(f"fault '{text}': says which calls, but not what happens to them")
    for word in words:
        try:
            _read_word(word, fields)
        except ValueError as error:
            raise FaultSyntaxError(f"fault '{text}': {error}") from None
    _refuse_contradiction(text, fields)
    return Fault(**fields)


def _read_word(word: str, fields: dict[str, Any]) -> None:
    name, equals, value = word.partition("=")
    if equals:
        if name not in OPTIONS:
            raise ValueError(f"unknown option '{name}'; there are {', '.join(OPTIONS)}")
        field, read = OPTIONS[name]
        read_value = read(value)
        fields[field] = fields[field] + read_value if field == "headers" and field in fields else read_value
    elif word.isdecimal():
        fields["status"] = _status(word)
    elif word in set(Action):
        fields["action"] = Action(word)
    else:
        actions = ", ".join(action for action in Action if action is not Action.ANSWER)
        raise ValueError(f"'{word}' is neither a status, nor an option, nor one of {actions}")


def _refuse_contradiction(text: str, fields: Mapping[str, Any]) -> None:
    action = fields.get("action", Action.ANSWER)
    if "status" in fields and action in UNANSWERED:
        raise FaultSyntaxError(
            f"fault '{text}': {action} sends no answer, so it can't have the status {fields['status']}"
        )
    if "status" not in fields and ("code" in fields or "message" in fields):
        raise FaultSyntaxError(f"fault '{text}': code and message need a status")


def _status(value: str) -> int:
    status = int(value)
    if not 200 <= status <= 599:
        raise ValueError(f"status {value} is not within 200 to 599")
    return status


def _count(value: str) -> int:
    if not value.isdecimal():
        raise ValueError(f"'{value}' is not a count")
    return int(value)


def _probability(value: str) -> float:
    try:
        probability = float(value)
    except ValueError:
        probability = -1.0
    if not 0.0 <= probability <= 1.0:
        raise ValueError(f"probability '{value}' is not within 0 to 1")
    return probability


def _duration(value: str) -> float:
    match = _DURATION.fullmatch(value)
    if match is None:
        raise ValueError(f"'{value}' is not a duration such as 250ms, 2s or 1m")
    return float(match[1]) * _SECONDS[match[2]]


def _size(value: str) -> int:
    match = _SIZE.fullmatch(value)
    if match is None:
        raise ValueError(f"'{value}' is not a size such as 512B, 64KiB or 8MiB")
    return int(match[1]) * _BYTES[match[2]]


def _header(value: str) -> tuple[tuple[str, str], ...]:
    name, colon, content = value.partition(":")
    if not colon or not name:
        raise ValueError(f"'{value}' is not a header such as Retry-After:7")
    return ((name.strip(), content.strip()),)


OPTIONS: Mapping[str, tuple[str, Callable[[str], object]]] = {
    "times": ("times", _count),
    "after": ("after", _count),
    "probability": ("probability", _probability),
    "delay": ("delay_seconds", _duration),
    "over": ("slow_seconds", _duration),
    "size": ("huge_bytes", _size),
    "header-size": ("header_bytes", _size),
    "containing": ("containing", str),
    "code": ("code", str),
    "message": ("message", str),
    "body": ("body", str),
    "header": ("headers", _header),
}
"""The options, each with its field of `Fault` and the function that parses its value."""

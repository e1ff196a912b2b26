"""Kinds of settings: how each is read from TOML, from the text of a variable, and how it is shown.

Readers raise ValueError with what is wrong and the remedy; the caller adds the key.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from intercomd_daemon.setting.secret import MASK, Secret, without_tokens

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0

_SHOWN_CHARACTERS_MAX = 60
_SIZE_UNITS = {
    "B": 1, "KiB": KIB, "MiB": MIB, "GiB": GIB, "TiB": 1 << 40, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
}  # fmt: skip
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([KMGT]?i?B)", re.ASCII)
_MILLISECONDS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[smhd]))+", re.ASCII)
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhd])", re.ASCII)
# RFC 6750: b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="
_BEARER_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
# "Names at most 190 characters, no `.` or `$` (nor NUL or `` ~`!@#%^&*'{}|\" ``)"
_ATTRIBUTE_NAME = re.compile(r"[^.$\0~`!@#%^&*'{}|\\\"]{1,190}")
_ATTRIBUTE_TYPES = ("string", "integer", "float", "boolean", "datetime")


def shown(value: object) -> str:
    """Returns a value for an error message: quoted, cut at 60 characters, with tokens masked."""
    text = without_tokens(json.dumps(value, default=str, ensure_ascii=False))
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= _SHOWN_CHARACTERS_MAX else text[: _SHOWN_CHARACTERS_MAX - 3] + "..."


def as_toml(value: object) -> str:
    """Returns a value in TOML, whose quoting is that of JSON."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{as_toml(key)} = {as_toml(item)}" for key, item in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)


def _unchanged(text: str) -> object:
    return text


@dataclass(frozen=True)
class ValueKind:
    """One kind of value."""

    read: Callable[[object], Any]
    """Converts a value from TOML, or raises ValueError with what is wrong and the remedy."""
    from_text: Callable[[str], object] = _unchanged
    """Converts the text of a variable to what TOML would give; `read` refuses text that it returns unchanged."""
    show: Callable[[Any], str] = as_toml
    """Returns the value in TOML, with secrets masked."""


def text(form: str = "text", pattern: str = r"(?s).*", characters_max: int = 255) -> ValueKind:
    """Printable text; `form` describes the pattern in words."""
    compiled = re.compile(pattern)

    def read(raw: object) -> str:
        if isinstance(raw, str) and len(raw) <= characters_max and raw.isprintable() and compiled.fullmatch(raw):
            return raw
        raise ValueError(
            f"{shown(raw)} does not fit; write {form}, printable and of at most {characters_max} characters"
        )

    return ValueKind(read)


def choice(*options: str) -> ValueKind:
    """One of the options."""
    listed = " or ".join([", ".join(as_toml(option) for option in options[:-1]), as_toml(options[-1])])

    def read(raw: object) -> str:
        if isinstance(raw, str) and raw in options:
            return raw
        raise ValueError(f"{shown(raw)} is not one of the choices; write {listed}")

    return ValueKind(read)


def boolean() -> ValueKind:
    """True or false; as a variable also 1 or 0."""
    words = {"true": True, "1": True, "false": False, "0": False}

    def read(raw: object) -> bool:
        if isinstance(raw, bool):
            return raw
        raise ValueError(f"{shown(raw)} is neither true nor false; write one of them, without quotes")

    return ValueKind(read, lambda given: words.get(given.strip().lower(), given))


def integer(minimum: int, maximum: int) -> ValueKind:
    """A whole number within a range."""

    def read(raw: object) -> int:
        if type(raw) is int and minimum <= raw <= maximum:
            return raw
        raise ValueError(f"{shown(raw)} is not a whole number from {minimum} to {maximum}; write one, without quotes")

    return ValueKind(read, _whole)


def _whole(given: str) -> object:
    try:
        return int(given)
    except ValueError:
        return given


def share() -> ValueKind:
    """A share: above 0, up to 1."""

    def read(raw: object) -> float:
        if type(raw) in {int, float} and 0 < raw <= 1:  # type: ignore[operator]  # a number, by the first condition
            return float(raw)  # type: ignore[arg-type]  # the same
        raise ValueError(f"{shown(raw)} is not a number above 0 and up to 1; write one, such as 0.5, without quotes")

    def from_text(given: str) -> object:
        try:
            return float(given)
        except ValueError:
            return given

    return ValueKind(read, from_text)


def size(minimum: int, maximum: int, *, none: bool = False) -> ValueKind:
    """A number of bytes: "4MiB", or a whole number of bytes. With `none` an empty text is allowed, and gives 0."""

    def read(raw: object) -> int:
        if none and raw == "":
            return 0
        matched = _SIZE.fullmatch(raw) if isinstance(raw, str) else None
        if matched and matched[2] in _SIZE_UNITS:
            value = float(matched[1]) * _SIZE_UNITS[matched[2]]
        elif type(raw) is int:
            value = raw
        else:
            raise ValueError(f'{shown(raw)} is not a size; write a number with B, KiB, MiB or GiB, such as "4MiB"')
        if minimum <= value <= maximum:
            return round(value)
        otherwise = ', or "" for none' if none else ""
        raise ValueError(
            f"{shown(raw)} is out of range; write a size from {_size(minimum)} to {_size(maximum)}{otherwise}"
        )

    return ValueKind(read, _whole, lambda value: '""' if none and not value else as_toml(_size(value)))


def _size(value: int) -> str:
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if value and value % _SIZE_UNITS[unit] == 0:
            return f"{value // _SIZE_UNITS[unit]}{unit}"
    return f"{value}B"


def duration(minimum: float, maximum: float, *, none: bool = False) -> ValueKind:
    """A time span: "24h", "250ms", "1h30m"; in seconds. With `none` an empty text is allowed, and gives 0.0."""

    def read(raw: object) -> float:
        if none and raw == "":
            return 0.0
        if not isinstance(raw, str) or not _DURATION.fullmatch(raw):
            raise ValueError(f'{shown(raw)} is not a duration; write a number with ms, s, m, h or d, such as "24h"')
        value = sum(float(number) * _MILLISECONDS[unit] for number, unit in _DURATION_PART.findall(raw)) / 1000
        if minimum <= value <= maximum:
            return value
        otherwise = ', or "" for none' if none else ""
        raise ValueError(f"{shown(raw)} is out of range; write {_span(minimum)} to {_span(maximum)}{otherwise}")

    return ValueKind(read, show=lambda value: '""' if none and not value else as_toml(_span(value)))


def _span(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    for unit in ("h", "m", "s"):
        # A single minute is "60s", as the defaults are written.
        if milliseconds % _MILLISECONDS[unit] == 0 and (milliseconds > _MILLISECONDS["m"] or unit == "s"):
            return f"{milliseconds // _MILLISECONDS[unit]}{unit}"
    return f"{milliseconds}ms"


def secret() -> ValueKind:
    """An access token; errors never show it."""

    def read(raw: object) -> Secret:
        if isinstance(raw, str) and (not raw or _BEARER_TOKEN.fullmatch(raw)):
            return Secret(raw)
        raise ValueError(
            "this is not an access token; write one word of letters, digits and -._~+/=, as Intercom shows it"
        )

    return ValueKind(read, str.strip, lambda value: as_toml(MASK if value else ""))


def texts(form: str, pattern: str, *, lower: bool = False, hidden: bool = False) -> ValueKind:
    """A list of texts that match the pattern, without white space around them; as a variable: with commas between.

    `form` describes the pattern in words, with an example. With `lower` the texts are kept in lower case; with `hidden`
    an error shows none of them, since one may be a secret in the wrong place.
    """
    compiled = re.compile(pattern)

    def read(raw: object) -> tuple[str, ...]:
        if not isinstance(raw, list):
            raise ValueError(f"{'this' if hidden else shown(raw)} is not a list; write a list of {form}")  # noqa: TRY004 - as all readers
        items = []
        for item in raw:
            if not isinstance(item, str) or not compiled.fullmatch(item.strip()):
                raise ValueError(f"{'an item' if hidden else shown(item)} does not fit; write a list of {form}")
            items.append(item.strip().lower() if lower else item.strip())
        return tuple(items)

    return ValueKind(read, lambda given: [item.strip() for item in given.split(",") if item.strip()])


def attribute_types() -> ValueKind:
    """Custom attributes and the types to create them with; as a variable: "plan=string,seats=integer"."""

    def read(raw: object) -> Mapping[str, str]:
        types = raw if isinstance(raw, dict) else {}
        for name, kind in types.items():
            if not _ATTRIBUTE_NAME.fullmatch(name):
                raise ValueError(
                    f"{shown(name)} cannot name an attribute; write at most 190 characters, as Intercom gets the name: "
                    "with - in place of each of .$~`!@#%^&*'{}|\\\""
                )
            if kind not in _ATTRIBUTE_TYPES:
                raise ValueError(
                    f"{shown(kind)}, for {shown(name)}, is not a type; write {', '.join(_ATTRIBUTE_TYPES)}"
                )
        if types or raw == {}:
            return MappingProxyType(dict(types))
        raise ValueError(f'{shown(raw)} is not a table of attributes; write lines such as plan = "string"')

    def from_text(given: str) -> object:
        pairs = [pair.split("=", 1) for pair in given.split(",") if pair.strip()]
        if any(len(pair) != 2 for pair in pairs):
            return given
        return {name.strip(): kind.strip() for name, kind in pairs}

    return ValueKind(read, from_text)

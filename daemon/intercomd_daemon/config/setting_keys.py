"""Maps settings structs to keys: lists the keys of a struct, builds a struct from values by key, and back.

A key is a dotted path, such as `rate.share`.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar, get_args

import msgspec

from intercomd_daemon.setting.kinds import ValueKind

Section = TypeVar("Section", bound=msgspec.Struct)


def keys_of(section: type[msgspec.Struct], prefix: str = "") -> dict[str, ValueKind]:
    """Returns every key of a section and its subsections, in the order of declaration."""
    keys: dict[str, ValueKind] = {}
    for field in msgspec.structs.fields(section):
        key = prefix + field.encode_name
        if _is_section(field.type):
            keys |= keys_of(field.type, key + ".")
        else:
            keys.update((key, kind) for kind in get_args(field.type) if isinstance(kind, ValueKind))
    return keys


def build(section: type[Section], values: Mapping[str, object], prefix: str = "", **more: object) -> Section:
    """Builds a section from the values below `prefix`, and defaults. `more` are fields that are not settings."""
    arguments = dict(more)
    for field in msgspec.structs.fields(section):
        key = prefix + field.encode_name
        if _is_section(field.type):
            arguments[field.name] = build(field.type, values, key + ".")
        elif key in values:
            arguments[field.name] = values[key]
    return section(**arguments)


def values_of(section: msgspec.Struct, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yields every key of a section with its value in TOML, secrets masked."""
    kinds = keys_of(type(section))
    for field in msgspec.structs.fields(section):
        value: Any = getattr(section, field.name)
        if isinstance(value, msgspec.Struct):
            yield from values_of(value, prefix + field.encode_name + ".")
        elif field.encode_name in kinds:
            yield prefix + field.encode_name, kinds[field.encode_name].show(value)


def nearest(name: str, beside: Iterable[str], everywhere: Iterable[str] = ()) -> str:
    """Returns the name that an unknown one probably means: a key that ends in it, else one `beside` it, else ""."""
    from difflib import get_close_matches  # noqa: PLC0415 - a daemon whose settings are right does not need it

    same = [key for key in everywhere if key.rpartition(".")[2] == name]
    return next(iter(same or get_close_matches(name, list(beside), n=1)), "")


def _is_section(declared: Any) -> bool:  # noqa: ANN401  # an annotation may be anything
    return isinstance(declared, type) and issubclass(declared, msgspec.Struct)

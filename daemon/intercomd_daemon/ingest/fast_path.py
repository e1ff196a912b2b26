"""Fast path: attributes that need no normalization, which are most of thousands a second."""

from collections.abc import Sequence
from typing import Any

from intercomd_daemon.ingest.decoded import Attribute
from intercomd_daemon.ingest.limits import ATTRIBUTE_NAME_CHARACTERS_MAX, VALUE_CHARACTERS_MAX
from intercomd_daemon.ingest.names import is_normal


def fast_path_pairs(attributes: Sequence[Attribute], maximum: int) -> dict[str, Any] | None:
    """Returns the attributes unchanged if all of them can be sent like that; None if one needs normalization."""
    if len(attributes) > maximum:
        return None
    pairs: dict[str, Any] = {}
    for name, value in attributes:
        if type(value) is str:
            # Control characters are not printable, and are removed on the slow path.
            if len(value) > VALUE_CHARACTERS_MAX or not value.isprintable():
                return None
        elif type(value) is not int and type(value) is not bool:
            return None
        # Longer names are not looked up, so that the size of the cache is bounded.
        if len(name) > ATTRIBUTE_NAME_CHARACTERS_MAX or not is_normal(name):
            return None
        pairs[name] = value
    return pairs if len(pairs) == len(attributes) else None

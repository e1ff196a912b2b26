"""Fast path: attributes that need no normalization, as most of thousands a second do."""

from collections.abc import Sequence
from typing import Any

from intercomd_daemon.ingest.decoded import Attribute
from intercomd_daemon.ingest.limits import ATTRIBUTE_NAME_CHARACTERS_MAX, VALUE_CHARACTERS_MAX
from intercomd_daemon.ingest.names import is_fit


def fast_path_pairs(attributes: Sequence[Attribute], maximum: int) -> dict[str, Any] | None:
    """The attributes as they came if each may be sent like that and all fit; None if one must be looked at."""
    if len(attributes) > maximum:
        return None
    pairs: dict[str, Any] = {}
    for name, value in attributes:
        if type(value) is str:
            if len(value) > VALUE_CHARACTERS_MAX:
                return None
        elif type(value) is not int and type(value) is not bool:
            return None
        # A name that is too long is not even remembered, so that what is remembered is bounded.
        if len(name) > ATTRIBUTE_NAME_CHARACTERS_MAX or not is_fit(name):
            return None
        pairs[name] = value
    return pairs if len(pairs) == len(attributes) else None

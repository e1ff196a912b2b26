"""The metadata of an event: the sender's attributes as Intercom takes them, and what we add, as the JSON that is sent.

"Intercom tracks the first 10 keys in the order sent and ignores the rest without an error": so the order is kept, and
the keys above the limit are dropped here and reported.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice

import msgspec

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.envelope import Time
from intercomd_daemon.errors import quoted
from intercomd_daemon.ingest.attribute_findings import (
    name_stands,
    refuse_excess,
    say_excess,
    say_renamed,
    say_repeated,
)
from intercomd_daemon.ingest.decision import Findings
from intercomd_daemon.ingest.decoded import Attribute, SentValue
from intercomd_daemon.ingest.fast_path import fast_path_pairs
from intercomd_daemon.ingest.names import date_name, mend_key
from intercomd_daemon.ingest.values import Json, metadata_value

_SETTING = "limits.event_attributes_max"
_LEFT_OUT_NAMED_MAX = 12
"""How many names a message lists; as many as we add to any event."""

_encode = msgspec.json.Encoder(decimal_format="number").encode

Pairs = dict[str, Json]


def custom_metadata(attributes: list[Attribute], path: str, rules: ConnectionSettings, found: Findings) -> bytes:
    """The JSON of an event that has nothing but the sender's attributes, trimmed or refused above the limit."""
    maximum = rules.limits.event_attributes_max
    pairs, excess = own_pairs(attributes, path, found, maximum, trim=rules.limits.on_excess == "trim")
    if excess and rules.limits.on_excess == "reject":
        refuse_excess(path, excess, maximum, _SETTING, found)
    return _encode(pairs) if pairs else b""


def own_pairs(
    attributes: list[Attribute], path: str, found: Findings, maximum: int, *, trim: bool
) -> tuple[Pairs, int]:
    """The sender's attributes by the names and values that Intercom takes, and how many more than `maximum` came."""
    usual = fast_path_pairs(attributes, maximum)
    if usual is not None:
        return usual, 0
    pairs: Pairs = {}
    excess = 0
    for index, (given, value) in enumerate(attributes):
        name, final = _made_fit(given, value, f"{path}[{index}]", found)
        if final is None:
            continue
        if name in pairs:
            say_repeated(given, f"{path}[{index}]", found)
        elif len(pairs) < maximum:
            pairs[name] = final
        else:
            excess += 1
            if trim:
                say_excess(f"{path}[{index}]", maximum, _SETTING, found)
    return pairs, excess


def composed_metadata(
    ours: Pairs, own: Sequence[Pairs], path: str, rules: ConnectionSettings, found: Findings
) -> bytes:
    """The JSON of an event that has what we say of it, then the sender's own groups: the first of a name, trimmed.

    The sender's own alone above the limit are refused where the connection does not trim; ours are always trimmed.
    """
    maximum = rules.limits.event_attributes_max
    own_excess = len(set().union(*own)) - maximum
    if own_excess > 0 and rules.limits.on_excess == "reject":
        refuse_excess(path, own_excess, maximum, _SETTING, found)
        return b""
    groups = (ours, *own)
    pairs: Pairs = {}
    for name, value in chain.from_iterable(group.items() for group in groups):
        if len(pairs) >= maximum:
            break
        pairs.setdefault(name, value)
    left = sum(map(len, groups)) - len(pairs)
    if left:
        _say_left_out(groups, pairs, left, path, rules, found)
    return _encode(pairs) if pairs else b""


def _made_fit(given: str, value: SentValue, path: str, found: Findings) -> tuple[str, Json]:
    name = mend_key(given)
    if not name_stands(name, given, path, found):
        return "", None
    final = metadata_value(value, path, found)
    if not isinstance(value, Time) or final is None:
        return name.name, final
    dated = date_name(name.name)
    if dated != name.name:
        say_renamed(dated, given, path, found)
    return dated, final


def _say_left_out(
    groups: Sequence[Pairs], kept: Pairs, left: int, path: str, rules: ConnectionSettings, found: Findings
) -> None:
    names = [quoted(name) for name in islice(_left_out(groups, kept), _LEFT_OUT_NAMED_MAX)]
    more = f" and {left - len(names)} more" if left > len(names) else ""
    limit = rules.limits.event_attributes_max
    message = (
        f"at most {limit} attributes reach Intercom, each name once, the first ones ({_SETTING}): "
        f"left out {', '.join(names)}{more}"
    )
    found.adjust("ATTRIBUTE_DROPPED", path, message)


def _left_out(groups: Sequence[Mapping[str, Json]], kept: Mapping[str, Json]) -> Iterator[str]:
    seen: set[str] = set()
    for name in chain.from_iterable(groups):
        if name in kept and name not in seen:
            seen.add(name)
        else:
            yield name

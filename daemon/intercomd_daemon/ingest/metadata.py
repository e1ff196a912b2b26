"""Composes the metadata of an event as JSON: the daemon's own metadata, then the sender's normalized attributes.

"Intercom tracks the first 10 metadata keys in the order sent" (I27): so the order is kept, and
the keys above the limit are dropped here and reported.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice

import msgspec

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.envelope import Time
from intercomd_daemon.errors import quoted
from intercomd_daemon.ingest.attributes import (
    check_name,
    reject_excess,
    report_duplicate,
    report_excess,
    report_renamed,
    unchanged_attributes,
)
from intercomd_daemon.ingest.decision import Findings
from intercomd_daemon.ingest.decoded import Attribute, DecodedValue
from intercomd_daemon.ingest.names import date_name, normalize_key
from intercomd_daemon.ingest.values import Json, metadata_value

_SETTING = "limits.event_attributes_max"
_DROPPED_LISTED_MAX = 12
"""Names that a message lists; the daemon adds at most as many to an event."""

_encode = msgspec.json.Encoder(decimal_format="number").encode

Metadata = dict[str, Json]
"""Name to value, in the order in which Intercom gets them."""


def custom_metadata(attributes: list[Attribute], path: str, rules: ConnectionSettings, found: Findings) -> bytes:
    """Returns the JSON of the sender's attributes; those above the limit are trimmed or rejected."""
    maximum = rules.limits.event_attributes_max
    unchanged = unchanged_attributes(attributes, maximum)
    if unchanged:
        return _encode(unchanged)
    pairs, excess = normalize_attributes(attributes, path, found, maximum, trim=rules.limits.on_excess == "trim")
    if excess and rules.limits.on_excess == "reject":
        reject_excess(path, excess, maximum, _SETTING, found)
    return _encode(pairs) if pairs else b""


def normalize_attributes(
    attributes: list[Attribute], path: str, found: Findings, maximum: int, *, trim: bool
) -> tuple[Metadata, int]:
    """Returns the first `maximum` normalized attributes, and the number of the others."""
    unchanged = unchanged_attributes(attributes, maximum)
    if unchanged is not None:
        return unchanged, 0
    pairs: Metadata = {}
    excess = 0
    for index, (given, value) in enumerate(attributes):
        name, final = _normalize(given, value, f"{path}[{index}]", found)
        if final is None:
            continue
        if name in pairs:
            report_duplicate(given, f"{path}[{index}]", found)
        elif len(pairs) < maximum:
            pairs[name] = final
        else:
            excess += 1
            if trim:
                report_excess(given, f"{path}[{index}]", maximum, _SETTING, found)
    return pairs, excess


def compose_metadata(
    ours: Metadata, own: Sequence[Metadata], path: str, rules: ConnectionSettings, found: Findings
) -> bytes:
    """Returns the JSON of `ours`, then of the sender's groups: the first of each name, up to the limit.

    If the connection does not trim, the sender's attributes alone must be within the limit; `ours` is always trimmed.
    """
    maximum = rules.limits.event_attributes_max
    own_excess = len(set().union(*own)) - maximum
    if own_excess > 0 and rules.limits.on_excess == "reject":
        reject_excess(path, own_excess, maximum, _SETTING, found)
        return b""
    groups = (ours, *own)
    pairs: Metadata = {}
    for name, value in chain.from_iterable(group.items() for group in groups):
        if len(pairs) >= maximum:
            break
        pairs.setdefault(name, value)
    left = sum(map(len, groups)) - len(pairs)
    if left:
        _report_dropped(groups, pairs, left, path, rules, found)
    return _encode(pairs) if pairs else b""


def _normalize(given: str, value: DecodedValue, path: str, found: Findings) -> tuple[str, Json]:
    name = normalize_key(given)
    if not check_name(name, given, path, found):
        return "", None
    final = metadata_value(value, path, found)
    if not isinstance(value, Time) or final is None:
        return name.name, final
    dated = date_name(name.name)
    if dated != name.name:
        report_renamed(dated, given, path, found)
    return dated, final


def _report_dropped(
    groups: Sequence[Metadata], kept: Metadata, left: int, path: str, rules: ConnectionSettings, found: Findings
) -> None:
    names = [quoted(name) for name in islice(_dropped(groups, kept), _DROPPED_LISTED_MAX)]
    more = f" and {left - len(names)} more" if left > len(names) else ""
    limit = rules.limits.event_attributes_max
    message = (
        f"event has {left + len(kept)} attributes, limit {limit} ({_SETTING}), each name once: "
        f"dropped {', '.join(names)}{more}"
    )
    found.adjust("ATTRIBUTE_DROPPED", path, message)


def _dropped(groups: Sequence[Mapping[str, Json]], kept: Mapping[str, Json]) -> Iterator[str]:
    seen: set[str] = set()
    for name in chain.from_iterable(groups):
        if name in kept and name not in seen:
            seen.add(name)
        else:
            yield name

"""The results that a repeat of a forwarded request gets, packed for the spool and read back. Pure.

Texts are cut: an agent shows them as the reasons of its dead letters.
"""

from collections.abc import Container, Mapping, Sequence

import msgspec

from intercomd_daemon.envelope import Finding
from intercomd_daemon.ingest.decision import Decision, Disposition
from intercomd_daemon.spool import record
from intercomd_daemon.spool.forwarded import Forwarded

VIOLATIONS_KEPT_MAX = 3
"""Violations kept of one envelope: the first ones."""
MESSAGE_KEPT_MAX = 200
"""Characters kept of a field and of a message."""


class _Result(msgspec.Struct, frozen=True, array_like=True, gc=False):
    envelope_id: str
    disposition: int
    violations: tuple[Finding, ...] = ()


class _Results(msgspec.Struct, frozen=True, array_like=True):
    results: tuple[_Result, ...]
    """In the order of the request; those with the disposition ACCEPTED are the rows of its append."""


def pack_results(decisions: Sequence[Decision], repeated: Container[str]) -> bytes:
    """Returns the results before duplicates are known. Those of `repeated` ids have no row: they become duplicates."""
    return record.pack(_Results(tuple(_result(decision, repeated) for decision in decisions)))


def _result(decision: Decision, repeated: Container[str]) -> _Result:
    disposition = decision.disposition
    if disposition is Disposition.ACCEPTED and decision.envelope_id in repeated:
        disposition = Disposition.DUPLICATE
    kept = tuple(
        Finding(each.reason, each.field[:MESSAGE_KEPT_MAX], each.message[:MESSAGE_KEPT_MAX])
        for each in decision.violations[:VIOLATIONS_KEPT_MAX]
    )
    return _Result(decision.envelope_id, int(disposition), kept)


def results_of(forwarded: Forwarded) -> Mapping[str, Decision]:
    """Returns the decisions of a request by envelope id, as they were sent; none if another release packed them."""
    try:
        results = record.unpack(forwarded.data, _Results).results
    except record.RecordDamaged:
        return {}
    duplicates, place = frozenset(forwarded.duplicates), 0
    decisions: dict[str, Decision] = {}
    for result in results:
        disposition = Disposition(result.disposition)
        if disposition is Disposition.ACCEPTED:
            disposition = Disposition.DUPLICATE if place in duplicates else disposition
            place += 1
        # Of an id that is in the request twice, the first one counts: the second was its duplicate.
        decisions.setdefault(
            result.envelope_id, Decision(result.envelope_id, forwarded.connection, disposition, result.violations)
        )
    return decisions

"""A request that an agent forwards: which of its envelopes repeat an earlier attempt, and their results then. Pure.

Texts are cut: an agent shows them as the reasons of its dead letters.
"""

from collections.abc import Container, Mapping, Sequence

import msgspec

from intercomd_daemon.envelope import Finding
from intercomd_daemon.ingest.decision import Decision, Disposition
from intercomd_daemon.ingest.decoded import Forwarder
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


class ForwardedRequest:
    """A forwarded request, beside the last request of its agent for its connection that the spool remembers.

    There are three cases, by the sequence of that request:

    1. An earlier one, or none: this request is new, and its results replace those.
    2. The same: this is a repeat. Its envelopes get their decisions, whatever the duplicate window knows.
    3. A later one: the agent has given this request up, and it was late on the way. The duplicate window decides, and
       the results of the later one stay.
    """

    def __init__(self, forwarder: Forwarder, caller: str, connection: str, remembered: Forwarded | None) -> None:
        """`connection` is the one that the request is for: agents forward each by itself."""
        self._forwarder = forwarder
        self._caller = caller
        self._is_late = remembered is not None and remembered.sequence > forwarder.sequence
        self.connection = connection
        earlier: Mapping[str, Decision] = {}
        if remembered is not None and remembered.sequence == forwarder.sequence:
            earlier = results_of(remembered)
        self.earlier = earlier
        """The decisions of an earlier attempt, by envelope id."""

    def first_decided(self, decisions: Sequence[Decision]) -> Sequence[Decision]:
        """Returns the decisions that no earlier attempt got."""
        return [each for each in decisions if each.envelope_id not in self.earlier] if self.earlier else decisions

    def to_remember(self, decisions: Sequence[Decision]) -> Forwarded | None:
        """Returns what the spool is to remember of the request.

        None: it remembers all of it already, or a later request, whose results stay.
        """
        if self._is_late or all(each.envelope_id in self.earlier for each in decisions):
            return None
        data = pack_results(decisions, self.earlier)
        return Forwarded(self._caller, self._forwarder.agent_id, self.connection, self._forwarder.sequence, data)


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

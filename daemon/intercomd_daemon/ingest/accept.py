"""The inbound half: look at each envelope, give its events seconds of their own, append, and say what became of it."""

from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec.structs import replace

from intercomd_daemon.envelope import AcceptedEnvelope, lane_of
from intercomd_daemon.ingest.examine import examine
from intercomd_daemon.ingest.examined import Disposition, Examined
from intercomd_daemon.ingest.limits import Rules
from intercomd_daemon.ingest.seconds import Seconds
from intercomd_daemon.ingest.sent import SentEnvelope
from intercomd_daemon.spool.base import Incoming, Intake
from intercomd_daemon.spool.record import pack


class AcceptReport(Protocol):
    """Whoever counts and logs what was accepted."""

    def examined(self, results: Sequence[Examined]) -> None:
        """Told once a batch, after the commit."""
        ...


class Acceptor:
    """Accepts envelopes; the clock tells Unix seconds."""

    def __init__(
        self, rules: Rules, spool: Intake, seconds: Seconds, report: AcceptReport, clock: Callable[[], float]
    ) -> None:
        """`seconds` are those that the spool remembers from an earlier run."""
        self._rules = rules
        self._spool = spool
        self._seconds = seconds
        self._report = report
        self._clock = clock

    async def accept(self, envelopes: Sequence[SentEnvelope]) -> list[Examined]:
        """What became of each; when it returns, the accepted ones are on disk.

        Raises:
            NotNow: nothing was taken.
        """
        examined = self.look(envelopes)
        rows: list[Incoming] = []
        for index, result in enumerate(examined):
            if result.accepted is not None:
                examined[index], row = self._enter(result, result.accepted)
                rows.append(row)
        keys = await self._spool.append(rows) if rows else []
        results = _receipts(examined, keys)
        self._report.examined(results)
        return results

    def look(self, envelopes: Sequence[SentEnvelope]) -> list[Examined]:
        """What would become of each, by itself and the settings alone; nothing is written."""
        rules, now = self._rules, self._clock()
        return [examine(envelope, rules, now) for envelope in envelopes]

    def _enter(self, result: Examined, envelope: AcceptedEnvelope) -> tuple[Examined, Incoming]:
        """The row to append, with the envelope's events on seconds that no other event of the user and name has."""
        lane = lane_of(envelope.customer_id, envelope.email)
        pairs: tuple[tuple[int, int], ...] = ()
        if envelope.events and result.recognised and self._rules[result.connection].same_second == "shift":
            placed = self._seconds.place(result.connection, lane, envelope.envelope_id, envelope.events)
            pairs = placed.pairs
            if placed.notes:
                adjustments = envelope.adjustments + placed.notes
                envelope = replace(envelope, events=placed.events, adjustments=adjustments)
                result = replace(result, accepted=envelope, adjustments=adjustments)
        name, priority, envelope_id = result.connection, result.priority, result.envelope_id
        return result, Incoming(name, priority, lane, envelope_id, pack(envelope), result.recognised, pairs)


def _receipts(examined: Sequence[Examined], keys: Sequence[int]) -> list[Examined]:
    """The results, with those that the spool knew already as duplicates; a key for each accepted one."""
    if all(keys):
        return list(examined)
    remaining = iter(keys)
    return [
        replace(result, disposition=Disposition.DUPLICATE)
        if result.accepted is not None and not next(remaining)
        else result
        for result in examined
    ]

"""What is counted and measured, under the names that Prometheus shows; a registry of its own, no global one.

Labels are bounded: connections are those of the settings, reasons and calls those that we know, events never.
What is at hand elsewhere (the spool, the budgets) is asked for at the scrape and costs nothing in between.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, InfoMetricFamily, Metric

from intercomd_daemon.deliver.exchange import Call
from intercomd_daemon.deliver.status import ConnectionState, ConnectionStatus
from intercomd_daemon.ingest.decision import Decision
from intercomd_daemon.outcome import Outcome
from intercomd_daemon.reasons import OTHER, label_of
from intercomd_daemon.spool.base import Usage
from intercomd_daemon.telemetry.gauges import connection_families, spool_families
from intercomd_daemon.telemetry.tally import Spread, Tally

CALLS = frozenset(call.value for call in Call)
# From a call inside one data centre to the 30 s after which a call is given up.
CALL_SECONDS_BOUNDS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0, 30.0)
# From a sync of a fast disk to one that makes callers wait.
COMMIT_SECONDS_BOUNDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class _Counts:
    """What is counted here; the rest is at hand elsewhere."""

    def __init__(self) -> None:
        self.received = Tally(
            "intercomd_envelopes_received",
            "Envelopes looked at by Publish, by what was decided.",
            ("connection", "disposition", "reason"),
        )
        self.adjustments = Tally(
            "intercomd_adjustments", "Changes made to envelopes on acceptance.", ("connection", "reason")
        )
        self.outcomes = Tally(
            "intercomd_outcomes", "Accepted envelopes that have ended.", ("connection", "type", "reason")
        )
        self.calls = Tally(
            "intercomd_intercom_calls",
            'Calls made to Intercom, by the class of the answer ("none": there was no answer).',
            ("connection", "call", "status"),
        )
        self.call_seconds = Spread(
            "intercomd_intercom_call_duration_seconds",
            "How long calls to Intercom took, to the end of the answer.",
            ("connection", "call"),
            CALL_SECONDS_BOUNDS,
        )
        self.notices = Tally(
            "intercomd_notices", "Things that an operator should see, by what they are.", ("connection", "notice")
        )
        self.commit_seconds = Spread(
            "intercomd_spool_commit_duration_seconds",
            "How long the spool's commits took, with their sync.",
            (),
            COMMIT_SECONDS_BOUNDS,
        )
        self.committed_rows = Tally("intercomd_spool_committed_rows", "Rows written by the spool's commits.", ())
        self.damages = Tally("intercomd_spool_damages", "Times that something of the spool was found damaged.", ())

    def families(self) -> Iterator[Metric]:
        """All of it, as of now."""
        of_envelopes = (self.received, self.adjustments, self.outcomes)
        for counted in (*of_envelopes, self.calls, self.notices, self.committed_rows, self.damages):
            yield counted.family()
        for measured in (self.call_seconds, self.commit_seconds):
            yield measured.family()


class Metrics:
    """The daemon's metrics; `registry` is what a scrape reads. Everything but `committed` runs on the event loop."""

    def __init__(
        self,
        version: str,
        connections: Iterable[str],
        usage: Callable[[], Usage],
        statuses: Callable[[], Sequence[ConnectionStatus]],
        clock: Callable[[], float],
    ) -> None:
        """`usage` and `statuses` are asked at each scrape; `clock` tells Unix seconds."""
        self._version = version
        self._connections = frozenset(connections)
        self._usage = usage
        self._statuses = statuses
        self._clock = clock
        self._lost: Callable[[], int] = int
        self._states: dict[str, ConnectionState] = {}
        self._counts = _Counts()
        self.registry = CollectorRegistry()
        self.registry.register(self)
        ProcessCollector(registry=self.registry)

    def count_decisions(self, results: Iterable[Decision]) -> None:
        """Counts what was decided on envelopes."""
        for result in results:
            reason = result.violations[0].reason if result.violations else ""
            connection = self._connection(result.connection)
            self._counts.received.add((connection, result.disposition.name.lower(), label_of(reason)))
            for note in result.adjustments:
                self._counts.adjustments.add((connection, label_of(note.reason)))

    def count_outcomes(self, outcomes: Iterable[Outcome]) -> None:
        """Counts what has ended."""
        found = Counter((outcome.connection, outcome.type, outcome.reason) for outcome in outcomes)
        for (connection, type_, reason), count in found.items():
            self._counts.outcomes.add((self._connection(connection), type_.name.lower(), label_of(reason)), count)

    def count_call(self, connection: str, call: str, status: int, seconds: float) -> None:
        """Counts and measures one call to Intercom; status 0: there was no answer."""
        connection = self._connection(connection)
        call = call if call in CALLS else OTHER
        self._counts.calls.add((connection, call, f"{status // 100}xx" if 100 <= status <= 599 else "none"))
        self._counts.call_seconds.add((connection, call), seconds)

    def set_state(self, connection: str, state: ConnectionState) -> None:
        """Remembers how a connection stands."""
        self._states[self._connection(connection)] = state

    def count_notice(self, connection: str, notice: str) -> None:
        """Counts something that an operator should see; `notice` is a word of our code, never a sender's."""
        self._counts.notices.add((self._connection(connection), notice))

    def count_commit(self, rows: int, seconds: float) -> None:
        """Counts and measures one commit of the spool; its writer's thread may call this."""
        self._counts.committed_rows.add((), rows)
        self._counts.commit_seconds.add((), seconds)

    def count_damage(self) -> None:
        """Counts that something of the spool was found damaged."""
        self._counts.damages.add(())

    def watch_log(self, lost: Callable[[], int]) -> None:
        """Names what tells how many log lines could not be written."""
        self._lost = lost

    def collect(self) -> Iterator[Metric]:
        """Everything as of now; Prometheus' registry asks for it at a scrape."""
        yield InfoMetricFamily("intercomd_build", "What runs here.", {"version": self._version})
        yield from self._counts.families()
        yield CounterMetricFamily(
            "intercomd_log_lines_lost", "Log lines that could not be written.", value=self._lost()
        )
        statuses = self._statuses()
        states = self._states | {status.name: status.state for status in statuses}
        yield from connection_families(statuses, states)
        yield from spool_families(self._usage(), self._clock())

    def _connection(self, name: str) -> str:
        return name if name in self._connections else OTHER

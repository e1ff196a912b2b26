"""The daemon's Prometheus metrics, in a registry of their own instead of prometheus_client's global one.

Label values are bounded: connections come from the settings, reasons and calls from our code; event names are no label.
Values that other parts keep (the spool's usage, the budgets) are read at the scrape.
"""

import collections
from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric

from intercomd_daemon.deliver.intercom.messages import Call
from intercomd_daemon.deliver.schedule.connection_state import ConnectionState, ConnectionStatus
from intercomd_daemon.ingest.decision import Decision
from intercomd_daemon.outcome import Outcome
from intercomd_daemon.reasons import OTHER, label_of
from intercomd_daemon.spool.base import Usage
from intercomd_daemon.telemetry.gauges import connection_families, spool_families
from intercomd_daemon.telemetry.instruments import Counter, Histogram

CALLS = frozenset(call.value for call in Call)
# From a call within one data centre to the timeout of a call, 30 s.
CALL_SECONDS_BOUNDS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0, 30.0)
# From the sync of a fast disk to one so slow that callers wait noticeably.
COMMIT_SECONDS_BOUNDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class _Instruments:
    """The metrics that are updated as events happen."""

    def __init__(self) -> None:
        self.received = Counter(
            "intercomd_envelopes_received",
            "Envelopes received by Publish, by the decision.",
            ("connection", "disposition", "reason"),
        )
        self.adjustments = Counter(
            "intercomd_adjustments", "Changes made to envelopes on acceptance.", ("connection", "reason")
        )
        self.outcomes = Counter(
            "intercomd_outcomes", "Outcomes of accepted envelopes.", ("connection", "type", "reason")
        )
        self.calls = Counter(
            "intercomd_intercom_calls",
            'Calls to Intercom, by status class; "none" if Intercom did not answer.',
            ("connection", "call", "status"),
        )
        self.call_seconds = Histogram(
            "intercomd_intercom_call_duration_seconds",
            "Duration of calls to Intercom, until the response is read completely.",
            ("connection", "call"),
            CALL_SECONDS_BOUNDS,
        )
        self.notices = Counter("intercomd_notices", "Notices for operators, by notice.", ("connection", "notice"))
        self.commit_seconds = Histogram(
            "intercomd_spool_commit_duration_seconds",
            "Duration of the spool's commits, including the sync.",
            (),
            COMMIT_SECONDS_BOUNDS,
        )
        self.committed_rows = Counter("intercomd_spool_committed_rows", "Rows that the spool's commits wrote.", ())
        self.damages = Counter("intercomd_spool_damages", "Damages found in the spool.", ())

    def families(self) -> Iterator[Metric]:
        """Yields the current values as Prometheus families."""
        counters = (self.received, self.adjustments, self.outcomes, self.calls, self.notices)
        for counter in (*counters, self.committed_rows, self.damages):
            yield counter.family()
        for histogram in (self.call_seconds, self.commit_seconds):
            yield histogram.family()


class Metrics:
    """The daemon's metrics; a scrape reads `registry`. All but `count_commit` are for the event loop's thread."""

    def __init__(
        self,
        version: str,
        connections: Iterable[str],
        usage: Callable[[], Usage],
        statuses: Callable[[], Sequence[ConnectionStatus]],
        clock: Callable[[], float],
    ) -> None:
        """`usage` and `statuses` are called at each scrape; `clock` returns Unix seconds."""
        self._version = version
        self._connections = frozenset(connections)
        self._usage = usage
        self._statuses = statuses
        self._clock = clock
        self._lost: Callable[[], int] = int
        self._states: dict[str, ConnectionState] = {}
        self._reload = clock(), True
        """When the settings were read last, and whether they could be used."""
        self._instruments = _Instruments()
        self.registry = CollectorRegistry()
        self.registry.register(self)
        ProcessCollector(registry=self.registry)

    def count_decisions(self, results: Iterable[Decision]) -> None:
        """Counts decisions on received envelopes, and their adjustments."""
        for result in results:
            reason = result.violations[0].reason if result.violations else ""
            connection = self._connection(result.connection)
            self._instruments.received.add((connection, result.disposition.name.lower(), label_of(reason)))
            for finding in result.adjustments:
                self._instruments.adjustments.add((connection, label_of(finding.reason)))

    def count_outcomes(self, outcomes: Iterable[Outcome]) -> None:
        """Counts outcomes."""
        found = collections.Counter((outcome.connection, outcome.type, outcome.reason) for outcome in outcomes)
        for (connection, type_, reason), count in found.items():
            self._instruments.outcomes.add((self._connection(connection), type_.name.lower(), label_of(reason)), count)

    def count_call(self, connection: str, call: str, status: int, seconds: float) -> None:
        """Counts and measures one call to Intercom; status 0: no answer."""
        connection = self._connection(connection)
        call = call if call in CALLS else OTHER
        self._instruments.calls.add((connection, call, f"{status // 100}xx" if 100 <= status <= 599 else "none"))
        self._instruments.call_seconds.add((connection, call), seconds)

    def set_state(self, connection: str, state: ConnectionState) -> None:
        """Sets the state of a connection."""
        self._states[self._connection(connection)] = state

    def count_notice(self, connection: str, notice: str) -> None:
        """Counts a notice; `notice` is a constant of our code, never text from a sender."""
        self._instruments.notices.add((self._connection(connection), notice))

    def count_commit(self, rows: int, seconds: float) -> None:
        """Counts and measures one commit of the spool; the writer's thread may call this."""
        self._instruments.committed_rows.add((), rows)
        self._instruments.commit_seconds.add((), seconds)

    def count_damage(self) -> None:
        """Counts one damage to the spool."""
        self._instruments.damages.add(())

    def set_connections(self, connections: Iterable[str]) -> None:
        """Replaces the connections of the settings, which become labels."""
        self._connections = frozenset(connections)

    def count_reload(self, now: float, *, success: bool) -> None:
        """Records the last reload; `now` is Unix seconds."""
        self._reload = now, success

    def watch_log(self, lost: Callable[[], int]) -> None:
        """Reads the number of lost log lines from `lost` at each scrape."""
        self._lost = lost

    def collect(self) -> Iterator[Metric]:
        """Yields all current values; prometheus_client calls this at each scrape."""
        yield InfoMetricFamily("intercomd_build", "The version of the daemon.", {"version": self._version})
        yield from self._instruments.families()
        yield CounterMetricFamily(
            "intercomd_log_lines_lost",
            "Log lines that were lost because they could not be written.",
            value=self._lost(),
        )
        reloaded_at, success = self._reload
        yield GaugeMetricFamily(
            "intercomd_config_reload_success", "Whether the last reload of the settings succeeded.", value=success
        )
        yield GaugeMetricFamily(
            "intercomd_config_reload_timestamp_seconds", "When the settings were last read.", value=reloaded_at
        )
        statuses = self._statuses()
        states = self._states | {status.name: status.state for status in statuses}
        yield from connection_families(statuses, states)
        yield from spool_families(self._usage(), self._clock())

    def _connection(self, name: str) -> str:
        return name if name in self._connections else OTHER

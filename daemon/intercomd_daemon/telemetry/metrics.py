"""The daemon's Prometheus metrics, in a registry of their own instead of prometheus_client's global one.

Label values are bounded: connections come from the settings, reasons and calls from our code. Event names are
not labels. Values that other parts keep (the spool's usage, the budgets) are read at the scrape.
"""

import collections
from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric

from intercomd_daemon.connection_status import ConnectionState, ConnectionStatus
from intercomd_daemon.deliver.intercom.messages import Call
from intercomd_daemon.fleet.status import FleetStatus
from intercomd_daemon.ingest.decision import Decision, Disposition
from intercomd_daemon.outcome import EffectKind, Outcome, OutcomeType
from intercomd_daemon.reasons import OTHER, REASONS, ReasonKind, label_of
from intercomd_daemon.spool.rows import LogUsage, Usage
from intercomd_daemon.telemetry.gauges import connection_families, fleet_families, spool_families, workspace_families
from intercomd_daemon.telemetry.instruments import Counter, Histogram

CALLS = frozenset(call.value for call in Call)
# From a call within one data centre to the timeout of a call, 30 s.
CALL_SECONDS_BOUNDS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0, 30.0)
# From an idle daemon to a backlog of a day.
LATENCY_SECONDS_BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 21600.0, 86400.0)
# From the sync of a fast disk to one so slow that callers wait noticeably.
COMMIT_SECONDS_BOUNDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
# "A workspace has at most 120 active event names" (I26), and no text of senders may fill the memory.
EVENT_NAMES_MAX = 1000
# The methods of IngestService, and the codes that a healthy or a refusing daemon ends them with.
INGEST_METHODS = ("Publish", "PublishStream", "Preview")
REQUEST_CODES = ("OK", "INVALID_ARGUMENT", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "UNAVAILABLE")
FORWARD_CODES = (
    *("OK", "CANCELLED", "DEADLINE_EXCEEDED", "FAILED_PRECONDITION", "INTERNAL", "INVALID_ARGUMENT"),
    *("PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "UNAUTHENTICATED", "UNAVAILABLE", "UNIMPLEMENTED", "UNKNOWN"),
)
STATUS_CLASSES = ("2xx", "3xx", "4xx", "5xx", "none")
_STATUS_CLASS = {status: f"{status // 100}xx" for status in range(100, 600)}
# The refusals with a meaning of their own; these series exist from the start.
ALERTED_STATUSES = frozenset({400, 401, 403, 404, 409, 413, 422, 429})
STATUSES = ALERTED_STATUSES | {402, 405, 406, 407, 408, 410, 415, 421, 423, 425, 431, 451, 500, 502, 503, 504}


def _codes(kind: ReasonKind) -> list[str]:
    """Returns the codes of a kind of reason."""
    return [reason.code for reason in REASONS if reason.kind is kind]


_DISPOSITIONS = (
    (Disposition.ACCEPTED, [""]),
    (Disposition.DUPLICATE, [""]),
    (Disposition.SKIPPED, _codes(ReasonKind.SKIP)),
    (Disposition.REJECTED, _codes(ReasonKind.VIOLATION)),
)
_TYPES = (
    (OutcomeType.DELIVERED, [""]),
    (OutcomeType.UNCHANGED, [""]),
    (OutcomeType.SKIPPED, _codes(ReasonKind.LEFT_OUT)),
    (OutcomeType.DEAD_LETTERED, _codes(ReasonKind.DEAD_LETTER)),
    (OutcomeType.DISCARDED, _codes(ReasonKind.DEAD_LETTER)),
)
# At an agent a gateway's decision ends an envelope.
_FORWARDED_TYPES = (
    (OutcomeType.FORWARDED, [""]),
    (OutcomeType.SKIPPED, _codes(ReasonKind.SKIP)),
    (OutcomeType.DEAD_LETTERED, _codes(ReasonKind.VIOLATION)),
    (OutcomeType.DISCARDED, _codes(ReasonKind.VIOLATION)),
)


class _Instruments:
    """The metrics that are updated as events happen."""

    def __init__(self) -> None:
        self.received = Counter(
            "intercomd_envelopes_received",
            "Envelopes received by Publish, by the decision.",
            ("connection", "disposition", "reason"),
        )
        self.requests = Counter(
            "intercomd_requests",
            "Finished calls, and calls without a valid credential, by method, status code and caller.",
            ("method", "code", "caller"),
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
        self.refusals = Counter(
            "intercomd_intercom_refusals",
            'Calls that Intercom answered with an error, by status; "other" for unusual ones.',
            ("connection", "call", "status"),
        )
        self.latency_seconds = Histogram(
            "intercomd_delivery_latency_seconds",
            "Time from the acceptance of an envelope to its outcome; replays and discards are not measured.",
            ("connection",),
            LATENCY_SECONDS_BOUNDS,
        )
        self.call_seconds = Histogram(
            "intercomd_intercom_call_duration_seconds",
            "Duration of calls to Intercom, until the response is read completely.",
            ("connection", "call"),
            CALL_SECONDS_BOUNDS,
        )
        self.notices = Counter("intercomd_notices", "Notices for operators, by notice.", ("connection", "notice"))
        self.forwards = Counter(
            "intercomd_forward_calls", "Calls to the gateway of an agent, by gRPC status.", ("connection", "code")
        )
        self.commit_seconds = Histogram(
            "intercomd_spool_commit_duration_seconds",
            "Duration of the spool's commits, including the sync.",
            (),
            COMMIT_SECONDS_BOUNDS,
        )
        self.committed_rows = Counter("intercomd_spool_committed_rows", "Rows that the spool's commits wrote.", ())
        self.damages = Counter("intercomd_spool_damages", "Damages found in the spool.", ())

    def declare(self, connection: str, *, agent: bool) -> None:
        """Starts the series of a connection at 0, so that alerts see the first increase of each."""
        for disposition, reasons in _DISPOSITIONS:
            for reason in reasons:
                self.received.declare((connection, disposition.name.lower(), reason))
        for type_, reasons in (*_TYPES, *(_FORWARDED_TYPES if agent else ())):
            for reason in reasons:
                self.outcomes.declare((connection, type_.name.lower(), reason))
        for code in FORWARD_CODES if agent else ():
            self.forwards.declare((connection, code))
        for reason in _codes(ReasonKind.ADJUSTMENT):
            self.adjustments.declare((connection, reason))
        for notice in _codes(ReasonKind.NOTICE):
            self.notices.declare((connection, notice))
        for call in CALLS:
            self._declare_call(connection, call)
        self.latency_seconds.declare((connection,))

    def declare_caller(self, caller: str) -> None:
        """Starts the series of a caller's requests at 0."""
        for method in INGEST_METHODS:
            for code in REQUEST_CODES:
                self.requests.declare((method, code, caller))

    def _declare_call(self, connection: str, call: str) -> None:
        self.call_seconds.declare((connection, call))
        for status_class in STATUS_CLASSES:
            self.calls.declare((connection, call, status_class))
        for status in ALERTED_STATUSES:
            self.refusals.declare((connection, call, str(status)))

    def families(self) -> Iterator[Metric]:
        """Yields the current values as Prometheus families."""
        counters = (self.received, self.adjustments, self.outcomes, self.calls, self.refusals, self.notices)
        for counter in (self.requests, *counters, self.forwards, self.committed_rows, self.damages):
            yield counter.family()
        for histogram in (self.latency_seconds, self.call_seconds, self.commit_seconds):
            yield histogram.family()


# These outcomes follow a command, whenever that comes.
_BY_AN_OPERATOR = frozenset({OutcomeType.DISCARDED, OutcomeType.ERASED})


def _collect_names(names: set[str], outcomes: Iterable[Outcome]) -> None:
    """Adds the names of delivered events; "Names are case-insensitive"."""
    delivered = {
        effect.event_name
        for outcome in outcomes
        for effect in outcome.effects
        if effect.kind is EffectKind.EVENT and effect.type is OutcomeType.DELIVERED
    }
    for name in delivered:
        if len(names) < EVENT_NAMES_MAX:
            names.add(name.casefold())


class Metrics:
    """The daemon's metrics; a scrape reads `registry`. All but `count_commit` are for the event loop's thread."""

    def __init__(
        self,
        version: str,
        connections: Iterable[str],
        usage: Callable[[], Usage],
        statuses: Callable[[], Sequence[ConnectionStatus]],
        clock: Callable[[], float],
        fleet: Callable[[], FleetStatus | None] = lambda: None,
        *,
        agent: bool = False,
    ) -> None:
        """`usage`, `statuses` and `fleet` are called at each scrape; `clock` returns Unix seconds."""
        self._fleet = fleet
        self._version = version
        self._usage = usage
        self._statuses = statuses
        self._clock = clock
        self._agent = agent
        self._lost: Callable[[], int] = int
        self._states: dict[str, ConnectionState] = {}
        self._reload = clock(), True
        """When the settings were read last, and whether they could be used."""
        self._event_names: dict[str, set[str]] = {}
        self._instruments = _Instruments()
        self.set_connections(connections)
        for method in INGEST_METHODS:
            self._instruments.requests.declare((method, "UNAUTHENTICATED", ""))
        self._instruments.received.declare((OTHER, Disposition.REJECTED.name.lower(), "UNKNOWN_CONNECTION"))
        self.registry = CollectorRegistry()
        self.registry.register(self)
        ProcessCollector(registry=self.registry)

    def count_decisions(self, results: Iterable[Decision]) -> None:
        """Counts decisions on received envelopes, and their adjustments."""
        counts: dict[tuple[str, Disposition, str], int] = {}
        for result in results:
            kind = (result.connection, result.disposition, result.violations[0].reason if result.violations else "")
            counts[kind] = counts.get(kind, 0) + 1
            for finding in result.adjustments:
                self._instruments.adjustments.add((self._connection(result.connection), label_of(finding.reason)))
        for (connection, disposition, reason), count in counts.items():
            names = (self._connection(connection), disposition.name.lower(), label_of(reason))
            self._instruments.received.add(names, count)

    def count_request(self, method: str, code: str, caller: str) -> None:
        """Counts one call. Each value is a name of our code or of the settings, never text from a sender."""
        self._instruments.requests.add((method, code, caller))

    def count_outcomes(self, outcomes: Sequence[Outcome]) -> None:
        """Counts outcomes, measures their latency, and collects the names of delivered events."""
        for connection in {outcome.connection for outcome in outcomes}:
            self._count_outcomes_of(connection, [each for each in outcomes if each.connection == connection])

    def _count_outcomes_of(self, connection: str, outcomes: Sequence[Outcome]) -> None:
        """Counts the outcomes of one connection, as much as possible at once: most commits have many."""
        label = self._connection(connection)
        found = collections.Counter([(outcome.type, outcome.reason) for outcome in outcomes])
        for (type_, reason), count in found.items():
            self._instruments.outcomes.add((label, type_.name.lower(), label_of(reason)), count)
        self._instruments.latency_seconds.add(
            (label,),
            *[
                max(0.0, outcome.end_time - outcome.accept_time)
                for outcome in outcomes
                if outcome.replay == 0 and outcome.type not in _BY_AN_OPERATOR
            ],
        )
        names = self._event_names.get(connection)
        if names is not None:
            _collect_names(names, outcomes)

    def count_call(self, connection: str, call: str, status: int, seconds: float) -> None:
        """Counts and measures one call to Intercom; status 0: no answer."""
        connection = self._connection(connection)
        call = call if call in CALLS else OTHER
        self._instruments.calls.add((connection, call, _STATUS_CLASS.get(status, "none")))
        self._instruments.call_seconds.add((connection, call), seconds)
        if status >= 400:
            self._instruments.refusals.add((connection, call, str(status) if status in STATUSES else OTHER))

    def count_forward(self, connection: str, code: str) -> None:
        """Counts one call to the gateway; `code` is the name of its gRPC status."""
        self._instruments.forwards.add((self._connection(connection), code))

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
        self._event_names = {name: self._event_names.get(name, set()) for name in self._connections}
        for name in self._connections:
            self._instruments.declare(name, agent=self._agent)

    def set_callers(self, callers: Iterable[str]) -> None:
        """Replaces the callers of the settings; without any, no call needs a credential."""
        for name in list(callers) or [""]:
            self._instruments.declare_caller(name)

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
        if (fleet := self._fleet()) is not None:
            yield from fleet_families(fleet, statuses)
        # What another daemon delivers is in its own metrics.
        elsewhere = {status.name for status in statuses if status.elsewhere}
        statuses = [status for status in statuses if not status.elsewhere]
        states = {name: state for name, state in self._states.items() if name not in elsewhere}
        states |= {status.name: status.state for status in statuses}
        yield from connection_families(statuses, states)
        yield from workspace_families(
            {name: len(names) for name, names in self._event_names.items()},
            {status.name: status.custom_attributes for status in statuses},
        )
        usage = self._usage()
        idle = {name: LogUsage() for name in self._connections}
        yield from spool_families(usage._replace(connections=idle | usage.connections), self._clock())

    def _connection(self, name: str) -> str:
        return name if name in self._connections else OTHER

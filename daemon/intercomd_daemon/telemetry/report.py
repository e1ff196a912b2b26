"""Turns outcomes, calls, decisions and state changes into log lines and metrics, each once and only here.

Watchers are woken after a commit and read the outcomes from the journal themselves.
"""

import logging
from collections.abc import Callable, Sequence

from intercomd_daemon import trace_context
from intercomd_daemon.connection_status import ConnectionState
from intercomd_daemon.envelope import Refusal, lane_of
from intercomd_daemon.ingest.decision import AcceptTimes, Decision, Disposition
from intercomd_daemon.outcome import Effect, Outcome, OutcomeType
from intercomd_daemon.reasons import ReasonKind, remedy_of
from intercomd_daemon.telemetry.logs import Line, Logger
from intercomd_daemon.telemetry.metrics import Metrics
from intercomd_daemon.telemetry.redaction import lane_name
from intercomd_daemon.telemetry.traces import Traces

SENT_CHARACTERS_MAX = 256
"""Characters of a sender's text in a line: the texts of a rejected envelope may exceed every limit."""
DETAIL_CHARACTERS_MAX = 2_000
"""Characters of a list of texts in a line."""
# Notices of normal operation, logged as info; all others are warnings.
_EXPECTED = frozenset({"attribute_created", "call_not_made"})
_TYPE_NAMES = {type_: type_.name.lower() for type_ in OutcomeType}
# A connection is verifying from its start. It is logged only when that failed, such as for want of an access token.
_CHANGE_LEVELS = {
    ConnectionState.VERIFYING: logging.WARNING,
    ConnectionState.DOWN: logging.WARNING,
    ConnectionState.SUSPENDED: logging.ERROR,
}


class OutcomeLine(Line, kw_only=True):
    """The log line of an outcome."""

    envelope_id: str
    connection: str
    lane: str
    event_name: str
    outcome: str
    reason: str
    intercom_request_id: str
    http_status: int
    attempts: int
    effects: int
    replay: int
    age_seconds: float
    trace_id: str = ""
    caller: str = ""


class Report:
    """Writes log lines and counts metrics; call every method on the event loop's thread. None of them waits."""

    def __init__(
        self,
        logger: Logger,
        metrics: Metrics,
        lane_key: bytes,
        traces: Traces | None = None,
    ) -> None:
        """`lane_key`, of 1 to 64 bytes, keys the hashes of emails in log lines, so that they cannot be guessed."""
        self._logger = logger
        self._metrics = metrics
        self._lane_key = lane_key
        self._traces = traces
        self._watchers: dict[object, Callable[[], None]] = {}

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Calls `wake` after each commit that holds outcomes; returns a function that unsubscribes."""
        ticket = object()
        self._watchers[ticket] = wake

        def unsubscribe() -> None:
            self._watchers.pop(ticket, None)

        return unsubscribe

    def wake(self) -> None:
        """Wakes the watchers: there are new outcomes, of this daemon or of others that share its spool."""
        for wake in list(self._watchers.values()):
            wake()

    def on_outcomes(self, outcomes: Sequence[Outcome]) -> None:
        """Counts and logs each committed outcome, discards included, and wakes the watchers."""
        self._metrics.count_outcomes(outcomes)
        self.wake()
        log_info = self._logger.is_enabled_for(logging.INFO)
        forwarded: list[Outcome] = []
        lines: list[tuple[int, OutcomeLine]] = []
        for outcome in outcomes:
            if outcome.type is OutcomeType.DEAD_LETTERED:
                lines.append((logging.WARNING, self._outcome_line(outcome)))
            elif outcome.type is OutcomeType.FORWARDED:
                forwarded.append(outcome)
            elif log_info:
                lines.append((logging.INFO, self._outcome_line(outcome)))
        if forwarded and log_info:
            self._log_forwarded(forwarded)
        self._logger.log_lines("outcome", lines)

    def _log_forwarded(self, outcomes: Sequence[Outcome]) -> None:
        """Logs what the gateway took with one line for each connection: its own log has a line for each envelope."""
        for connection in dict.fromkeys(outcome.connection for outcome in outcomes):
            own = [outcome for outcome in outcomes if outcome.connection == connection]
            self._logger.info(
                "forwarded",
                connection=connection,
                envelopes=len(own),
                duplicates=sum(bool(outcome.reason) for outcome in own),
                spool_id=own[-1].forwarded_to,
                age_seconds=round(max(0.0, *(outcome.end_time - outcome.accept_time for outcome in own)), 3),
            )

    def _outcome_line(self, outcome: Outcome) -> OutcomeLine:
        deciding = _deciding_effect(outcome.effects)
        return OutcomeLine(
            envelope_id=outcome.envelope_id,
            connection=outcome.connection,
            lane=lane_name(lane_of(outcome.customer_id, outcome.email), self._lane_key),
            event_name=_event_name(outcome.effects, deciding),
            outcome=_TYPE_NAMES[outcome.type],
            reason=outcome.reason,
            intercom_request_id=deciding.intercom_request_id if deciding else "",
            http_status=deciding.http_status if deciding else 0,
            attempts=sum([effect.attempts for effect in outcome.effects]),
            effects=len(outcome.effects),
            replay=outcome.replay,
            age_seconds=round(max(0.0, outcome.end_time - outcome.accept_time), 3),
            trace_id=trace_id_of(outcome.traceparent) if outcome.traceparent else "",
            caller=outcome.caller,
        )

    def on_call(
        self,
        connection: str,
        call: str,
        status: int,
        seconds: float,
        traceparents: Sequence[str] = (),
        body: bytes = b"",
    ) -> None:
        """Counts one call to Intercom, by method and path template, and logs it as debug; status 0: no response.

        `traceparents` are those of the envelopes that it is made for. The log shows the body only with `log.values`.
        """
        self._metrics.count_call(connection, call, status, seconds)
        if self._traces is not None:
            self._traces.on_call(connection, call, status, seconds, traceparents)
        if self._logger.is_enabled_for(logging.DEBUG):
            fields = {"connection": connection, "call": call, "http_status": status, "seconds": round(seconds, 3)}
            if body:
                fields["body"] = body.decode()
            self._logger.debug("call", **fields)

    def on_forward(self, connection: str, code: str, envelopes: int, seconds: float) -> None:
        """Counts one call to the gateway, by the name of its status, and logs it as debug; 0 envelopes: a probe."""
        self._metrics.count_forward(connection, code)
        if self._logger.is_enabled_for(logging.DEBUG):
            fields = {"code": code, "envelopes": envelopes, "seconds": round(seconds, 3)}
            self._logger.debug("forward_call", connection=connection, **fields)

    def on_state(self, connection: str, state: ConnectionState, reason: str) -> None:
        """Logs a connection's new state and why; the reason of a suspension begins with its code, and has a remedy."""
        self._metrics.set_state(connection, state)
        level = _CHANGE_LEVELS.get(state, logging.INFO)
        fields = {"connection": connection, "state": state.name.lower(), "reason": reason}
        code = reason.partition(":")[0]
        remedy = remedy_of(ReasonKind.SUSPENSION, code) or remedy_of(ReasonKind.UPSTREAM, code)
        if remedy and state is ConnectionState.SUSPENDED:
            fields["remedy"] = remedy
        self._logger.log(level, "connection", **fields)

    def on_notice(self, connection: str, event: str, **details: object) -> None:
        """Counts and logs a notice, which an operator should see.

        `event` is a snake_case constant of our code, as it becomes a label. A detail is a scalar or a list of texts; a
        `traceparent` is logged as the `trace_id`, and a `lane` without an email.
        """
        self._metrics.count_notice(connection, event)
        if "lane" in details:
            details["lane"] = lane_name(str(details["lane"]), self._lane_key)
        if "traceparent" in details:
            details["trace_id"] = trace_id_of(str(details.pop("traceparent")))
        level = logging.INFO if event in _EXPECTED else logging.WARNING
        fields = {name: _as_scalar(detail) for name, detail in details.items()}
        self._logger.log(level, event, connection=connection, **fields)

    def on_commit(self, rows: int, seconds: float) -> None:
        """Measures a commit of the spool, with its sync; the writer's thread may call it. Logs nothing."""
        self._metrics.count_commit(rows, seconds)

    def on_damage(self, detail: str) -> None:
        """Counts and logs damage to the spool; `detail` says what is damaged and what was done, and names no user."""
        self._metrics.count_damage()
        self._logger.error("spool_damaged", detail=detail)

    def on_refusing(self, reason: str) -> None:
        """Logs that the spool refuses appends and why, or, with an empty reason, that it accepts them again."""
        if reason:
            self._logger.warning("spool_refusing", reason=reason)
        else:
            self._logger.info("spool_accepting")

    def on_decisions(self, results: Sequence[Decision], refusals: Sequence[Refusal], times: AcceptTimes) -> None:
        """Counts the decisions on the envelopes of a request, and logs the refusals: the rejected and skipped ones."""
        self._metrics.count_decisions(results)
        if self._traces is not None:
            self._traces.on_decisions(results, times, trace_context.request_traceparent.get())
        log_info = self._logger.is_enabled_for(logging.INFO)
        for refusal in refusals:
            if refusal.disposition == Disposition.REJECTED:
                self._log_refusal(refusal, logging.WARNING)
            elif log_info:
                self._log_refusal(refusal, logging.INFO)

    def _log_refusal(self, refusal: Refusal, level: int) -> None:
        first = refusal.violations[0] if refusal.violations else None
        lane = lane_of(refusal.customer_id, refusal.email) if refusal.customer_id or refusal.email else ""
        self._logger.log(
            level,
            Disposition(refusal.disposition).name.lower(),
            envelope_id=refusal.envelope_id[:SENT_CHARACTERS_MAX],
            connection=refusal.connection[:SENT_CHARACTERS_MAX],
            lane=lane_name(lane, self._lane_key) if lane else "",
            event_name=refusal.event_name[:SENT_CHARACTERS_MAX],
            reason=first.reason if first else "",
            field=first.field[:SENT_CHARACTERS_MAX] if first else "",
            violations=len(refusal.violations),
            **_caller(refusal.caller),
        )


def _caller(name: str) -> dict[str, str]:
    """Returns the field that names a caller; none where no credential is needed."""
    return {"caller": name} if name else {}


def _deciding_effect(effects: Sequence[Effect]) -> Effect | None:
    """Returns the effect whose answer explains the outcome: the first refusal, else the last one with a call."""
    last: Effect | None = None
    for effect in effects:
        if effect.type is OutcomeType.DEAD_LETTERED:
            return effect
        if effect.http_status:
            last = effect
    return last


def _event_name(effects: Sequence[Effect], deciding: Effect | None) -> str:
    """Returns the name of the deciding event, else of the first one; "": the envelope has only a contact update."""
    if deciding is not None and deciding.event_name:
        return deciding.event_name
    for effect in effects:
        if effect.event_name:
            return effect.event_name
    return ""


def trace_id_of(traceparent: str) -> str:
    """Returns the trace id of a `traceparent`, 32 hexadecimal digits, or "" if it is invalid."""
    context = trace_context.parse(traceparent)
    return context.trace_id if context else ""


def _as_scalar(detail: object) -> object:
    if isinstance(detail, list | tuple):
        return "; ".join(map(str, detail))[:DETAIL_CHARACTERS_MAX]
    return detail

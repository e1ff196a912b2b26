"""The only place that turns outcomes, calls and changes into log lines and metrics, each once.

Watchers are woken and read the journal.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

from intercomd_daemon.deliver.status import Standing
from intercomd_daemon.envelope import lane_of
from intercomd_daemon.ingest.decision import Decision, Disposition
from intercomd_daemon.outcome import Effect, Outcome, OutcomeType
from intercomd_daemon.telemetry.logs import Logger
from intercomd_daemon.telemetry.metrics import Metrics
from intercomd_daemon.telemetry.redaction import lane_name
from intercomd_daemon.telemetry.trace import trace_id_of

# A rejected envelope's texts may be over every limit: lines show so many characters of each.
SENT_CHARACTERS_MAX = 256
# Of a list of texts.
DETAIL_CHARACTERS_MAX = 2_000
# What happens while all is well; everything else that is noted is a warning.
_EXPECTED = frozenset({"attribute_created"})
_CHANGE_LEVELS = {Standing.DOWN: logging.WARNING, Standing.SUSPENDED: logging.ERROR}


class Report:
    """Tells what happened; every method is for the event loop's thread and returns at once."""

    def __init__(
        self,
        logger: Logger,
        metrics: Metrics,
        lane_key: bytes,
        together: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """`lane_key`, of 1 to 64 bytes, keeps the names of lanes by email in logs from being guessed.

        What the logger is told within `together` is written in one go.
        """
        self._logger = logger
        self._metrics = metrics
        self._lane_key = lane_key
        self._together = together
        self._watchers: dict[object, Callable[[], None]] = {}

    def on_ended(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Has `wake` called after each commit that holds outcomes; returns what ends that."""
        ticket = object()
        self._watchers[ticket] = wake

        def unsubscribe() -> None:
            self._watchers.pop(ticket, None)

        return unsubscribe

    def ended(self, outcomes: Sequence[Outcome]) -> None:
        """Outcomes that have been committed, discards included: a count and a line for each; the watchers are woken."""
        self._metrics.ended(outcomes)
        for wake in list(self._watchers.values()):
            wake()
        told = self._logger.is_enabled_for(logging.INFO)
        with self._together():
            for outcome in outcomes:
                dead = outcome.type is OutcomeType.DEAD_LETTERED
                if told or dead:
                    self._tell(outcome, logging.WARNING if dead else logging.INFO)

    def _tell(self, outcome: Outcome, level: int) -> None:
        telling = _telling(outcome.effects)
        fields: dict[str, object] = {
            "envelope_id": outcome.envelope_id,
            "connection": outcome.connection,
            "lane": lane_name(lane_of(outcome.customer_id, outcome.email), self._lane_key),
            "outcome": outcome.type.name.lower(),
            "reason": outcome.reason,
            "intercom_request_id": telling.intercom_request_id if telling else "",
            "http_status": telling.http_status if telling else 0,
            "attempts": sum(effect.attempts for effect in outcome.effects),
            "effects": len(outcome.effects),
            "replay": outcome.replay,
            "age_seconds": round(max(0.0, outcome.end_time - outcome.accept_time), 3),
        }
        trace_id = trace_id_of(outcome.traceparent)
        if trace_id:
            fields["trace_id"] = trace_id
        self._logger.log(level, "outcome", **fields)

    def called(self, connection: str, call: str, status: int, seconds: float) -> None:
        """One call to Intercom, by method and path template; status 0: there was no answer. A line for debugging."""
        self._metrics.called(connection, call, status, seconds)
        if self._logger.is_enabled_for(logging.DEBUG):
            self._logger.debug("call", connection=connection, call=call, http_status=status, seconds=round(seconds, 3))

    def changed(self, connection: str, standing: Standing, reason: str) -> None:
        """A connection's new state, and why; with the remedy if it does not deliver."""
        self._metrics.changed(connection, standing)
        level = _CHANGE_LEVELS.get(standing, logging.INFO)
        self._logger.log(level, "connection", connection=connection, standing=standing.name.lower(), reason=reason)

    def noted(self, connection: str, event: str, **details: object) -> None:
        """Something else that an operator should see, as one line.

        `event` is a snake_case word of our code, as it becomes a label. A detail is a scalar or a list of texts; a
        `traceparent` is told as the `trace_id`.
        """
        self._metrics.noted(connection, event)
        if "traceparent" in details:
            details["trace_id"] = trace_id_of(str(details.pop("traceparent")))
        level = logging.INFO if event in _EXPECTED else logging.WARNING
        fields = {name: _as_scalar(detail) for name, detail in details.items()}
        self._logger.log(level, event, connection=connection, **fields)

    def committed(self, rows: int, seconds: float) -> None:
        """A commit of the spool, with its sync; may be called from the writer's thread, and makes no line."""
        self._metrics.committed(rows, seconds)

    def damaged(self, detail: str) -> None:
        """Something of the spool is not what was written: what, and what became of it, in words that name no user."""
        self._metrics.damaged()
        self._logger.error("spool_damaged", detail=detail)

    def refusing(self, reason: str) -> None:
        """The spool takes no more, and why; or, without a reason, takes more again."""
        if reason:
            self._logger.warning("spool_refusing", reason=reason)
        else:
            self._logger.info("spool_taking")

    def examined(self, results: Sequence[Decision]) -> None:
        """What was decided on the envelopes of a request: counts, and a line for each rejected or skipped one."""
        self._metrics.examined(results)
        told = self._logger.is_enabled_for(logging.INFO)
        for result in results:
            if result.disposition is Disposition.REJECTED:
                self._tell_refusal(result, logging.WARNING)
            elif told and result.disposition is Disposition.SKIPPED:
                self._tell_refusal(result, logging.INFO)

    def _tell_refusal(self, result: Decision, level: int) -> None:
        first = result.violations[0] if result.violations else None
        self._logger.log(
            level,
            result.disposition.name.lower(),
            envelope_id=result.envelope_id[:SENT_CHARACTERS_MAX],
            connection=result.connection[:SENT_CHARACTERS_MAX],
            reason=first.reason if first else "",
            field=first.field[:SENT_CHARACTERS_MAX] if first else "",
            violations=len(result.violations),
        )


def _telling(effects: Sequence[Effect]) -> Effect | None:
    """The effect whose answer explains the outcome: the first refusal, else the last one that a call was made for."""
    refused = next((effect for effect in effects if effect.type is OutcomeType.DEAD_LETTERED), None)
    return refused or next((effect for effect in reversed(effects) if effect.http_status), None)


def _as_scalar(detail: object) -> object:
    if isinstance(detail, list | tuple):
        return "; ".join(map(str, detail))[:DETAIL_CHARACTERS_MAX]
    return detail

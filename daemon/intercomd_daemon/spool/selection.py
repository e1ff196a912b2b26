"""What the filters of outcomes and dead letters mean: every field that is not empty must match, exactly.

The time of acceptance lies in [accept_time_from, accept_time_to). Engines that filter in SQL must mean the same.
"""

from intercomd_daemon.outcome import DeadLetter, Outcome
from intercomd_daemon.spool.base import DeadLetterFilter, OutcomeFilter


def selects_outcome(wanted: OutcomeFilter, outcome: Outcome) -> bool:
    """Whether the filter matches the outcome."""
    return (
        wanted.connection in {"", outcome.connection}
        and wanted.envelope_id in {"", outcome.envelope_id}
        and wanted.customer_id in {"", outcome.customer_id}
        and wanted.email in {"", outcome.email}
        and (not wanted.types or outcome.type in wanted.types)
    )


def selects_letter(wanted: DeadLetterFilter, letter: DeadLetter) -> bool:
    """Whether the filter matches the dead letter."""
    outcome = letter.outcome
    return (
        wanted.connection in {"", outcome.connection}
        and (not wanted.dead_letter_ids or letter.dead_letter_id in wanted.dead_letter_ids)
        and (not wanted.envelope_ids or outcome.envelope_id in wanted.envelope_ids)
        and wanted.customer_id in {"", outcome.customer_id}
        and wanted.email in {"", outcome.email}
        and wanted.reason in {"", outcome.reason}
        and wanted.accept_time_from <= outcome.accept_time
        and (not wanted.accept_time_to or outcome.accept_time < wanted.accept_time_to)
    )

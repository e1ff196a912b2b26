"""Describes what happened in a play, in the words of the fault matrix."""

import asyncio

import msgspec

from delivery.fault_play import Made, Play
from intercomd_daemon.connection_status import ConnectionState
from intercomd_daemon.deliver.intercom.classification import classify
from intercomd_daemon.deliver.intercom.messages import Call, Request
from intercomd_daemon.outcome import EffectKind, Outcome, OutcomeType

USERS = ("u1", "u2", "u3")
FOREVER = 1_000_000
STAYS_SECONDS = 120.0
PATIENCE_SECONDS = 7200.0
NOTHING = "—"
_CONTACT_CALLS = (Call.CREATE_CONTACT, Call.UPDATE_CONTACT)


async def see(call: Call, how: str) -> tuple[str, ...]:
    """The cells of a row: classification, pause, further calls, outcome, what if the fault stays, what was reported."""
    return *(await see_once(call, how)), await see_it_stay(call, how)


async def see_once(call: Call, how: str) -> tuple[str, ...]:
    """One user; the first call of the kind suffers the fault, no other."""
    async with Play(call, how, USERS[:1], 1) as play:
        ended = await _all_ended(play, PATIENCE_SECONDS)
        play.check()
        made = play.road.made
        first = next(number for number, one in enumerate(made) if one.request.call is call)
        classification = classify(call, made[first].answer)
        kind = f"{classification.kind.name.lower()} {classification.reason}".strip()
        outcome = _outcome(play, play.notes.outcomes[0]) if ended else "waits for ever"
        return kind, _pause(made[first:]), _calls(play, made[first + 1 :]), outcome, _reported(play)


async def see_it_stay(call: Call, how: str) -> str:
    """Several users; each call of the kind suffers the fault for ten minutes, and no longer."""
    # A fault that names a contact names one user's.
    users = USERS[:1] if "{id}" in how else USERS
    async with Play(call, how, users, FOREVER) as play:
        ended = await _all_ended(play, STAYS_SECONDS)
        reason = play.worker.status().reason
        state = _state_text(play.worker.status().state, reason)
        play.lift()
        if not ended:
            assert await _all_ended(play, PATIENCE_SECONDS), "the fault is over, and still something waits"
        play.check()
        outcomes = {_outcome(play, outcome) for outcome in play.notes.outcomes}
        outcome = " or ".join(sorted(outcomes))
        if ended:
            return ", ".join(filter(None, [outcome, state]))
        waits = " ".join(["waits", state and f"({state})"]).strip()
        return waits if outcome == "delivered" else f"{waits}, then {outcome}"


async def _all_ended(play: Play, seconds: float) -> bool:
    try:
        await play.notes.until(lambda notes: len(notes.outcomes) == len(play.users), seconds)
    except TimeoutError:
        return False
    return True


def _pause(made: list[Made]) -> str:
    if len(made) < 2:
        return NOTHING
    seconds = round(made[1].left - made[0].ended, 1)
    return f"{seconds:g} s" if seconds else "none"


def _calls(play: Play, made: list[Made]) -> str:
    return " → ".join(_name(play, one.request) + _ending(one.answer.status) for one in made) or NOTHING


def _ending(status: int) -> str:
    return "" if 200 <= status < 300 else f" {status or 'lost'}"


def _name(play: Play, request: Request) -> str:
    """The call, and what is missing in it, or different, of what it would hold if all had gone well."""
    body = msgspec.json.decode(request.body) if request.body else {}
    without = []
    if request.call in _CONTACT_CALLS and play.scene.email and "email" not in body:
        without.append("email")
    if request.call in _CONTACT_CALLS and play.scene.says and "custom_attributes" not in body:
        without.append("plan")
    by_id = " by id" if request.call is Call.TRACK_EVENT and "id" in body else ""
    return f"{request.call}{by_id}{' without ' + ' and '.join(without) if without else ''}"


def _outcome(play: Play, outcome: Outcome) -> str:
    """The type; which of the calls ended otherwise, and why; what was adjusted."""
    others = [
        f"{'contact' if effect.kind is EffectKind.CONTACT else 'event'} {_type(effect.type)} {effect.reason}"
        for effect in outcome.effects
        if effect.type is not OutcomeType.DELIVERED
    ]
    assert outcome.customer_id
    notes = [f"+ {reason}" for reason in sorted({note.reason for note in outcome.adjustments})]
    tracked = [event for event in play.sandbox.events if outcome.customer_id == event.external_id]
    arrived = any(
        effect.kind is EffectKind.EVENT and effect.type is OutcomeType.DELIVERED for effect in outcome.effects
    )
    if arrived and len(tracked) != 1:
        notes.append(f"(Intercom holds {len(tracked)} events)")
    return " ".join(filter(None, [_type(outcome.type), f"({', '.join(others)})" if others else "", *notes]))


def _type(type_: OutcomeType) -> str:
    return "dead letter" if type_ is OutcomeType.DEAD_LETTERED else type_.name.lower()


def _reported(play: Play) -> str:
    reported = [_state_text(state, reason) for state, reason in play.notes.reasoned_states]
    return ", ".join([*filter(None, reported), *(f"`{name}`" for name, _ in play.notes.events)]) or NOTHING


def _state_text(state: ConnectionState, reason: str) -> str:
    """In a word or two; empty if it delivers."""
    if state is ConnectionState.DELIVERING:
        return ""
    if state is ConnectionState.DOWN:
        return f"down {reason.partition('(')[2].partition(')')[0]}"
    word, _, why = reason.partition(": ")
    return f"{state.name.lower()} {why if state is ConnectionState.VERIFYING else word}".strip()


async def see_all(call: Call, faults: dict[str, str]) -> dict[str, tuple[str, ...] | BaseException]:
    """Every fault on this call, all at the same time; an exception where a play broke what always holds."""
    seen = await asyncio.gather(*(see(call, how) for how in faults.values()), return_exceptions=True)
    return dict(zip(faults, seen, strict=True))

"""A lane with arbitrary responses of Intercom: each envelope ends once, in order, and no calls repeat forever."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from delivery.dialogue import Talk
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.outcome import Effect, EffectKind, OutcomeType

CONTACT_RESPONSES = [
    "200 c1",
    "200 c2 of u1",
    "200 c3 of u2",
    "200",
    "409 exists c1",
    "409 exists c2",
    "409 archived c3",
    "409 several",
    "409 taken",
    "409 blocked",
    "400 missing plan",
    "400 missing club",
    "400 missing other",
    "400 invalid",
    "404",
    "410",
    "413",
    "422",
    "500",
    "cut",
]
EVENT_RESPONSES = ["202", "404", "409 several", "400 invalid", "422", "503", "cut"]
UPDATES = ["plan=gold", "plan=silver phone=1", "club=red", "$first=Ada", "name=Countess city=Bath", ""]
ENVELOPES = st.lists(st.tuples(st.sampled_from(UPDATES), st.integers(0, 3)).filter(any), min_size=1, max_size=6)
# More calls than this in a row, with nothing settled and no wait between them, were a circle.
CALLS_IN_A_ROW_MAX = 24


class Player:
    """Plays Intercom to a lane: with the given responses first, then all calls succeed."""

    def __init__(self, talk: Talk, responses: list[int]) -> None:
        self._talk = talk
        self._responses = responses
        self._in_a_row = 0
        self.tracked: Counter[str] = Counter()
        """Events that Intercom accepted, by name."""

    def turn(self) -> bool:
        """Performs the lane's next action; returns False if it has none."""
        (action, *more) = self._talk.next_actions()
        if action == "rest":
            return False
        if action[0] in ">?":
            response = self._response(action)
            more = self._talk.respond(response)
            if response == "202":
                self.tracked[action.split("event_name=")[1].split()[0]] += 1
        self._in_a_row = 0 if more or action[0] in "=~" else self._in_a_row + 1
        assert self._in_a_row <= CALLS_IN_A_ROW_MAX
        return True

    def _response(self, action: str) -> str:
        chance = self._responses.pop() if self._responses else None
        if action == "? list":
            return "list plan:string city:string"
        if action.startswith("? create"):
            return "created" if chance is None or chance % 2 else "not created"
        known = EVENT_RESPONSES if "/events" in action else CONTACT_RESPONSES
        return known[(chance or 0) % len(known)]


def ended(effect: Effect) -> str:
    return f"{effect.kind.name} {effect.type.name}"


@settings(max_examples=400, deadline=None)
@given(
    envelopes=ENVELOPES,
    responses=st.lists(st.integers(0, 1000), max_size=60),
    restarts=st.sets(st.integers(0, 60), max_size=4),
    email=st.sampled_from(["", "ada@x.io"]),
    customer_id=st.sampled_from(["u1", "-"]),
    unarchive=st.booleans(),
)
def test_lane_ends_each_envelope_once_and_events_in_order(
    envelopes: list[tuple[str, int]],
    responses: list[int],
    restarts: set[int],
    email: str,
    customer_id: str,
    unarchive: bool,
) -> None:
    talk = Talk(ConnectionSettings(name="main", unarchive=unarchive))
    talk.follow(f"who {customer_id} {email or 'ada@x.io'}" if customer_id == "-" or email else f"who {customer_id}")
    for number, (update, events) in enumerate(envelopes, 1):
        talk.follow(f"{number}: {update}" + "".join(f"; E{number}.{event}" for event in range(events)))
    player = Player(talk, list(responses))
    turns = 0
    while player.turn():
        turns += 1
        assert turns < 1000, "every envelope ends once all calls succeed"
        if turns in restarts:
            talk.follow("park" if turns % 2 else "restart")
        talk.now += 0.01
    assert list(talk.outcomes) == [str(number) for number in range(1, len(envelopes) + 1)]
    for number, (_, events) in enumerate(envelopes, 1):
        effects = talk.outcomes[str(number)].effects
        tracked = [effect for effect in effects if effect.kind is EffectKind.EVENT]
        assert [effect.event_name for effect in tracked] == [f"E{number}.{event}" for event in range(events)]
        assert len(effects) - len(tracked) <= 1
        assert [ended(effect) for effect in effects[:1] if effect.kind is EffectKind.CONTACT] == [
            ended(effect) for effect in effects if effect.kind is EffectKind.CONTACT
        ], "the update comes first"
        for effect in tracked:
            assert player.tracked[effect.event_name] == (effect.type is OutcomeType.DELIVERED)

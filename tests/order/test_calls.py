"""The number of calls for the standard job, whenever requests, responses and commits arrive.

Without failures an envelope never takes more: one call for each event and one for each new user. A call whose response
is lost is repeated, and so is one whose result a crash kept from being committed.
"""

from collections.abc import Callable

import pytest

from delivery.worker import envelope, event
from intercomd_daemon.envelope import AcceptedEnvelope, Scalar
from intercomd_daemon.sandbox import CustomAttribute
from simulation.counted import count_calls

USERS, EVENTS = 20, 200
NUMBERS: dict[str, Scalar] = {f"attribute-{number}": number for number in range(10)}
FLOATS: dict[str, Scalar] = {name: float(str(value)) for name, value in NUMBERS.items()}
TEXTS: dict[str, Scalar] = {name: f"{value}.0" for name, value in NUMBERS.items()}
MOMENTS: list[dict[str, Scalar]] = [
    {"since": "2026-01-02T00:00:00Z", "rank": 1},
    {"since": "2026-01-01T19:00:00-05:00", "rank": True},
    {"since": 1_767_312_000, "rank": "true"},
    {"since": 1_767_312_000_000.0, "rank": " TRUE "},
]
ATTRIBUTES = (
    *(CustomAttribute(name, "float") for name in NUMBERS),
    CustomAttribute("since", "date"),
    CustomAttribute("rank", "boolean"),
)
Make = Callable[[int], AcceptedEnvelope]


def job(values: Callable[[int], dict[str, Scalar]], *, customer_id: str = "u{}", email: str = "") -> Make:
    """Returns what makes envelope n, with the values of its round: envelopes of each user follow in rounds."""

    def make(number: int) -> AcceptedEnvelope:
        user, turn = number % USERS, number // USERS
        opened = event("opened", number)
        return envelope(str(number), customer_id.format(user), values(turn), opened, email=email.format(user))

    return make


JOBS = {
    "equal attributes": job(lambda _: NUMBERS),
    "attributes in another order": job(lambda turn: dict(sorted(NUMBERS.items(), reverse=bool(turn % 2)))),
    "some of the attributes": job(lambda turn: dict(list(NUMBERS.items())[: 10 - turn])),
    "numbers of other types": job(lambda turn: (NUMBERS, FLOATS, TEXTS)[turn % 3]),
    "other spellings and time zones": job(lambda turn: MOMENTS[turn % 4]),
    "emails": job(lambda _: NUMBERS, customer_id="", email="u{}@example.com"),
    "customer ids with emails": job(lambda _: NUMBERS, email="u{}@example.com"),
    "names": job(lambda turn: {"$first_name": "Ada", "$last_name": "King"} | ({"phone": "1"} if turn == 0 else {})),
}


@pytest.mark.parametrize("name", JOBS)
def test_each_event_and_each_new_user_takes_one_call(name: str) -> None:
    for seed in range(4):
        calls = count_calls(seed, [JOBS[name](number) for number in range(EVENTS)], ATTRIBUTES)
        assert calls == {"POST /contacts 200": USERS, "POST /events 202": EVENTS}, seed


@pytest.mark.parametrize("seed", range(100, 106))
def test_standard_job_takes_the_fewest_calls_whenever_responses_and_commits_arrive(seed: int) -> None:
    """1,000 events of 100 new users with ten equal attributes each, most of them in two requests."""
    envelopes = [envelope(f"{n}", f"u{n % 100}", NUMBERS, event("opened", n)) for n in range(1000)]
    assert count_calls(seed, envelopes, ATTRIBUTES) == {"POST /contacts 200": 100, "POST /events 202": 1000}

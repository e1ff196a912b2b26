"""What became of a commit whose answer was lost: in every order of sends, breaks and performed statements."""

import pytest

from fleet.explorer import explore
from fleet.transaction_model import InDoubtModel
from intercomd_daemon.fleet.in_doubt import Committed, DaemonRow, Sent, appended


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (None, Committed.UNKNOWN),
        (DaemonRow(session=3, append=7), Committed.UNKNOWN),
        (DaemonRow(session=4, append=6), Committed.NO),
        (DaemonRow(session=4, append=7), Committed.YES),
        (DaemonRow(session=5, append=8), Committed.YES),
    ],
)
def test_append_is_known_once_its_session_has_ended(row: DaemonRow | None, expected: Committed) -> None:
    assert appended(Sent(session=3, append=7), row) is expected


def test_refused_append_never_commits() -> None:
    model = InDoubtModel()
    found = explore(model.initial, model.following, model.broken)
    assert found.violation == ""
    assert found.steps == {
        "send",
        "refuse",
        "perform",
        "answer",
        "reconnect",
        "reconnect-committed",
        "reconnect-refused",
    }


def test_append_without_the_sessions_fence_commits_after_its_refusal() -> None:
    model = InDoubtModel(fenced=False)
    found = explore(model.initial, model.following, model.broken)
    assert found.violation == "an append was committed that its caller knows as refused"
    assert found.trace == ("send", "reconnect-refused", "perform")

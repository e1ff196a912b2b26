"""The record of calls."""

from intercomd_daemon.sandbox.calls import Calls, ReceivedCall


def call(number: int, body: bytes = b"", query: str = "", illegal: str = "") -> ReceivedCall:
    return ReceivedCall(
        number=number,
        time=1.0,
        method="POST",
        path="/events",
        query_string=query,
        body=body,
        version="2.16",
        status=202,
        request_id=f"r{number}",
        taken=True,
        fault="",
        illegal=illegal,
    )


def test_calls_are_all_counted_and_the_newest_kept() -> None:
    calls = Calls(calls_max=3, illegal_max=2)
    for number in range(1, 6):
        calls.add(call(number, illegal="" if number == 1 else "wrong"))
    assert [one.number for one in calls.all()] == [3, 4, 5]
    assert [one.number for one in calls.illegal()] == [4, 5]
    assert calls.count == 5


def test_body_and_query_of_a_call_are_read_on_demand() -> None:
    assert call(1, b'{"a": [1]}').json == {"a": [1]}
    assert call(1, b"").json is None
    assert call(1, b"nope").json is None
    assert call(1, query="model=contact&empty=").query == {"model": "contact", "empty": ""}


def test_call_is_shown_with_its_json() -> None:
    shown = call(7, b'{"a": 1}', "b=2").as_json()
    assert (shown["number"], shown["json"], shown["query"], shown["status"]) == (7, {"a": 1}, {"b": "2"}, 202)
    assert "body" not in shown

"""OperationsService over a real channel and a spool in memory."""

from collections.abc import Awaitable, Callable

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from intercomd.v1 import envelope_pb2, outcome_pb2
from intercomd.v1 import operations_pb2 as messages
from intercomd.v1.operations_pb2_grpc import OperationsServiceStub
from intercomd_daemon.operations.service import SERVICE
from intercomd_daemon.outcome import Outcome, OutcomeType
from intercomd_daemon.spool.memory import MemorySpool
from intercomd_daemon.spool.rows import DeadLetterFilter

NOW_SECONDS = 1_700_000_100
Stub = OperationsServiceStub
End = Callable[..., Awaitable[Outcome]]
Wait = Callable[..., Awaitable[int]]


async def _refused(call: Awaitable[Message], code: grpc.StatusCode, detail: Message) -> grpc.aio.AioRpcError:
    """The error that a call ends with, its detail unpacked into `detail`."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    assert refused.value.code() is code
    status = Status.FromString(dict(refused.value.trailing_metadata())["grpc-status-details-bin"])
    assert (status.code, status.message) == (code.value[0], refused.value.details())
    assert status.details[0].Unpack(detail)
    return refused.value


async def test_status_describes_daemon_spool_and_connections(stub: Stub, end: End, wait: Wait) -> None:
    await wait("w-1", accept_time=NOW_SECONDS - 30.0)
    await wait("w-2", connection="eu")
    await end("d-1", OutcomeType.DEAD_LETTERED)
    status = await stub.GetStatus(messages.GetStatusRequest())
    assert (status.version, status.state) == ("0.2.0", messages.DAEMON_STATE_SERVING)
    assert status.start_time.seconds == NOW_SECONDS - 60
    assert status.spool.envelopes == 2
    assert 0.0 < status.spool.fill_ratio < 1.0
    assert [(each.name, each.waiting_normal, each.dead_letters) for each in status.connections] == [
        ("default", 1, 1),
        ("eu", 1, 0),
    ]
    assert {each.state for each in status.connections} == {messages.CONNECTION_STATE_DELIVERING}


async def test_removed_connection_is_shown_while_it_has_a_backlog(stub: Stub, end: End, wait: Wait) -> None:
    await wait("w-1", connection="gone")
    await end("d-1", connection="went-too")
    status = await stub.GetStatus(messages.GetStatusRequest())
    assert [(each.name, each.state) for each in status.connections] == [
        ("default", messages.CONNECTION_STATE_DELIVERING),
        ("eu", messages.CONNECTION_STATE_DELIVERING),
        ("gone", messages.CONNECTION_STATE_UNCONFIGURED),
    ]


async def test_daemon_waiting_for_its_spool_reports_it(stub: Stub, opened: list[MemorySpool]) -> None:
    """It refuses the other methods for now."""
    opened.clear()
    assert (await stub.GetStatus(messages.GetStatusRequest())).state == messages.DAEMON_STATE_STARTING
    for call in (
        stub.ListOutcomes(messages.ListOutcomesRequest()),
        stub.ListDeadLetters(messages.ListDeadLettersRequest()),
        stub.ReplayDeadLetters(messages.ReplayDeadLettersRequest()),
        stub.DiscardDeadLetters(messages.DiscardDeadLettersRequest()),
        stub.PauseConnection(messages.PauseConnectionRequest()),
    ):
        detail = RetryInfo()
        error = await _refused(call, grpc.StatusCode.UNAVAILABLE, detail)
        assert detail.retry_delay.seconds == 1
        assert dict(error.trailing_metadata())["grpc-retry-pushback-ms"] == "1000"


async def test_outcomes_are_listed_newest_first_in_pages(stub: Stub, end: End) -> None:
    for number in range(5):
        await end(f"e-{number}")
    pages, token = [], ""
    for _ in range(3):
        answer = await stub.ListOutcomes(messages.ListOutcomesRequest(page_size=2, page_token=token))
        pages.append([outcome.envelope_id for outcome in answer.outcomes])
        token = answer.next_page_token
    assert pages == [["e-4", "e-3"], ["e-2", "e-1"], ["e-0"]]
    assert token == ""


async def test_full_last_page_has_no_next_page_token(stub: Stub, end: End) -> None:
    await end("e-1")
    await end("e-2")
    answer = await stub.ListOutcomes(messages.ListOutcomesRequest(page_size=2))
    assert (len(answer.outcomes), answer.next_page_token) == (2, "")


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (messages.OutcomeFilter(), ["c", "b", "a"]),
        (messages.OutcomeFilter(connection="eu"), ["b"]),
        (messages.OutcomeFilter(customer_id="c-2"), ["b"]),
        (messages.OutcomeFilter(email="ANN@example.com"), ["c"]),
        (messages.OutcomeFilter(envelope_id="a"), ["a"]),
        (messages.OutcomeFilter(types=[outcome_pb2.OUTCOME_TYPE_UNCHANGED]), ["c"]),
        (messages.OutcomeFilter(types=[outcome_pb2.OUTCOME_TYPE_UNSPECIFIED]), []),
        (messages.OutcomeFilter(connection="eu", customer_id="c-1"), []),
    ],
)
async def test_outcomes_are_listed_by_all_fields_of_the_filter(
    stub: Stub, end: End, wanted: messages.OutcomeFilter, found: list[str]
) -> None:
    await end("a")
    await end("b", connection="eu", customer_id="c-2")
    await end("c", OutcomeType.UNCHANGED, customer_id="", email="ann@example.com")
    answer = await stub.ListOutcomes(messages.ListOutcomesRequest(filter=wanted))
    assert [outcome.envelope_id for outcome in answer.outcomes] == found


async def test_dead_letters_are_listed_oldest_first_in_pages_with_their_number(stub: Stub, end: End) -> None:
    for number in range(3):
        await end(f"e-{number}", OutcomeType.DEAD_LETTERED)
    await end("e-9", OutcomeType.DELIVERED)
    first = await stub.ListDeadLetters(messages.ListDeadLettersRequest(page_size=2))
    second = await stub.ListDeadLetters(messages.ListDeadLettersRequest(page_size=2, page_token=first.next_page_token))
    assert [letter.outcome.envelope_id for letter in first.dead_letters] == ["e-0", "e-1"]
    assert [letter.outcome.envelope_id for letter in second.dead_letters] == ["e-2"]
    assert (first.total_count, second.total_count, second.next_page_token) == (3, 3, "")


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (messages.DeadLetterFilter(), ["a", "b", "c"]),
        (messages.DeadLetterFilter(connection="eu"), ["b"]),
        (messages.DeadLetterFilter(dead_letter_ids=["1", "3"]), ["a", "c"]),
        (messages.DeadLetterFilter(envelope_ids=["b", "z"]), ["b"]),
        (messages.DeadLetterFilter(customer_id="c-2"), ["b"]),
        (messages.DeadLetterFilter(email="ANN@example.com"), ["c"]),
        (messages.DeadLetterFilter(reason="TOO_LARGE"), ["c"]),
        (messages.DeadLetterFilter(accept_time_from={"seconds": NOW_SECONDS - 20}), ["c"]),
        (messages.DeadLetterFilter(accept_time_to={"seconds": NOW_SECONDS - 20}), ["a", "b"]),
        (messages.DeadLetterFilter(connection="eu", reason="TOO_LARGE"), []),
    ],
)
async def test_dead_letters_are_listed_by_all_fields_of_the_filter(
    stub: Stub, end: End, wanted: messages.DeadLetterFilter, found: list[str]
) -> None:
    dead = OutcomeType.DEAD_LETTERED
    await end("a", dead)
    await end("b", dead, connection="eu", customer_id="c-2")
    late = NOW_SECONDS - 10.0
    await end("c", dead, customer_id="", email="ann@example.com", reason="TOO_LARGE", accept_time=late)
    answer = await stub.ListDeadLetters(messages.ListDeadLettersRequest(filter=wanted))
    assert [letter.outcome.envelope_id for letter in answer.dead_letters] == found
    assert answer.total_count == len(found)


async def test_dead_letter_shows_what_was_sent_and_what_intercom_answered(stub: Stub, end: End) -> None:
    sent = envelope_pb2.Envelope(envelope_id="e-1", custom_event={"name": "Signed up"})
    await end("e-1", OutcomeType.DEAD_LETTERED, reason="TOO_LARGE", answer_body="{}", source=sent.SerializeToString())
    (letter,) = (await stub.ListDeadLetters(messages.ListDeadLettersRequest())).dead_letters
    assert letter.envelope == sent
    assert (letter.outcome.reason, letter.answer_body) == ("TOO_LARGE", "{}")


async def test_page_of_large_dead_letters_is_about_1_mib_and_loses_none(stub: Stub, end: End) -> None:
    sent = envelope_pb2.Envelope(custom_event={"name": "x" * 100_000}).SerializeToString()
    for number in range(25):
        await end(f"e-{number}", OutcomeType.DEAD_LETTERED, source=sent)
    ids, token = [], "first"
    while token:
        asked = messages.ListDeadLettersRequest(page_size=1000, page_token=token if ids else "")
        answer = await stub.ListDeadLetters(asked)
        assert answer.ByteSize() < 1.1 * (1 << 20)
        ids += [letter.outcome.envelope_id for letter in answer.dead_letters]
        token = answer.next_page_token
    assert ids == [f"e-{number}" for number in range(25)]


async def test_replay_delivers_the_matching_dead_letters_again(stub: Stub, end: End, spool: MemorySpool) -> None:
    for number in range(3):
        await end(f"e-{number}", OutcomeType.DEAD_LETTERED, customer_id=f"c-{number % 2}")
    asked = messages.ReplayDeadLettersRequest(filter=messages.DeadLetterFilter(customer_id="c-0"), expected_count=2)
    assert (await stub.ReplayDeadLetters(asked)).count == 2
    assert spool.usage().connections["default"].normal == 2
    assert await spool.count_dead_letters(DeadLetterFilter()) == 1


async def test_discard_removes_dead_letters_and_is_in_the_journal(stub: Stub, end: End, spool: MemorySpool) -> None:
    await end("e-1", OutcomeType.DEAD_LETTERED)
    assert (await stub.DiscardDeadLetters(messages.DiscardDeadLettersRequest(expected_count=1))).count == 1
    assert await spool.count_dead_letters(DeadLetterFilter()) == 0
    (outcome,) = (await stub.ListOutcomes(messages.ListOutcomesRequest())).outcomes
    assert outcome.type == outcome_pb2.OUTCOME_TYPE_DISCARDED


@pytest.mark.parametrize("expected", [0, 1, 3])
async def test_unexpected_count_changes_nothing_and_names_both_counts(
    stub: Stub, end: End, spool: MemorySpool, expected: int
) -> None:
    await end("e-1", OutcomeType.DEAD_LETTERED)
    await end("e-2", OutcomeType.DEAD_LETTERED)
    for call in (
        stub.ReplayDeadLetters(messages.ReplayDeadLettersRequest(expected_count=expected)),
        stub.DiscardDeadLetters(messages.DiscardDeadLettersRequest(expected_count=expected)),
    ):
        detail = ErrorInfo()
        await _refused(call, grpc.StatusCode.FAILED_PRECONDITION, detail)
        assert detail.reason == "COUNT_MISMATCH"
        assert dict(detail.metadata) == {"expected_count": str(expected), "total_count": "2"}
    assert await spool.count_dead_letters(DeadLetterFilter()) == 2
    assert spool.usage().connections["default"].normal == 0


async def test_expected_count_of_zero_is_no_error(stub: Stub) -> None:
    assert (await stub.ReplayDeadLetters(messages.ReplayDeadLettersRequest())).count == 0


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (messages.ListOutcomesRequest(page_size=-1), "page_size"),
        (messages.ListOutcomesRequest(page_token="x"), "page_token"),
        (messages.ListOutcomesRequest(filter={"email": " "}), "filter.email"),
        (messages.ListDeadLettersRequest(page_token="x"), "page_token"),
        (messages.ListDeadLettersRequest(filter={"dead_letter_ids": ["one"]}), "filter.dead_letter_ids[0]"),
        (messages.ReplayDeadLettersRequest(expected_count=-1), "expected_count"),
        (messages.DiscardDeadLettersRequest(filter={"customer_id": "\t"}), "filter.customer_id"),
        (messages.GiveUpEnvelopeRequest(), "envelope_id"),
        (messages.ListTrailRequest(), "customer_id"),
        (messages.ListTrailRequest(customer_id="c-1", page_token="x"), "page_token"),
        (messages.ListTrailRequest(customer_id="c-1", page_size=-1), "page_size"),
    ],
)
async def test_invalid_filter_is_refused_by_its_field(stub: Stub, asked: Message, field: str) -> None:
    method = getattr(stub, type(asked).__name__.removesuffix("Request"))
    detail = BadRequest()
    await _refused(method(asked), grpc.StatusCode.INVALID_ARGUMENT, detail)
    assert [violation.field for violation in detail.field_violations] == [field]


@pytest.mark.parametrize(("asked", "name"), [("", "default"), ("eu", "eu")])
async def test_connection_is_paused_and_resumed_by_its_name(
    stub: Stub, spool: MemorySpool, asked: str, name: str
) -> None:
    for _ in range(2):
        held = (await stub.PauseConnection(messages.PauseConnectionRequest(connection=asked))).connection
        assert (held.name, held.state) == (name, messages.CONNECTION_STATE_PAUSED)
        assert await spool.paused() == {name}
    for _ in range(2):
        going = (await stub.ResumeConnection(messages.ResumeConnectionRequest(connection=asked))).connection
        assert (going.name, going.state) == (name, messages.CONNECTION_STATE_DELIVERING)
        assert await spool.paused() == frozenset()


@pytest.mark.parametrize(("asked", "name"), [("", "default"), ("eu", "eu")])
async def test_connection_is_probed_by_its_name(stub: Stub, scripted: object, asked: str, name: str) -> None:
    probed = (await stub.RetryConnection(messages.RetryConnectionRequest(connection=asked))).connection
    assert (probed.name, scripted.probed) == (name, [name])  # type: ignore[attr-defined]


async def test_waiting_envelope_is_given_up_once_and_can_be_replayed(stub: Stub, wait: Wait) -> None:
    await wait("w-1", connection="eu")
    asked = messages.GiveUpEnvelopeRequest(connection="eu", envelope_id="w-1")
    given = await stub.GiveUpEnvelope(asked)
    assert (given.outcome.type, given.outcome.reason) == (outcome_pb2.OUTCOME_TYPE_DEAD_LETTERED, "GIVEN_UP")
    (letter,) = (await stub.ListDeadLetters(messages.ListDeadLettersRequest())).dead_letters
    assert (letter.dead_letter_id, letter.outcome) == (given.dead_letter_id, given.outcome)
    detail = ErrorInfo()
    await _refused(stub.GiveUpEnvelope(asked), grpc.StatusCode.NOT_FOUND, detail)
    assert detail.reason == "ENVELOPE_NOT_WAITING"
    assert dict(detail.metadata) == {"connection": "eu", "envelope_id": "w-1"}
    assert (await stub.ReplayDeadLetters(messages.ReplayDeadLettersRequest(expected_count=1))).count == 1


async def test_connection_that_is_not_configured_is_not_found(stub: Stub) -> None:
    for call in (
        stub.PauseConnection(messages.PauseConnectionRequest(connection="ue")),
        stub.ResumeConnection(messages.ResumeConnectionRequest(connection="ue")),
        stub.RetryConnection(messages.RetryConnectionRequest(connection="ue")),
        stub.GiveUpEnvelope(messages.GiveUpEnvelopeRequest(connection="ue", envelope_id="w-1")),
    ):
        detail = ErrorInfo()
        await _refused(call, grpc.StatusCode.NOT_FOUND, detail)
        assert (detail.reason, dict(detail.metadata)) == ("CONNECTION_NOT_FOUND", {"connection": "ue"})


async def test_every_method_of_the_contract_is_served(channel: grpc.aio.Channel) -> None:
    for method in messages.DESCRIPTOR.services_by_name["OperationsService"].methods:
        call = channel.unary_stream(f"/{SERVICE}/{method.name}")(b"\xff")
        assert await call.code() is grpc.StatusCode.INVALID_ARGUMENT, method.name


async def test_closed_spool_asks_the_caller_to_retry(stub: Stub, spool: MemorySpool) -> None:
    await spool.close()
    await _refused(stub.ListOutcomes(messages.ListOutcomesRequest()), grpc.StatusCode.UNAVAILABLE, RetryInfo())


async def test_waiting_envelope_is_found_by_its_id_until_it_ends(stub: Stub, end: End, wait: Wait) -> None:
    await wait("w-1", accept_time=NOW_SECONDS - 30.0)
    await end("d-1")
    found = await stub.GetWaitingEnvelope(messages.GetWaitingEnvelopeRequest(envelope_id="w-1"))
    assert found.waiting
    assert found.envelope.envelope_id == "w-1"
    assert found.accept_time.seconds == NOW_SECONDS - 30
    ended = await stub.GetWaitingEnvelope(messages.GetWaitingEnvelopeRequest(envelope_id="d-1"))
    assert ended == messages.GetWaitingEnvelopeResponse(waiting=False)


@pytest.mark.parametrize("envelope_id", ["", "x" * 134])
async def test_envelope_is_found_by_a_valid_id_only(stub: Stub, envelope_id: str) -> None:
    request = messages.GetWaitingEnvelopeRequest(envelope_id=envelope_id)
    await _refused(stub.GetWaitingEnvelope(request), grpc.StatusCode.INVALID_ARGUMENT, BadRequest())

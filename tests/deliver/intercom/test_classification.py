"""Classification, with a row for each line of Intercom's table of errors and for what that table leaves open."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intercomd_daemon.deliver.intercom.classification import (
    CONTACT_ID_CHARACTERS_MAX,
    Classification,
    Hint,
    Kind,
    classify,
)
from intercomd_daemon.deliver.intercom.messages import Call, Response

DONE, REFUSED, TRANSIENT, SUSPENDED, RESOLVE = Kind.DONE, Kind.REFUSED, Kind.TRANSIENT, Kind.SUSPENDED, Kind.RESOLVE
CREATE, UPDATE, READ, UNARCHIVE = Call.CREATE_CONTACT, Call.UPDATE_CONTACT, Call.READ_CONTACT, Call.UNARCHIVE_CONTACT
EVENT, ME, LIST, ATTRIBUTE = Call.TRACK_EVENT, Call.READ_ME, Call.LIST_ATTRIBUTES, Call.CREATE_ATTRIBUTE
CONTACTS = [CREATE, UPDATE, READ, UNARCHIVE]
FEATURES = [LIST, ATTRIBUTE]
ALL = list(Call)

ID = "6762f0dd1bb69f9f2193bb83"
EXISTS = f"A contact matching those details already exists with id={ID}"
ARCHIVED = f"An archived contact matching those details already exists with id={ID}"
SEVERAL = "Multiple existing users match this email address - must be more specific using user_id"
BLOCKED = "This user was blocked and cannot be recreated"
DELETED = "User has been marked for permanent deletion and is not restorable."
MISSING = "Custom attribute 'plan' does not exist"
PAGE = b"\n<!DOCTYPE html><html><body>Blocked</body></html>"
EVENT_NAMES = "Cannot have more than 120 active event names"


def error(code: str, message: str | None = None, field: object = None) -> bytes:
    body = {"type": "error.list", "request_id": None, "errors": [{"code": code, "message": message, "field": field}]}
    return msgspec.json.encode(body)


# calls, statuses, body, and the classification's kind and reason.
Row = tuple[list[Call], list[int], bytes, Kind, str]
TABLE: list[Row] = [
    # What Intercom documents is success, and nothing else.
    ([EVENT], [202], b"", DONE, ""),
    ([EVENT], [202], b"accepted", DONE, ""),
    ([EVENT], [200, 201, 204, 299], b"", TRANSIENT, "HTTP_{}"),
    ([EVENT], [200], b'{"id":"c1"}', TRANSIENT, "HTTP_{}"),
    (CONTACTS, [200], b'{"type":"contact","id":"c1"}', DONE, ""),
    (CONTACTS, [200], b'\xef\xbb\xbf{"id":"c1"}', DONE, ""),
    (CONTACTS, [201, 202, 204, 206, 299], b'{"type":"contact","id":"c1"}', TRANSIENT, "HTTP_{}"),
    (CONTACTS, [200], b"", TRANSIENT, "ANSWER_UNREADABLE"),
    (CONTACTS, [200], b"{}", TRANSIENT, "ANSWER_UNREADABLE"),
    (CONTACTS, [200], b"OK", TRANSIENT, "ANSWER_UNREADABLE"),
    (CONTACTS, [200], b'{"type":"contact","id":"c1"', TRANSIENT, "ANSWER_UNREADABLE"),
    (CONTACTS, [200], b'{"id":null}', TRANSIENT, "ANSWER_UNREADABLE"),
    (CONTACTS, [200], b'{"id":""}', TRANSIENT, "ANSWER_UNREADABLE"),
    (CONTACTS, [200], b'{"id":7}', TRANSIENT, "ANSWER_UNREADABLE"),
    (CONTACTS, [200], b'{"id":"../me"}', TRANSIENT, "ANSWER_UNREADABLE"),
    (CONTACTS, [200], b'{"type":"admin","id":"c1"}', TRANSIENT, "ANSWER_UNREADABLE"),
    (CONTACTS, [200], b'{"type":"error.list","id":"c1"}', TRANSIENT, "ANSWER_UNREADABLE"),
    ([*CONTACTS, *FEATURES], [200], error("server_error"), TRANSIENT, "ANSWER_UNREADABLE"),
    ([ME], [200], b'{"type":"admin","id":"1","app":null}', DONE, ""),
    ([ME], [200, 201, 204, 404], b'{"type":"contact","id":"c1"}', SUSPENDED, "NOT_INTERCOM"),
    ([ME], [200], error("server_error"), SUSPENDED, "NOT_INTERCOM"),
    ([LIST], [200], b'{"type":"list","data":[]}', DONE, ""),
    ([LIST], [200], b'{"type":"list"}', TRANSIENT, "ANSWER_UNREADABLE"),
    ([LIST], [200], b'{"data":null}', TRANSIENT, "ANSWER_UNREADABLE"),
    ([LIST, ATTRIBUTE], [201, 204], b"", TRANSIENT, "HTTP_{}"),
    ([ATTRIBUTE], [200], b'{"type":"data_attribute","name":"plan"}', DONE, ""),
    ([ATTRIBUTE], [200], b"{}", TRANSIENT, "ANSWER_UNREADABLE"),
    # Any status with an HTML page is another server's, but for those that pass by themselves.
    (
        [*CONTACTS, EVENT, *FEATURES],
        [200, 202, 204, 302, 400, 401, 404, 405, 409, 422, 451],
        PAGE,
        TRANSIENT,
        "NOT_INTERCOM",
    ),
    ([*CONTACTS, EVENT, *FEATURES], [200, 202, 405], PAGE.decode().encode("utf-16"), TRANSIENT, "NOT_INTERCOM"),
    ([ME], [200, 302, 400, 401, 403, 404, 405, 451], PAGE, SUSPENDED, "NOT_INTERCOM"),
    (ALL, [408, 500, 502, 503, 504], PAGE, TRANSIENT, "HTTP_{}"),
    (ALL, [429], PAGE, TRANSIENT, "RATE_LIMITED"),
    # So is any 4xx whose body is neither Intercom's nor empty.
    (
        [*CONTACTS, EVENT, *FEATURES],
        [400, 404, 405, 413, 422, 451],
        b'{"message":"no route"}',
        TRANSIENT,
        "NOT_INTERCOM",
    ),
    ([*CONTACTS, EVENT, *FEATURES], [400, 404, 405, 413, 422, 451], b"no healthy upstream", TRANSIENT, "NOT_INTERCOM"),
    # The way to Intercom is wrong.
    (ALL, [407, 421, 431], b"", SUSPENDED, "NOT_INTERCOM"),
    (ALL, [407, 421, 431], PAGE, SUSPENDED, "NOT_INTERCOM"),
    # A 403 that is not about the token may be about this request: a firewall's page, a scope.
    ([*CONTACTS, EVENT], [403], PAGE, TRANSIENT, "FORBIDDEN"),
    ([*CONTACTS, EVENT], [403], b"", TRANSIENT, "FORBIDDEN"),
    ([*CONTACTS, EVENT], [403], error("action_forbidden"), TRANSIENT, "FORBIDDEN"),
    # A 409 that cannot be read says nothing.
    ([CREATE, UPDATE, EVENT], [409], b"", TRANSIENT, "ANSWER_UNREADABLE"),
    ([CREATE, UPDATE, EVENT], [409], error("conflict", "x")[:-9], TRANSIENT, "ANSWER_UNREADABLE"),
    (
        [CREATE, UPDATE, EVENT],
        [409],
        error("conflict", EXISTS).decode().encode("utf-16"),
        TRANSIENT,
        "ANSWER_UNREADABLE",
    ),
    ([CREATE, UPDATE, EVENT], [409], b'{"errors":[]}', TRANSIENT, "ANSWER_UNREADABLE"),
    # 400 parameter_invalid naming a custom attribute; of other calls, and of other statuses, it means nothing.
    ([CREATE, UPDATE], [400], error("parameter_invalid", MISSING), RESOLVE, "ATTRIBUTE_REFUSED"),
    ([EVENT, READ, UNARCHIVE, ME, *FEATURES], [400], error("parameter_invalid", MISSING), REFUSED, "REQUEST_INVALID"),
    ([UNARCHIVE], [400], error("bad_request", DELETED), REFUSED, "CONTACT_DELETED"),
    ([UNARCHIVE], [400], error("bad_request", "no"), REFUSED, "REQUEST_INVALID"),
    ([CREATE, UPDATE, READ, EVENT, ME, *FEATURES], [400], error("bad_request", DELETED), REFUSED, "REQUEST_INVALID"),
    ([CREATE, UPDATE], [422], error("parameter_invalid", MISSING), REFUSED, "REQUEST_INVALID"),
    # 400 other, 405, 406, 415, 422: wrong for ever. Unknown 4xx with Intercom's errors too.
    (ALL, [400, 405, 406, 415, 422], error("parameter_invalid", "no"), REFUSED, "REQUEST_INVALID"),
    (ALL, [411, 412, 414, 418, 424, 426, 451, 499], error("client_error", "no"), REFUSED, "REQUEST_INVALID"),
    ([*CONTACTS, EVENT, *FEATURES], [400, 405, 406, 415, 422], b"", REFUSED, "REQUEST_INVALID"),
    # Intercom sends no other 4xx with an empty body, nor with a list that names no error.
    (
        [*CONTACTS, EVENT, *FEATURES],
        [411, 412, 414, 416, 417, 418, 420, 424, 426, 428, 444, 449, 451, 460, 494, 499],
        b"",
        TRANSIENT,
        "NOT_INTERCOM",
    ),
    ([*CONTACTS, EVENT, *FEATURES], [411, 418, 426, 451], b'{"errors":[]}', TRANSIENT, "NOT_INTERCOM"),
    # A create neither misses a contact nor finds it gone.
    ([CREATE], [404, 410], b"", TRANSIENT, "NOT_INTERCOM"),
    ([ATTRIBUTE], [400], error("custom_data_limit_reached", "no more"), REFUSED, "REQUEST_INVALID"),
    ([EVENT], [422], error("parameter_invalid", EVENT_NAMES), REFUSED, "EVENT_NAMES_EXHAUSTED"),
    ([EVENT], [422], b"", REFUSED, "REQUEST_INVALID"),
    # 401, 402, 403: our configuration; on a side call they only turn that feature off.
    ([*CONTACTS, EVENT, ME], [401], error("unauthorized", "Access Token Invalid"), SUSPENDED, "UNAUTHORIZED"),
    ([*CONTACTS, EVENT, ME], [402], b"", SUSPENDED, "PLAN_RESTRICTED"),
    ([ME], [403], error("action_forbidden"), SUSPENDED, "FORBIDDEN"),
    ([*CONTACTS, EVENT, ME], [403], error("api_plan_restricted"), SUSPENDED, "FORBIDDEN"),
    ([*CONTACTS, EVENT, ME], [403], error("token_revoked"), SUSPENDED, "FORBIDDEN"),
    (FEATURES, [401], b"", REFUSED, "UNAUTHORIZED"),
    (FEATURES, [402], b"", REFUSED, "PLAN_RESTRICTED"),
    (FEATURES, [403], b"", REFUSED, "FORBIDDEN"),
    (FEATURES, [404, 405, 410], b"", REFUSED, "REQUEST_INVALID"),
    # A version that Intercom does not know is not a fault of the request, whatever the call.
    (ALL, [400, 404], error("intercom_version_invalid"), SUSPENDED, "VERSION_INVALID"),
    # 404 on /events, 404 or 410 on a known id: resolve again.
    ([EVENT, UPDATE, READ, UNARCHIVE], [404, 410], error("not_found"), RESOLVE, "CONTACT_NOT_FOUND"),
    ([EVENT, UPDATE, READ, UNARCHIVE], [404], b"", RESOLVE, "CONTACT_NOT_FOUND"),
    ([CREATE, ME], [404, 410], error("not_found"), REFUSED, "REQUEST_INVALID"),
    # A create has no 404 that is described: without Intercom's envelope it is another server's.
    ([CREATE], [404], b"", TRANSIENT, "NOT_INTERCOM"),
    ([CREATE], [405], b"", REFUSED, "REQUEST_INVALID"),
    # 408, 500, 502, 503, 504 and no answer: transient. 423, 425, unknown 5xx and redirections (never followed) too.
    (ALL, [408, 423, 425, 500, 501, 502, 503, 504, 520, 599], error("server_error"), TRANSIENT, "HTTP_{}"),
    (ALL, [100, 300, 301, 302, 304, 307, 308, 600], b"", TRANSIENT, "HTTP_{}"),
    (ALL, [0], b"", TRANSIENT, "NETWORK"),
    # 429: the budget's.
    (ALL, [429], error("rate_limit_exceeded"), TRANSIENT, "RATE_LIMITED"),
    (ALL, [429], error("too_many_requests"), TRANSIENT, "RATE_LIMITED"),
    # 409 on create: exists. On an update: another contact has the email or the external id. On an event: several.
    ([CREATE], [409], error("conflict", EXISTS), RESOLVE, "EXISTS"),
    ([CREATE], [409], error("conflict", ARCHIVED), RESOLVE, "ARCHIVED"),
    ([CREATE], [409], error("conflict", SEVERAL), RESOLVE, "IDENTITY_AMBIGUOUS"),
    ([CREATE], [409], error("conflict"), RESOLVE, "IDENTITY_AMBIGUOUS"),
    ([CREATE], [400, 422], error("unique_user_constraint", EXISTS), RESOLVE, "EXISTS"),
    ([UPDATE], [409], error("conflict", EXISTS), RESOLVE, "IDENTITY_CONFLICT"),
    ([EVENT, READ, UNARCHIVE], [409], error("conflict", SEVERAL), REFUSED, "IDENTITY_AMBIGUOUS"),
    # The person was blocked.
    (
        [CREATE, UPDATE, UNARCHIVE, EVENT],
        [400, 404, 409, 422],
        error("not_restorable", BLOCKED),
        REFUSED,
        "CONTACT_BLOCKED",
    ),
    # 413.
    ([*CONTACTS, EVENT, *FEATURES], [413], b"", REFUSED, "TOO_LARGE"),
    # Access is granted by a refusal only if that has a code of Intercom's.
    ([ME], [400, 404, 405, 410, 411, 412, 413, 414, 418, 422, 424, 426, 451, 499], b"", SUSPENDED, "NOT_INTERCOM"),
    ([ME], [400, 404, 422], b'{"errors":["Bad Request"]}', SUSPENDED, "NOT_INTERCOM"),
    # Whatever else a body has, the status counts.
    (ALL, [503], error("conflict", EXISTS), TRANSIENT, "HTTP_503"),
    ([EVENT], [202], error("conflict", EXISTS), TRANSIENT, "ANSWER_UNREADABLE"),
]
# Bodies that are empty, no JSON, no UTF-8, of another shape or bottomless.
ODD = [
    b"",
    b"<html>409 Conflict</html>",
    b"\xff\xfe{}",
    b'"text"',
    b"[]",
    b"null",
    b'{"errors":null}',
    b'{"errors":{}}',
    b'{"errors":[null]}',
    b'{"errors":["conflict"]}',
    b'{"errors":[{"code":409,"message":{}}]}',
    b'{"error":"conflict"}',
    b'{"errors":[{"code":"conflict","message":"\\ud800"}]}',
    b'{"id":{"a":1}}',
    b'{"id":1e999}',
    b'{"a":' + b"[" * 100_000,
]


@pytest.mark.parametrize(
    ("call", "status", "body", "kind", "reason"),
    [
        pytest.param(call, status, body, kind, reason.format(status), id=f"{call} {status} {reason}".strip())
        for calls, statuses, body, kind, reason in TABLE
        for call in calls
        for status in statuses
    ],
)
def test_call_status_and_body_decide_the_classification(
    call: Call, status: int, body: bytes, kind: Kind, reason: str
) -> None:
    classification = classify(call, Response(status, body))
    assert (classification.kind, classification.reason) == (kind, reason)
    assert (classification.hint is Hint.NONE) is (kind is not RESOLVE)


@pytest.mark.parametrize(
    ("call", "answer", "classification"),
    [
        (
            CREATE,
            Response(409, error("conflict", EXISTS)),
            Classification(RESOLVE, "EXISTS", Hint.EXISTS, contact_id=ID),
        ),
        (
            CREATE,
            Response(409, error("conflict", ARCHIVED)),
            Classification(RESOLVE, "ARCHIVED", Hint.ARCHIVED, contact_id=ID),
        ),
        (
            CREATE,
            Response(409, error("conflict", SEVERAL)),
            Classification(RESOLVE, "IDENTITY_AMBIGUOUS", Hint.AMBIGUOUS),
        ),
        (UPDATE, Response(409, error("conflict", EXISTS)), Classification(RESOLVE, "IDENTITY_CONFLICT", Hint.CONFLICT)),
        (UPDATE, Response(404), Classification(RESOLVE, "CONTACT_NOT_FOUND", Hint.NOT_FOUND)),
        (
            CREATE,
            Response(400, error("parameter_invalid", MISSING)),
            Classification(RESOLVE, "ATTRIBUTE_REFUSED", Hint.ATTRIBUTE, attribute="plan"),
        ),
        (
            UPDATE,
            Response(400, error("parameter_invalid", "Custom attribute 'plan' must be one of its options")),
            Classification(RESOLVE, "ATTRIBUTE_REFUSED", Hint.VALUE, attribute="plan"),
        ),
        (
            UPDATE,
            Response(400, error("parameter_invalid", "no such option", "plan")),
            Classification(REFUSED, "REQUEST_INVALID", Hint.VALUE, attribute="plan"),
        ),
        (
            CREATE,
            Response(400, error("parameter_invalid", None, "custom_attributes.plan")),
            Classification(REFUSED, "REQUEST_INVALID", Hint.VALUE, attribute="plan"),
        ),
        (CREATE, Response(400, error("parameter_invalid", None, 5)), Classification(REFUSED, "REQUEST_INVALID")),
        (CREATE, Response(400, error("parameter_invalid", "no", "")), Classification(REFUSED, "REQUEST_INVALID")),
        (
            CREATE,
            Response(200, b'{"id":"c1","external_id":"u1"}'),
            Classification(DONE, contact_id="c1", external_id="u1"),
        ),
        (UPDATE, Response(200, b'{"id":"c7","external_id":8}'), Classification(DONE, contact_id="c7", external_id="8")),
        (READ, Response(200, b'{"id":"c1","external_id":null}'), Classification(DONE, contact_id="c1")),
        (READ, Response(200, b'{"id":"c1","errors":null}'), Classification(DONE, contact_id="c1")),
        # Without an id it is unknown whose contact it is; a created one is found by the next conflict.
        (READ, Response(200, b"{}"), Classification(TRANSIENT, "ANSWER_UNREADABLE")),
        # A page without tags is one by its content type; Intercom's own JSON is none.
        (EVENT, Response(202, b"please log in", html=True), Classification(TRANSIENT, "NOT_INTERCOM")),
        (EVENT, Response(202, b"", html=True), Classification(DONE)),
        (CREATE, Response(200, b'{"id":"c1"}', html=True), Classification(DONE, contact_id="c1")),
    ],
)
def test_classification_has_contact_and_attribute(call: Call, answer: Response, classification: Classification) -> None:
    assert classify(call, answer) == classification


def test_refusal_whose_body_broke_off_is_transient() -> None:
    """The rest may name another cause; but not that the access is refused."""
    for status in (400, 404, 409, 422):
        broken_off = Response(status, error("parameter_invalid", "no")[:20], complete=False)
        assert classify(CREATE, broken_off) == Classification(TRANSIENT, "ANSWER_UNREADABLE")
    assert classify(CREATE, Response(401, complete=False)).kind is SUSPENDED


@pytest.mark.parametrize("body", [b"", b" ", b"\r\n", b" \t\n" * 1000])
def test_body_of_white_space_is_an_empty_one(body: bytes) -> None:
    """Rails sends a space for `head`."""
    assert classify(EVENT, Response(400, body)).kind is REFUSED
    assert classify(EVENT, Response(404, body)).kind is RESOLVE


@pytest.mark.parametrize("body", [b"\0", b"\0" * 4096, b" \0 ", b"\xef\xbb\xbf", b"\xff\xfe\0\0"])
def test_body_of_zero_bytes_or_a_byte_order_mark_is_not_empty(body: bytes) -> None:
    """A broken proxy sent it, or decompressed something else: nothing ends for it."""
    for call, status in ((EVENT, 400), (EVENT, 404), (CREATE, 422), (UPDATE, 413), (UPDATE, 404)):
        assert classify(call, Response(status, body)) == Classification(TRANSIENT, "NOT_INTERCOM")


@pytest.mark.parametrize("body", ODD, ids=[body[:30].decode("latin-1") for body in ODD])
def test_unreadable_bodies_are_classified_by_status(body: bytes) -> None:
    page, errors = body.startswith(b"<"), b'"errors":[' in body and b"ud800" not in body
    reported = b'"errors":' in body and b"null}" not in body
    assert classify(EVENT, Response(202, body)).kind is (TRANSIENT if page or reported else DONE)
    # An empty body and Intercom's are Intercom's; nothing is given up, or erased, for what others say.
    assert classify(EVENT, Response(404, body)).kind is (TRANSIENT if body and not errors else RESOLVE)
    assert classify(UPDATE, Response(400, body)).kind is (TRANSIENT if body and not errors else REFUSED)
    assert classify(CREATE, Response(409, body)).kind is TRANSIENT
    assert classify(READ, Response(200, body)).kind is TRANSIENT
    assert classify(CREATE, Response(401, body)).kind is (TRANSIENT if page else SUSPENDED)
    assert classify(CREATE, Response(503, body)).kind is TRANSIENT


@pytest.mark.parametrize(
    "body",
    [
        b'{"errors":[{"code":"x"}],"data":{}}',
        b'{"errors":{"code":"x"}}',
        b'{"errors":"failed"}',
        b'{"type":"error.list","errors":[{"code":"x"}],"name":5}',
        b'{"type":"error.list","id":{"a":[1.5]}}',
        b'{"type":"error.list","errors":[{"code":"server_er',
        b'{ "errors" : [{"code":"x"},',
        '{"type":"error.list","errors":[{"code":"x"}]}'.encode("utf-16"),
        '\ufeff{"errors":[]}'.encode("utf-16-be"),
    ],
)
def test_errors_in_a_202_are_found_beside_anything(body: bytes) -> None:
    """A field of a strange type, another encoding or a missing end must not turn a refusal into a delivery."""
    assert classify(EVENT, Response(202, body)) == Classification(TRANSIENT, "ANSWER_UNREADABLE")
    assert classify(CREATE, Response(200, body)) == Classification(TRANSIENT, "ANSWER_UNREADABLE")


@pytest.mark.parametrize("field", ["name", "data", "external_id"])
def test_contact_with_a_field_of_another_type_is_written(field: str) -> None:
    body = msgspec.json.encode({"type": "contact", "id": "c1", field: {"a": [1]}})
    assert classify(UPDATE, Response(200, body), "c1") == Classification(DONE, contact_id="c1")


@pytest.mark.parametrize("call", [UPDATE, READ, UNARCHIVE])
def test_response_about_another_contact_is_unreadable(call: Call) -> None:
    assert classify(call, Response(200, b'{"id":"c1"}'), "c1").kind is DONE
    assert classify(call, Response(200, b'{"id":"c2"}'), "c1") == Classification(TRANSIENT, "ANSWER_UNREADABLE")


@given(st.sampled_from(Call), st.integers(-1, 1000), st.binary() | st.sampled_from(ODD))
def test_every_response_has_a_classification(call: Call, status: int, body: bytes) -> None:
    classification = classify(call, Response(status, body))
    assert bool(classification.reason) is (classification.kind is not DONE)
    assert bool(classification.attribute) is (classification.hint in {Hint.ATTRIBUTE, Hint.VALUE})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda j: st.lists(j) | st.dictionaries(st.sampled_from(["id", "external_id", "errors", "code", "message"]), j),
)


@given(st.sampled_from(Call), st.sampled_from([200, 400, 404, 409, 422]), JSON)
def test_any_json_has_a_classification(call: Call, status: int, value: object) -> None:
    assert classify(call, Response(status, msgspec.json.encode(value))).kind in Kind


@pytest.mark.fills("deliver.intercom.classification.CONTACT_ID_CHARACTERS_MAX")
def test_overlong_contact_id_is_unreadable() -> None:
    for characters, known in ((CONTACT_ID_CHARACTERS_MAX, True), (CONTACT_ID_CHARACTERS_MAX + 1, False)):
        contact_id = "a" * characters
        created = classify(Call.CREATE_CONTACT, Response(200, msgspec.json.encode({"id": contact_id})))
        assert (created.contact_id, created.kind) == ((contact_id, DONE) if known else ("", TRANSIENT))
        message = f"A contact matching those details already exists with id={contact_id}"
        answer = Response(409, msgspec.json.encode({"errors": [{"code": "conflict", "message": message}]}))
        met = classify(Call.CREATE_CONTACT, answer)
        assert (met.contact_id, met.hint) == ((contact_id, Hint.EXISTS) if known else ("", Hint.AMBIGUOUS))

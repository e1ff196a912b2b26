"""Intercom's envelope."""

import msgspec

from intercomd_daemon.sandbox.http_messages import error_body, illegal, invalid, json_answer


def test_error_body_has_code_message_and_field() -> None:
    assert msgspec.json.decode(error_body("r1", "conflict", "taken")) == {
        "type": "error.list",
        "request_id": "r1",
        "errors": [{"code": "conflict", "message": "taken"}],
    }
    assert msgspec.json.decode(error_body("r1", "conflict", "taken", "email"))["errors"][0]["field"] == "email"


def test_illegal_requests_differ_from_refusals_of_the_workspace() -> None:
    assert (invalid("a").status, invalid("a").code, invalid("a").illegal) == (400, "parameter_invalid", False)
    assert (illegal("a").status, illegal("a").code, illegal("a").illegal) == (400, "parameter_invalid", True)
    assert illegal("a", code="not_found", status=404).status == 404


def test_response_is_json_with_200() -> None:
    assert json_answer({"a": None}).body == b'{"a":null}'
    assert json_answer({}).status == 200

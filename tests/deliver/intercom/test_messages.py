"""Calls as they are named in logs and metrics."""

import pytest

from intercomd_daemon.deliver.intercom.messages import Call, Request


@pytest.mark.parametrize("call", Call)
def test_a_dry_run_makes_the_calls_that_only_read(call: Call) -> None:
    assert call.reads is (Request(call, "/").method == "GET")
    assert call.reads is (call in {Call.READ_CONTACT, Call.READ_ME, Call.LIST_ATTRIBUTES})


def test_a_call_reads_as_method_and_path_template() -> None:
    assert f"{Call.UPDATE_CONTACT}" == "PUT /contacts/{id}"


@pytest.mark.parametrize(
    ("call", "path", "contact_id"),
    [
        (Call.UPDATE_CONTACT, "/contacts/c1", "c1"),
        (Call.UNARCHIVE_CONTACT, "/contacts/c1/unarchive", "c1"),
        (Call.CREATE_CONTACT, "/contacts", ""),
        (Call.TRACK_EVENT, "/events", ""),
    ],
)
def test_request_contact_id_is_that_of_the_path(call: Call, path: str, contact_id: str) -> None:
    assert Request(call, path).contact_id == contact_id

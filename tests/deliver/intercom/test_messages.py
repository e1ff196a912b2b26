"""Calls as they are named in logs and metrics."""

import pytest

from intercomd_daemon.deliver.intercom.messages import Call


@pytest.mark.parametrize("call", Call)
def test_dry_run_makes_only_the_calls_that_read(call: Call) -> None:
    assert call.reads is (call.method == "GET")
    assert call.reads is (call in {Call.READ_CONTACT, Call.READ_ME, Call.LIST_ATTRIBUTES})


def test_call_reads_as_method_and_path_template() -> None:
    assert f"{Call.UPDATE_CONTACT}" == "PUT /contacts/{id}"


@pytest.mark.parametrize(
    ("call", "method", "scope"),
    [
        (Call.CREATE_CONTACT, "POST", "contacts"),
        (Call.UPDATE_CONTACT, "PUT", "contacts"),
        (Call.TRACK_EVENT, "POST", "events"),
        (Call.LIST_ATTRIBUTES, "GET", "data_attributes"),
        (Call.READ_ME, "GET", "me"),
    ],
)
def test_call_has_the_method_and_the_scope_of_its_text(call: Call, method: str, scope: str) -> None:
    assert (call.method, call.scope) == (method, scope)

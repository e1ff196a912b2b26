"""Calls as they are named in logs and metrics."""

import pytest

from intercomd_daemon.deliver.intercom.messages import Call, Request


@pytest.mark.parametrize("call", Call)
def test_a_dry_run_makes_the_calls_that_only_read(call: Call) -> None:
    assert call.reads is (Request(call, "/").method == "GET")
    assert call.reads is (call in {Call.READ_CONTACT, Call.READ_ME, Call.LIST_ATTRIBUTES})


def test_a_call_reads_as_method_and_path_template() -> None:
    assert f"{Call.UPDATE_CONTACT}" == "PUT /contacts/{id}"

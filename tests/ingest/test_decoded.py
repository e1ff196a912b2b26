"""What was sent is data, and stays as it is."""

import pytest

from ingest.acceptance import sent
from intercomd_daemon.ingest.decoded import UnknownValue


def test_an_envelope_as_sent_does_not_change() -> None:
    envelope = sent()
    with pytest.raises(AttributeError):
        envelope.email = "a@b"
    assert (envelope.violations, envelope.adjustments) == ((), ())


def test_an_unread_value_is_none_of_the_kinds() -> None:
    assert UnknownValue.KIND not in {"", None, 0, ()}

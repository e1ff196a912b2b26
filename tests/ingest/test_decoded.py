"""Decoded envelopes are immutable data."""

import pytest

from ingest.acceptance import sent
from intercomd_daemon.ingest.decoded import UnknownValue


def test_decoded_envelope_is_immutable() -> None:
    envelope = sent()
    with pytest.raises(AttributeError):
        envelope.email = "a@b"
    assert (envelope.violations, envelope.adjustments) == ((), ())


def test_unknown_value_differs_from_every_value() -> None:
    assert UnknownValue.KIND not in {"", None, 0, ()}

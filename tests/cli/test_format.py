"""Tests formatting for people."""

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from intercomd_daemon.cli.format import byte_size, duration, duration_of, percentage, printable, quantity, timestamp


def test_quantity_has_its_noun() -> None:
    assert (quantity(1, "envelope"), quantity(12_034, "envelope")) == ("1 envelope", "12,034 envelopes")
    assert quantity(2, "body", "bodies") == "2 bodies"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (8_500_000, "8.1 MiB"),
        (1 << 31, "2.0 GiB"),
        (1 << 62, "4194304.0 TiB"),
    ],
)
def test_byte_size_is_below_1024_of_its_unit(count: int, text: str) -> None:
    assert byte_size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (0.25, "250 ms"), (12.4, "12 s"), (180, "3 min"), (9000, "2.5 h"), (4 * 86_400, "4 d")],
)
def test_duration_is_in_its_largest_unit(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_protobuf_times_are_formatted() -> None:
    assert duration_of(Duration(seconds=1, nanos=500_000_000)) == "2 s"
    assert timestamp(Timestamp(seconds=1_700_000_000)) == "2023-11-14T22:13:20Z"


@pytest.mark.parametrize(("ratio", "text"), [(0.0, "0%"), (0.0003, "<0.1%"), (0.004, "0.4%"), (1.0, "100.0%")])
def test_percentage_above_zero_is_not_shown_as_zero(ratio: float, text: str) -> None:
    assert percentage(ratio) == text


def test_printable_escapes_control_characters() -> None:
    assert printable("a\x1b[31mb\nc") == "a\\x1b[31mb\\nc"
    assert printable("é日") == "é日"


def test_printable_cuts_text_at_the_maximum() -> None:
    assert len(printable("x" * 1000)) == 200
    assert printable("x" * 1000, characters_max=None) == "x" * 1000

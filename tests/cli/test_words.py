"""Numbers, sizes and times for a person."""

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from intercomd_daemon.cli.words import counted, moment, plain, share, size, span, span_of


def test_a_count_has_its_noun() -> None:
    assert (counted(1, "envelope"), counted(12_034, "envelope")) == ("1 envelope", "12,034 envelopes")
    assert counted(2, "body", "bodies") == "2 bodies"


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
def test_a_size_has_the_unit_that_keeps_it_short(count: int, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (0.25, "250 ms"), (12.4, "12 s"), (180, "3 min"), (9000, "2.5 h"), (4 * 86_400, "4 d")],
)
def test_a_span_has_its_largest_unit(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_messages_read_the_same() -> None:
    assert span_of(Duration(seconds=1, nanos=500_000_000)) == "2 s"
    assert moment(Timestamp(seconds=1_700_000_000)) == "2023-11-14T22:13:20Z"


@pytest.mark.parametrize(("part", "text"), [(0.0, "0%"), (0.0003, "<0.1%"), (0.004, "0.4%"), (1.0, "100.0%")])
def test_a_share_that_is_not_nothing_is_not_shown_as_nothing(part: float, text: str) -> None:
    assert share(part) == text


def test_text_from_elsewhere_cannot_steer_a_terminal() -> None:
    assert plain("a\x1b[31mb\nc") == "a\\x1b[31mb\\nc"
    assert plain("é日") == "é日"


def test_long_text_is_cut_unless_it_must_not_be() -> None:
    assert len(plain("x" * 1000)) == 200
    assert plain("x" * 1000, characters_max=None) == "x" * 1000

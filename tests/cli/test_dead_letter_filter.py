"""Options to the filter of dead letters."""

import click
import pytest
from click.testing import CliRunner
from google.protobuf import text_format
from google.protobuf.timestamp_pb2 import Timestamp

from intercomd.v1.operations_pb2 import DeadLetterFilter
from intercomd_daemon.cli.dead_letter_filter import Asked, filter_of, filtered


@click.command()
@filtered
def command(**asked: object) -> None:
    click.echo(text_format.MessageToString(filter_of(Asked(**asked))))


def given(*words: str) -> DeadLetterFilter:
    result = CliRunner().invoke(command, words)
    assert result.exit_code == 0, result.output
    return text_format.Parse(result.output, DeadLetterFilter())


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ((), DeadLetterFilter()),
        (("7", "8"), DeadLetterFilter(dead_letter_ids=["7", "8"])),
        (("--envelope-id", "a", "--envelope-id", "b"), DeadLetterFilter(envelope_ids=["a", "b"])),
        (("--customer-id", "42", "--connection", "eu"), DeadLetterFilter(customer_id="42", connection="eu")),
        (("--email", "a@b.c", "--reason", "EXPIRED"), DeadLetterFilter(email="a@b.c", reason="EXPIRED")),
        (("--from", "1970-01-02"), DeadLetterFilter(accept_time_from=Timestamp(seconds=86_400))),
        (("--to", "1970-01-01T00:00:09Z"), DeadLetterFilter(accept_time_to=Timestamp(seconds=9))),
    ],
)
def test_each_option_is_a_field(words: tuple[str, ...], wanted: DeadLetterFilter) -> None:
    assert given(*words) == wanted


def test_what_is_no_time_is_a_usage_error() -> None:
    assert CliRunner().invoke(command, ["--from", "yesterday"]).exit_code == 2

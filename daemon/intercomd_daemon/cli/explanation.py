"""Prints what became of an envelope, for `explain` and `dead-letters show`."""

import click

from intercomd_daemon.cli.format import printable
from intercomd_daemon.operations.explain import Explanation


def print_explanation(explanation: Explanation) -> None:
    """Prints the heading, how the envelope ended, the result of each call, and the remedy if there is one."""
    click.secho(printable(explanation.heading), bold=True)
    click.echo(f"  {printable(explanation.end)}")
    for detail in explanation.details:
        click.echo(f"    {printable(detail)}")
    if explanation.remedy:
        click.echo(f"  What to do: {printable(explanation.remedy)}")

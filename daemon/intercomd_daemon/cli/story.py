"""A story, as `explain` and `dead-letters show` tell it."""

import click

from intercomd_daemon.cli.words import plain
from intercomd_daemon.operations.explain import Story


def tell(story: Story) -> None:
    """Prints what became of an envelope."""
    click.secho(plain(story.heading), bold=True)
    click.echo(f"  {plain(story.end)}")
    for detail in story.details:
        click.echo(f"    {plain(detail)}")
    if story.remedy:
        click.echo(f"  What to do: {plain(story.remedy)}")

"""The daemon keeps its promises through kill -9."""

from pathlib import Path

from crashing import Crashing
from daemons import Daemon

from intercomd_daemon.sandbox import Sandbox

KILLS = 20


async def test_through_twenty_kills_every_accepted_envelope_arrives_once_in_order_with_one_outcome(
    tmp_path: Path,
) -> None:
    async with Sandbox() as sandbox:
        daemon = Daemon(tmp_path, sandbox.base_url)
        figures = await Crashing(daemon, sandbox, seed=1).run(KILLS)
        await daemon.close()
    print(figures)  # noqa: T201 - shown where the test fails, and with -s
    assert figures.kills >= KILLS
    amid = figures.kills - figures.while_starting
    assert amid >= KILLS / 2
    assert figures.while_publishing == figures.while_delivering == amid
    assert figures.accepted > 1000

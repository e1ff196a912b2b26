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
    assert figures.kills >= KILLS
    assert figures.while_publishing >= KILLS * 3 // 4
    assert figures.while_delivering >= KILLS * 3 // 4
    assert figures.accepted > 1000

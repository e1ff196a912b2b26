"""An agent and its gateway keep their promises through kill -9 of either, and through lost answers."""

from pathlib import Path

from kill_harness.chain import chain_run

BLOWS = 12


async def test_envelopes_survive_kills_of_agent_and_gateway(tmp_path: Path, unused_tcp_port: int) -> None:
    async with chain_run(tmp_path, unused_tcp_port, seed=1) as run:
        await run.run(BLOWS)
        print(run.blows, run.laws, run.duplicates)  # noqa: T201 - shown where the test fails, and with -s
        assert run.blows.total() == BLOWS
        assert len(run.blows) == 6
        assert run.laws["an event arrived once with its content"] > 200

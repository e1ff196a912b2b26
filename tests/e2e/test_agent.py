"""An agent forwards to a gateway, which delivers: both are real daemons."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
import trustme

from daemons.commands import invoke
from daemons.process import Daemon, connection_for, write_settings
from intercomd.v1.envelope_pb2 import PRIORITY_BULK, Envelope
from intercomd.v1.event_pb2 import OtherEvent
from intercomd.v1.identity_pb2 import Identity
from intercomd.v1.ingest_pb2 import (
    DISPOSITION_ACCEPTED,
    DISPOSITION_DUPLICATE,
    DISPOSITION_REJECTED,
    PreviewRequest,
)
from intercomd.v1.operations_pb2 import (
    CONNECTION_STATE_DELIVERING,
    CONNECTION_STATE_SUSPENDED,
    GiveUpEnvelopeRequest,
    ListTrailRequest,
    PauseConnectionRequest,
    ResumeConnectionRequest,
    RetryConnectionRequest,
)
from intercomd.v1.outcome_pb2 import (
    OUTCOME_TYPE_DEAD_LETTERED,
    OUTCOME_TYPE_FORWARDED,
    OUTCOME_TYPE_SKIPPED,
    Outcome,
)
from intercomd_daemon.rpc.callers import hash_of
from intercomd_daemon.sandbox import Sandbox
from senders.client import NOON, envelope

AGENT_TOKEN = "icd_agent".ljust(40, "-")


class Chain:
    """An agent and its gateway."""

    def __init__(self, folder: Path, sandbox: Sandbox, port: int) -> None:
        self.folder = folder
        self.sandbox = sandbox
        self.address = f"127.0.0.1:{port}"
        self.closing = AsyncExitStack()
        """Closes the daemons, the newest first."""
        self.gateway = self.make_gateway()
        self.agent = self.make("agent", upstream={"target": self.address})

    def make(self, name: str, **tables: Any) -> Daemon:  # noqa: ANN401 - tables of settings
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        daemon = Daemon(folder, self.sandbox.base_url, tables)
        self.closing.push_async_callback(daemon.close)
        return daemon

    def make_gateway(self, name: str = "gateway", **tables: Any) -> Daemon:  # noqa: ANN401 - tables of settings
        return self.make(name, ingest={"listen": [self.address]}, **tables)

    async def outcomes(self, count: int) -> list[Outcome]:
        """Waits until the agent's journal has this number of outcomes."""
        await self.agent.until(lambda: sum(line["envelopes"] for line in self.agent.logged("forwarded")) >= count)
        return await self.agent.journal()


@pytest.fixture
async def chain(tmp_path: Path, sandbox: Sandbox, unused_tcp_port: int) -> AsyncIterator[Chain]:
    made = Chain(tmp_path, sandbox, unused_tcp_port)
    async with made.closing:
        yield made


async def test_agent_forwards_in_order_and_the_gateway_delivers(chain: Chain) -> None:
    await chain.gateway.start()
    await chain.agent.start()
    names = [f"e-{number:03}" for number in range(300)]
    for start in range(0, 300, 60):
        response = await chain.agent.publish(
            *(envelope("u-1", "step", at=int(name[2:]), envelope_id=name) for name in names[start : start + 60])
        )
        assert {each.disposition for each in response.results} == {DISPOSITION_ACCEPTED}
    outcomes = await chain.outcomes(300)
    assert [each.envelope_id for each in outcomes] == names
    assert {each.type for each in outcomes} == {OUTCOME_TYPE_FORWARDED}
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{chain.agent.http_address}/metrics") as answer,
    ):
        assert 'intercomd_forward_calls_total{code="OK",connection="default"}' in await answer.text()
    spool_id = (await chain.gateway.publish(envelope("u-2", "last", envelope_id="last"))).spool.spool_id
    assert {each.forwarded_to for each in outcomes} == {spool_id}
    await chain.gateway.ended([*names, "last"])
    events = [event for event in chain.sandbox.events if event.name == "step"]
    assert [event.created_at for event in events] == sorted(event.created_at for event in events)
    assert len(events) == 300
    status = await chain.agent.connection()
    assert (status.state, status.waiting_normal) == (CONNECTION_STATE_DELIVERING, 0)
    assert (status.upstream, status.upstream_spool_id) == (chain.address, spool_id)


async def test_gateways_results_become_outcomes(chain: Chain) -> None:
    await chain.gateway.start()
    await chain.agent.start()
    await chain.gateway.publish(envelope("u-1", "before", envelope_id="known"))
    response = await chain.agent.publish(
        envelope("u-1", "ok", envelope_id="ok", traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        envelope("u-1", "before", envelope_id="known"),
        Envelope(envelope_id="skipped", identity=Identity(customer_id="u-1"), other_event=OtherEvent(type="scroll")),
        envelope("undefined", "lost", envelope_id="rejected"),
        envelope("", "nobody", envelope_id="refused here"),
    )
    assert [each.disposition for each in response.results] == [DISPOSITION_ACCEPTED] * 4 + [DISPOSITION_REJECTED]
    await chain.agent.heard("forwarded")
    await chain.agent.ended(["skipped", "rejected"])
    found = {each.envelope_id: each for each in await chain.agent.journal()}
    assert {name: (each.type, each.reason) for name, each in found.items()} == {
        "ok": (OUTCOME_TYPE_FORWARDED, ""),
        "known": (OUTCOME_TYPE_FORWARDED, "DUPLICATE"),
        "skipped": (OUTCOME_TYPE_SKIPPED, "UNSUPPORTED_EVENT_TYPE"),
        "rejected": (OUTCOME_TYPE_DEAD_LETTERED, "PLACEHOLDER_ID"),
    }
    (violation,) = found["rejected"].violations
    assert violation.field == "identity.customer_id"
    assert (await chain.agent.connection()).dead_letters == 1
    await chain.gateway.ended(["ok", "known"])
    line = chain.gateway.logged("outcome", envelope_id="ok")[0]
    assert line["trace_id"] == "0af7651916cd43dd8448eb211c80319c"


async def test_absent_ids_and_times_are_those_of_the_agent(chain: Chain) -> None:
    await chain.agent.start()
    unnamed = envelope("u-1", "step")
    unnamed.ClearField("event_time")
    response = await chain.agent.publish(unnamed, unnamed, request_id="r-1")
    assert [each.envelope_id for each in response.results] == ["r-1/0", "r-1/1"]
    again = await chain.agent.publish(unnamed, unnamed, request_id="r-1")
    assert {each.disposition for each in again.results} == {DISPOSITION_DUPLICATE}
    accepted = [each.event_time.seconds for each in response.results]
    await chain.gateway.start()
    await chain.outcomes(2)
    await chain.gateway.ended(["r-1/0", "r-1/1"])
    # The gateway gives two equal events a second of their own.
    assert [event.created_at for event in chain.sandbox.events] == [accepted[0], accepted[0] + 1]


async def test_normal_envelopes_go_before_bulk_once_the_gateway_answers(chain: Chain) -> None:
    await chain.agent.start()
    for number in range(3):
        await chain.agent.publish(envelope(f"b-{number}", "x", envelope_id=f"bulk-{number}", priority=PRIORITY_BULK))
        await chain.agent.publish(envelope(f"n-{number}", "x", envelope_id=f"normal-{number}"))
    status = await chain.agent.connection()
    assert (status.waiting_normal, status.waiting_bulk) == (3, 3)
    await chain.gateway.start()
    outcomes = await chain.outcomes(6)
    assert [each.envelope_id for each in outcomes] == [
        *(f"normal-{number}" for number in range(3)),
        *(f"bulk-{number}" for number in range(3)),
    ]


async def nothing_waits(daemon: Daemon) -> None:
    """Waits until a daemon has no waiting envelope; each commit of an outcome is followed by a line of its log."""
    while True:
        lines = len(daemon.lines)
        if not (await daemon.connection()).waiting_normal:
            return
        await daemon.until(lambda lines=lines: len(daemon.lines) > lines)


async def test_kills_of_both_lose_and_double_nothing(chain: Chain) -> None:
    """The gateway is killed with an answer on its way, the agent before it has settled it."""
    names: list[str] = []
    await chain.gateway.start()
    await chain.agent.start()
    for turn in range(6):
        batch = [f"{turn}-{number}" for number in range(40)]
        names += batch
        await chain.agent.publish(
            *(
                envelope(f"u-{number % 7}", "step", at=len(names) + number, envelope_id=name)
                for number, name in enumerate(batch)
            )
        )
        if turn % 3 == 0:
            await chain.agent.kill()
            await chain.agent.start()
        elif turn % 3 == 1:
            await chain.gateway.kill()
            await chain.gateway.start()
        else:
            await asyncio.gather(chain.agent.kill(), chain.gateway.kill())
            await asyncio.gather(chain.agent.start(), chain.gateway.start())
    await chain.agent.publish(envelope("end", "end", envelope_id="end"))
    await nothing_waits(chain.agent)
    outcomes = await chain.agent.journal()
    assert [each.envelope_id for each in outcomes] == [*names, "end"]
    await nothing_waits(chain.gateway)
    ended = [each.envelope_id for each in await chain.gateway.journal()]
    assert sorted(ended) == sorted([*names, "end"])
    assert len(chain.sandbox.events) == len(names) + 1


def guarded(chain: Chain, **callers: object) -> Daemon:
    """A gateway with two connections and callers."""
    token = chain.folder / "gateway" / "token"
    return chain.make_gateway(connections={"eu": connection_for(chain.sandbox.base_url, token)}, callers=callers)


async def test_refused_credential_suspends_until_the_token_is_right(chain: Chain) -> None:
    chain.gateway = guarded(chain, edge={"token_sha256": [hash_of(AGENT_TOKEN)]})
    file = chain.folder / "agent-token"
    file.write_text("icd_wrong".ljust(40, "-"))
    chain.agent = chain.make("agent", upstream={"target": chain.address, "token_file": str(file)})
    await chain.gateway.start()
    await chain.agent.start()
    await chain.agent.publish(envelope("u-1", "step", envelope_id="a"))
    await chain.agent.heard("connection", state="suspended", reason="UPSTREAM_UNAUTHENTICATED")
    status = await chain.agent.connection()
    assert (status.state, status.suspended_reason) == (CONNECTION_STATE_SUSPENDED, "UPSTREAM_UNAUTHENTICATED")
    trail = await chain.agent.operations.ListTrail(ListTrailRequest(envelope_id="a"))
    assert trail.entries[0].waiting.reason == "SUSPENDED"
    file.write_text(AGENT_TOKEN)
    await chain.agent.operations.RetryConnection(RetryConnectionRequest(connection="default"))
    await chain.outcomes(1)
    assert "icd_" not in str(chain.agent.lines)


async def test_forbidden_connection_stops_no_other(chain: Chain) -> None:
    chain.gateway = guarded(chain, edge={"token_sha256": [hash_of(AGENT_TOKEN)], "connections": ["default"]})
    file = chain.folder / "agent-token"
    file.write_text(AGENT_TOKEN)
    chain.agent = chain.make(
        "agent", upstream={"target": chain.address, "token_file": str(file)}, connections={"eu": {}, "us": {}}
    )
    await chain.gateway.start()
    await chain.agent.start()
    for connection in ("eu", "us", "default"):
        await chain.agent.publish(envelope("u-1", "step", envelope_id=f"in-{connection}", connection=connection))
    await chain.agent.heard("connection", connection="eu", state="suspended", reason="UPSTREAM_FORBIDDEN")
    (outcome,) = await chain.outcomes(1)
    assert outcome.envelope_id == "in-default"
    assert (await chain.agent.connection("eu")).waiting_normal == 1


async def test_connection_that_the_gateway_lacks_is_suspended(chain: Chain) -> None:
    chain.agent = chain.make("agent", upstream={"target": chain.address}, connections={"eu": {}})
    await chain.gateway.start()
    await chain.agent.start()
    await chain.agent.publish(envelope("u-1", "step", envelope_id="a", connection="eu"))
    await chain.agent.heard("connection", connection="eu", state="suspended", reason="UPSTREAM_UNKNOWN_CONNECTION")
    assert (await chain.agent.connection("eu")).waiting_normal == 1


async def test_other_spool_behind_the_name_gets_nothing_until_an_operator_confirms(chain: Chain) -> None:
    await chain.gateway.start()
    await chain.agent.start()
    await chain.agent.publish(envelope("u-1", "step", envelope_id="a"))
    await chain.outcomes(1)
    await chain.gateway.ended(["a"])
    await chain.gateway.close()
    other = chain.make_gateway("other")
    await other.start()
    await chain.agent.publish(envelope("u-1", "step", at=1, envelope_id="b"))
    await chain.agent.heard("connection", state="suspended", reason="UPSTREAM_CHANGED")
    assert not await other.journal()
    status = await chain.agent.connection()
    assert (status.waiting_normal, status.suspended_reason) == (1, "UPSTREAM_CHANGED")
    await chain.agent.hurry()
    await chain.agent.start()
    await chain.agent.heard("connection", state="suspended", reason="UPSTREAM_CHANGED")
    await chain.agent.operations.RetryConnection(RetryConnectionRequest(connection="default"))
    await chain.outcomes(1)
    await other.ended(["b"])
    assert len(chain.sandbox.events) == 2


async def test_gateway_validates_and_previews(chain: Chain) -> None:
    await chain.agent.start()
    request = [envelope("undefined", "step"), envelope("", "step"), envelope("u-1", "step", envelope_id="a")]
    away = await chain.agent.publish(*request, validate_only=True)
    assert [each.disposition for each in away.results] == [
        DISPOSITION_ACCEPTED,
        DISPOSITION_REJECTED,
        DISPOSITION_ACCEPTED,
    ]
    assert [each.adjustments[0].reason for each in (away.results[0], away.results[2])] == ["VALIDATED_LOCALLY"] * 2
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await chain.agent.ingest.Preview(PreviewRequest(envelopes=request))
    assert error.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "grpc-retry-pushback-ms" in dict(error.value.trailing_metadata())
    await chain.gateway.start()
    await chain.agent.heard("connection", state="delivering")
    near = await chain.agent.publish(*request, validate_only=True)
    assert [each.disposition for each in near.results] == [
        DISPOSITION_REJECTED,
        DISPOSITION_REJECTED,
        DISPOSITION_ACCEPTED,
    ]
    assert near.results[0].violations[0].reason == "PLACEHOLDER_ID"
    preview = await chain.agent.ingest.Preview(PreviewRequest(envelopes=request))
    assert [len(each.requests) for each in preview.previews] == [0, 0, 1]
    assert not await chain.gateway.journal()


async def test_waiting_envelope_can_be_given_up(chain: Chain) -> None:
    await chain.agent.start()
    await chain.agent.publish(envelope("u-1", "step", envelope_id="a"), envelope("u-1", "step", at=1, envelope_id="b"))
    request = GiveUpEnvelopeRequest(connection="default", envelope_id="a")
    given_up = await chain.agent.operations.GiveUpEnvelope(request)
    assert (given_up.outcome.type, given_up.outcome.reason) == (OUTCOME_TYPE_DEAD_LETTERED, "GIVEN_UP")
    await chain.gateway.start()
    await chain.outcomes(1)
    assert [each.envelope_id for each in await chain.agent.journal()] == ["a", "b"]
    await chain.gateway.ended(["b"])
    assert len(chain.sandbox.events) == 1


@pytest.mark.parametrize("agent_first", [True, False])
async def test_spool_of_the_other_role_is_refused_while_it_holds_envelopes(chain: Chain, *, agent_first: bool) -> None:
    roles: list[dict[str, Any]] = [{"upstream": {"target": chain.address}}, {}]
    first, second = roles if agent_first else roles[::-1]
    held = chain.make("role", **first)
    await held.start()
    if not agent_first:
        chain.sandbox.fault("* / 503")
    await held.publish(envelope("u-1", "step", envelope_id="a"))
    await held.close()
    other = chain.make("role", **second)
    await other.launch()
    assert await other.gone() == 1
    assert "1 waiting envelopes" in other.logged("fatal")[0]["error"]


@pytest.mark.parametrize("way", ["TLS", "Unix socket", "several addresses"])
async def test_agent_reaches_its_gateway(chain: Chain, tmp_path: Path, way: str) -> None:
    port = chain.address.rpartition(":")[2]
    upstream: dict[str, Any] = {"target": f"ipv4:127.0.0.2:{port},{chain.address}"}
    ingest: dict[str, Any] = {"listen": [chain.address]}
    if way == "TLS":
        authority = trustme.CA()
        certificate = authority.issue_cert("gateway.test")
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        certificate.cert_chain_pems[0].write_to_path(tmp_path / "tls.crt")
        certificate.private_key_pem.write_to_path(tmp_path / "tls.key")
        ingest["tls"] = {"certificate_file": str(tmp_path / "tls.crt"), "key_file": str(tmp_path / "tls.key")}
        tls = {"ca_file": str(tmp_path / "ca.pem"), "server_name": "gateway.test"}
        upstream = {"target": f"dns:///{chain.address}", "tls": tls}
    elif way == "Unix socket":
        ingest["listen"] = ["127.0.0.1:0", "unix:in"]
        upstream["target"] = f"unix:{tmp_path / 'gateway' / 'in'}"
    chain.gateway = chain.make("gateway", ingest=ingest)
    chain.agent = chain.make("agent", upstream=upstream)
    await chain.gateway.launch()
    await chain.gateway.heard("serving")
    await chain.agent.start()
    await chain.agent.publish(envelope("u-1", "step", envelope_id="a"))
    await chain.outcomes(1)
    await chain.gateway.ended(["a"])


async def test_explain_at_an_agent_asks_the_gateway(chain: Chain) -> None:
    await chain.gateway.start()
    await chain.agent.start()
    await chain.agent.publish(envelope("u-1", "step", envelope_id="a"))
    await chain.outcomes(1)
    await chain.gateway.ended(["a"])
    words = ("explain", "a", "--operations", chain.agent.operations_address, "--gateway")
    shown = await invoke(*words, chain.gateway.operations_address)
    assert shown.exit_code == 0
    before, at_gateway, after = shown.stdout.partition("At the gateway")
    assert "was accepted by the gateway" in before
    assert "`intercomd explain a`" in before
    assert at_gateway
    assert "reached Intercom" in after
    absent = await invoke(*words, "127.0.0.1:9")
    assert absent.exit_code == 0
    assert "nothing answers at 127.0.0.1:9" in absent.stderr


async def test_explain_at_an_agent_shows_that_the_gateway_has_nothing_yet(chain: Chain) -> None:
    await chain.gateway.start()
    await chain.agent.start()
    await chain.agent.operations.PauseConnection(PauseConnectionRequest())
    await chain.agent.publish(envelope("u-1", "step", envelope_id="a"))
    words = ("explain", "a", "--operations", chain.agent.operations_address, "--gateway")
    shown = await invoke(*words, chain.gateway.operations_address)
    assert (shown.exit_code, "waiting: PAUSED" in shown.stdout) == (0, True)
    assert shown.stderr.startswith("The gateway knows nothing of a: no envelope of it was forwarded yet")


async def test_explain_at_an_agent_asks_the_gateway_of_its_settings(chain: Chain) -> None:
    """With the agent's own credential, which may or may not read personal data at the gateway."""
    file = chain.folder / "token"
    file.write_text(AGENT_TOKEN)
    for level in ("read", "status"):
        caller = {"token_sha256": [hash_of(AGENT_TOKEN)], "operations": level}
        chain.gateway = await chain.make_gateway(callers={"agent": caller}).start()
        upstream = {
            "target": chain.address,
            "operations_target": chain.gateway.operations_address,
            "token_file": str(file),
        }
        chain.agent = chain.make("agent", upstream=upstream)
        await chain.agent.start()
        await chain.agent.publish(envelope("u-1", "step", envelope_id=level))
        await chain.gateway.ended([level])
        words = (
            "explain",
            level,
            "--operations",
            chain.agent.operations_address,
            "--config",
            chain.agent.folder / "intercomd.toml",
        )
        shown = await invoke(*words)
        assert shown.exit_code == 0
        assert "At the gateway" in shown.stdout
        if level == "read":
            assert "reached Intercom" in shown.stdout.partition("At the gateway")[2]
        else:
            assert "or run `intercomd explain` at the gateway" in shown.stderr
        await chain.agent.close()
        await chain.gateway.close()


async def test_full_gateway_is_obeyed_and_loses_nothing(chain: Chain) -> None:
    """Its spool has room for some of the envelopes, until its connection is resumed."""
    chain.gateway = chain.make_gateway(spool={"bytes_max": "2MiB"})
    await chain.gateway.start()
    await chain.gateway.operations.PauseConnection(PauseConnectionRequest(connection="default"))
    await chain.agent.start()
    names = [f"e-{number}" for number in range(45)]
    for number, name in enumerate(names):
        await chain.agent.publish(envelope("u-1", "step", at=number, envelope_id=name, update={"text": "x" * 100_000}))
    await chain.agent.heard("connection", state="down")
    status = await chain.agent.connection()
    assert "UNAVAILABLE" in status.last_error
    assert status.waiting_normal > 0
    await chain.gateway.operations.ResumeConnection(ResumeConnectionRequest(connection="default"))
    await nothing_waits(chain.agent)
    assert [each.envelope_id for each in await chain.agent.journal()] == names
    await chain.gateway.ended(names)
    assert [event.created_at for event in chain.sandbox.events] == [NOON + number for number in range(45)]


async def test_quota_of_the_gateway_slows_the_agent(chain: Chain) -> None:
    chain.gateway = guarded(
        chain, edge={"token_sha256": [hash_of(AGENT_TOKEN)], "connections": ["*"], "envelopes_per_second": 40}
    )
    file = chain.folder / "agent-token"
    file.write_text(AGENT_TOKEN)
    chain.agent = chain.make("agent", upstream={"target": chain.address, "token_file": str(file)})
    await chain.gateway.start()
    await chain.agent.start()
    names = [f"e-{number}" for number in range(200)]
    for start in (0, 100):
        batch = names[start : start + 100]
        await chain.agent.publish(*(envelope(name, "step", envelope_id=name) for name in batch))
    outcomes = await chain.outcomes(200)
    assert [each.envelope_id for each in outcomes] == names
    assert {each.type for each in outcomes} == {OUTCOME_TYPE_FORWARDED}


async def test_reload_of_an_agent_adds_and_removes_connections(chain: Chain) -> None:
    token = chain.folder / "gateway" / "token"
    chain.gateway = chain.make_gateway(connections={"eu": connection_for(chain.sandbox.base_url, token)})
    await chain.gateway.start()
    await chain.agent.start()
    for names in (("default", "eu"), ("default",), ("default", "eu")):
        tables = {"upstream": {"target": chain.address}, "connections": {name: {} for name in names}}
        write_settings(chain.agent.folder, chain.sandbox.base_url, tables)
        before = len(chain.agent.logged("reloaded"))
        chain.agent.signal(signal.SIGHUP)
        await chain.agent.until(lambda before=before: len(chain.agent.logged("reloaded")) > before)
    await chain.agent.publish(
        envelope("u-1", "step", envelope_id="a", connection="eu"), envelope("u-1", "step", envelope_id="b")
    )
    outcomes = await chain.outcomes(2)
    assert {(each.envelope_id, each.connection) for each in outcomes} == {("a", "eu"), ("b", "default")}
    await chain.gateway.ended(["a", "b"])

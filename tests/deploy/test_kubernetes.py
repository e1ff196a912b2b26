"""The files of `deploy/kubernetes`: valid objects, settings that the daemon accepts, and an example that publishes."""

import asyncio
import os
import signal
import sys
import tomllib
from collections.abc import Awaitable, Callable
from pathlib import Path

import grpc
import kubernetes_validate
import pytest
import trustme

from daemons.commands import invoke
from daemons.process import EXECUTABLE, Daemon
from deployment.files import RULES, load
from deployment.kubernetes import KUBERNETES, OVERLAYS, bytes_of, objects, of_kind, settings_of, validate
from intercomd.v1.ingest_pb2 import Disposition, PublishRequest
from intercomd.v1.ingest_pb2_grpc import IngestServiceStub
from intercomd_daemon.sandbox import Sandbox
from senders.client import envelope

# A patch is not an object of its own; kustomization.yaml is not for the cluster.
OBJECTS = sorted(path for path in KUBERNETES.rglob("*.yaml") if path.name not in {"kustomization.yaml", "sidecar.yaml"})
SPOOLS = {"gateway": "stateful-set.yaml", "fleet": "deployment.yaml", "sidecar": "sidecar.yaml"}
# What the image sets, and what the sidecar's manifest sets instead.
IMAGE = {"INTERCOMD_INGEST_LISTEN": "0.0.0.0:50051", "INTERCOMD_SPOOL_URL": "sqlite:/var/lib/intercomd/spool.db"}
DATABASE = "postgresql://intercomd@database.internal/intercomd"
ENVIRONMENTS = {
    "gateway": IMAGE,
    "fleet": IMAGE | {"INTERCOMD_SPOOL_URL": DATABASE},
    "sidecar": IMAGE | {"INTERCOMD_INGEST_LISTEN": "127.0.0.1:50051"},
}
Launch = Callable[..., Awaitable[asyncio.subprocess.Process]]
CALLERS_TOKEN = "icd_" + "a" * 43
APP = OVERLAYS["sidecar"] / "app.py"


@pytest.mark.parametrize("path", OBJECTS, ids=lambda path: path.name)
def test_object_is_valid(path: Path) -> None:
    found = objects(path.read_text())
    assert found
    for one in found:
        validate(one)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("replicas: 1", "replica: 1"), ("replicas: 1", "replicas: one"), ("failureThreshold: 60", "failureTreshold: 60")],
)
def test_mistake_in_an_object_is_found(right: str, wrong: str) -> None:
    text = (OVERLAYS["gateway"] / "stateful-set.yaml").read_text()
    assert right in text
    with pytest.raises(kubernetes_validate.ValidationError):
        validate(objects(text.replace(right, wrong))[0])


@pytest.mark.parametrize("path", list(KUBERNETES.rglob("kustomization.yaml")), ids=lambda path: path.parent.name)
def test_each_file_is_part_of_a_kustomization(path: Path) -> None:
    listed = path.read_text()
    for file in path.parent.iterdir():
        assert file == path or file.is_dir() or file.name in listed


def test_prometheus_rule_has_the_tested_rules() -> None:
    assert load(KUBERNETES / "base" / "prometheus-rule.yaml")["spec"] == load(RULES)


@pytest.mark.parametrize("overlay", SPOOLS)
def test_settings_are_accepted_and_fit_the_manifest(overlay: str, tmp_path: Path) -> None:
    folder = OVERLAYS[overlay]
    settings = settings_of((folder / "intercomd.toml").read_text(), tmp_path, ENVIRONMENTS[overlay])
    pod = load(folder / SPOOLS[overlay])["spec"]
    grace = pod["template"]["spec"]["terminationGracePeriodSeconds"]
    stopping = settings.stopping
    assert stopping.linger_seconds + stopping.drain_seconds + stopping.deliver_seconds < grace - 10
    if overlay == "fleet":
        return
    if overlay == "gateway":
        room = pod["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"]
    else:
        room = next(
            volume["emptyDir"]["sizeLimit"] for volume in pod["template"]["spec"]["volumes"] if "emptyDir" in volume
        )
    # The write-ahead log, and a second copy while a spool is repaired.
    assert bytes_of(room) >= 1.5 * settings.spool.bytes_max + settings.spool.free_bytes_min


def test_overlay_of_the_agent_is_the_sidecar_with_the_settings_of_an_agent(tmp_path: Path) -> None:
    folder = KUBERNETES / "overlays" / "agent"
    kustomization = load(folder / "kustomization.yaml")
    assert kustomization["resources"] == ["../sidecar"]
    (patch,) = objects(kustomization["patches"][0]["patch"])
    labels = patch["spec"]["template"]["metadata"]["labels"]
    policy = load(OVERLAYS["gateway"] / "network-policy.yaml")["spec"]
    assert labels == policy["ingress"][0]["from"][0]["podSelector"]["matchLabels"]
    settings = settings_of((folder / "intercomd.toml").read_text(), tmp_path, ENVIRONMENTS["sidecar"])
    sidecar = settings_of((OVERLAYS["sidecar"] / "intercomd.toml").read_text(), tmp_path, ENVIRONMENTS["sidecar"])
    assert settings.upstream.uses_tls
    assert not settings.connections["default"].access_token_file
    assert (settings.spool, settings.stopping, settings.health) == (sidecar.spool, sidecar.stopping, sidecar.health)


def test_fleet_is_the_gateway_as_daemons_of_one_database(tmp_path: Path) -> None:
    """It has no volume, and each daemon the name of its pod; what callers see is the same."""
    folder = OVERLAYS["fleet"]
    deployment = load(folder / "deployment.yaml")["spec"]
    container = deployment["template"]["spec"]["containers"][0]
    assert deployment["replicas"] == 3
    assert {volume["name"] for volume in deployment["template"]["spec"]["volumes"]} == {
        each["name"] for each in container["volumeMounts"]
    }
    variables = {each["name"]: each for each in container["env"]}
    assert variables["INTERCOMD_SPOOL_URL"]["value"].startswith(DATABASE)
    assert variables["INTERCOMD_FLEET_DAEMON_ID"]["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    mine = settings_of((folder / "intercomd.toml").read_text(), tmp_path, ENVIRONMENTS["fleet"])
    one = settings_of((OVERLAYS["gateway"] / "intercomd.toml").read_text(), tmp_path, IMAGE)
    assert mine.spool.url.startswith("postgresql://")
    assert (mine.ingest, mine.callers, mine.connections) == (one.ingest, one.callers, one.connections)
    other = load(OVERLAYS["gateway"] / "stateful-set.yaml")["spec"]["template"]["spec"]["containers"][0]
    for part in ("ports", "readinessProbe", "livenessProbe", "securityContext", "resources"):
        assert container[part] == other[part]


@pytest.mark.parametrize("overlay", ["gateway", "fleet"])
def test_commands_in_the_pod_have_the_token_of_the_operator(overlay: str, tmp_path: Path) -> None:
    settings = settings_of((OVERLAYS[overlay] / "intercomd.toml").read_text(), tmp_path, ENVIRONMENTS[overlay])
    container = load(OVERLAYS[overlay] / SPOOLS[overlay])["spec"]["template"]["spec"]["containers"][0]
    (variable,) = (each for each in container["env"] if each["name"] == "INTERCOMD_CLIENT_TOKEN_FILE")
    assert variable["value"] == settings.callers["operator"].token_file


def test_network_policy_lets_the_ports_of_the_pod_in() -> None:
    gateway = OVERLAYS["gateway"]
    policy = load(gateway / "network-policy.yaml")["spec"]
    container = load(gateway / "stateful-set.yaml")["spec"]["template"]["spec"]["containers"][0]
    opened = {port["port"] for rule in policy["ingress"] for port in rule["ports"]}
    assert opened == {port["name"] for port in container["ports"]}


def test_loss_of_the_sidecars_spool_is_stated() -> None:
    text = (OVERLAYS["sidecar"] / "kustomization.yaml").read_text()
    assert "emptyDir" in text
    assert "LOST" in text


def test_gateway_is_one_daemon() -> None:
    stateful_set = of_kind(objects((OVERLAYS["gateway"] / "stateful-set.yaml").read_text()), "StatefulSet")[0]
    assert stateful_set["spec"]["replicas"] == 1


async def test_settings_of_the_gateway_serve_its_callers_alone(tmp_path: Path, sandbox: Sandbox) -> None:
    """With TLS; the Secrets are files of this folder, and only the addresses and the connection differ."""
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    (tmp_path / "tls").mkdir()
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "tls" / "tls.crt")
    certificate.private_key_pem.write_to_path(tmp_path / "tls" / "tls.key")
    (tmp_path / "callers").mkdir()
    (tmp_path / "callers" / "example-app").write_text(CALLERS_TOKEN)
    operator = tmp_path / "callers" / "operator"
    operator.write_text("icd_" + "o" * 43)
    text = (OVERLAYS["gateway"] / "intercomd.toml").read_text().replace("/run/secrets", str(tmp_path))
    tables = tomllib.loads(text)
    del tables["connections"]
    tables["ingest"]["listen"] = tables["health"]["listen"] = ["127.0.0.1:0"]
    running = await Daemon(tmp_path, sandbox.base_url, tables, EXECUTABLE).start()
    roots = grpc.ssl_channel_credentials(authority.cert_pem.bytes())
    request = PublishRequest(envelopes=[envelope("u1", "came")])
    port = running.ingest_address.rpartition(":")[2]
    async with grpc.aio.secure_channel(f"localhost:{port}", roots) as channel:
        publish = IngestServiceStub(channel).Publish
        answer = await publish(request, metadata=(("authorization", f"Bearer {CALLERS_TOKEN}"),))
        assert answer.results[0].disposition == Disposition.DISPOSITION_ACCEPTED
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await publish(request)
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    status = ("status", "--operations", running.operations_address, "--token-file")
    assert (await invoke(*status, operator)).exit_code == 0
    assert (await invoke(*status, tmp_path / "callers" / "example-app")).exit_code == 1
    await running.close()


async def test_example_app_publishes_and_ends_with_its_pod(daemon: Daemon, launch: Launch) -> None:
    environment = {**os.environ, "INTERCOMD_TARGET": daemon.ingest_address, "CUSTOMER_ID": "example-user"}
    app = await launch(sys.executable, APP, env=environment)
    await daemon.heard("outcome", outcome="delivered")
    app.send_signal(signal.SIGTERM)
    assert await app.wait() == 0

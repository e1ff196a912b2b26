"""What kubectl and Helm make of `deploy/`: valid objects that refer to each other, and settings that work.

`make deploy` runs this; `.ci/tools` installs kubectl, which has kustomize built in, and both versions of Helm.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from deployment.files import DASHBOARD, DEPLOY, RULES, load
from deployment.kubernetes import (
    OVERLAYS,
    Object,
    check_references,
    check_security,
    containers,
    daemon_of,
    objects,
    of_kind,
    pod_templates,
    settings_of,
    validate,
)
from documents import blocks

CHART = DEPLOY / "helm" / "intercomd"
PAGE = DEPLOY / "README.md"
IMAGE = {"INTERCOMD_INGEST_LISTEN": "0.0.0.0:50051", "INTERCOMD_SPOOL_URL": "sqlite:/var/lib/intercomd/spool.db"}
CALLER = {"tokenSecret": {"name": "intercomd-callers", "key": "billing"}, "settings": 'connections = ["*"]'}
TOKEN = {"tokenSecret": {"name": "intercom-token", "key": "token"}}
CONNECTIONS = {"connections": {"default": {"appId": "abc12345"} | TOKEN}}
VALUES: dict[str, dict[str, Any]] = {
    "insecure": {"insecure": True},
    "callers": {"callers": {"billing": CALLER, "shop": CALLER | {"settings": ""}}},
    "operator": {"callers": {"operator": CALLER | {"settings": 'connections = ["*"]\noperations = "write"\n'}}},
    "tls": {"callers": {"billing": CALLER}, "tls": {"secretName": "intercomd-tls"}},
    "client certificates": {"tls": {"secretName": "intercomd-tls", "clientCa": True}},
    "agent": {
        "callers": {"billing": CALLER},
        "connections": {"default": {}, "eu": {"settings": "active = false"}},
        "upstream": {
            "target": "dns:///gateway-intercomd.events.svc:50051",
            "operationsTarget": "dns:///gateway-intercomd.events.svc:9091",
            "tokenSecret": {"name": "intercomd-agent", "key": "token"},
            "tls": {"secretName": "gateway-tls", "clientCertificate": True, "serverName": "gateway.test"},
        },
    },
    "agent in a mesh": {
        "insecure": True,
        "connections": {},
        "upstream": {"target": "gateway-intercomd:50051", "insecure": True},
    },
    "monitoring": {
        "insecure": True,
        "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
        "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
        "dashboard": {"enabled": True},
    },
    "several daemons": {
        "callers": {"billing": CALLER},
        "replicas": 3,
        "database": {"url": "postgresql://intercomd@one,two/intercomd", "passwordSecret": {"name": "database"}},
    },
    "everything else": {
        "insecure": True,
        "fullnameOverride": "events",
        "image": {"repository": "registry.test/intercomd", "tag": "1", "pullPolicy": "Always"},
        "imagePullSecrets": [{"name": "pull"}],
        "connections": {
            "eu-shop": {"appId": "b", "settings": 'region = "eu"', "tokenSecret": {"name": "t", "key": "k"}}
        },
        "service": {"type": "LoadBalancer", "port": 443, "annotations": {"a": "b"}},
        "persistence": {"size": "10Gi", "storageClass": "fast", "accessModes": ["ReadWriteOnce"]},
        "serviceAccount": {"create": False, "name": "other"},
        "podAnnotations": {"sidecar.istio.io/inject": "true"},
        "podLabels": {"team": "growth"},
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "dedicated", "operator": "Exists"}],
        "priorityClassName": "high",
        "extraEnv": [{"name": "INTERCOMD_LOG_LEVEL", "value": "debug"}],
        "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
        "extraVolumeMounts": [{"name": "ca", "mountPath": "/etc/ca"}],
        "podDisruptionBudget": {"enabled": False},
        "networkPolicy": {"enabled": False},
    },
}


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603 - our own words


def made(*words: str | Path) -> str:
    done = run(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(params=["helm3", "helm4"])
def helm(request: pytest.FixtureRequest) -> str:
    """The program: operators use both versions."""
    program: str = request.param
    return program


def build(overlay: str) -> list[Object]:
    return objects(made("kubectl", "kustomize", OVERLAYS[overlay]))


def render(helm: str, values: dict[str, Any], folder: Path) -> list[Object]:
    file = folder / "values.json"
    file.write_text(json.dumps(CONNECTIONS | values))
    made(helm, "lint", "--strict", CHART, "--values", file)
    return objects(made(helm, "template", "events", CHART, "--namespace", "shop", "--values", file))


def environment_of(daemon: Object) -> dict[str, str]:
    """Returns the variables of the container: the image's, and its own; the pod's name is that of the daemon."""
    return IMAGE | {each["name"]: each.get("value", "intercomd-0") for each in daemon.get("env", [])}


def settings_text(found: list[Object]) -> str:
    text: str = next(one["data"]["intercomd.toml"] for one in found if "intercomd.toml" in one.get("data", {}))
    return text


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_overlay_is_valid(overlay: str, tmp_path: Path) -> None:
    found = build(overlay)
    for one in found:
        validate(one)
    check_references(found)
    for template in pod_templates(found):
        for container in containers(template):
            check_security(container, template)
            assert container["image"] == "intercomd:0.2.0"
    daemon = daemon_of(next(pod_templates(found)))
    settings_of(settings_text(found), tmp_path, environment_of(daemon))


def test_sidecar_starts_before_the_app_and_stops_after_it() -> None:
    spec = next(pod_templates(build("sidecar")))["spec"]
    daemon = spec["initContainers"][0]
    assert daemon["restartPolicy"] == "Always"
    assert "startupProbe" in daemon
    assert "lifecycle" not in daemon
    assert [container["name"] for container in spec["containers"]] == ["app"]


@pytest.mark.parametrize("name", VALUES)
def test_chart_is_valid(name: str, helm: str, tmp_path: Path) -> None:
    found = render(helm, VALUES[name], tmp_path)
    for one in found:
        validate(one)
    configured = [one for one in found if one["metadata"]["name"] != "ca"]
    if name != "everything else":  # Its extra volume is not the chart's.
        check_references(configured)
    for template in pod_templates(found):
        for container in containers(template):
            check_security(container, template)
    settings_of(settings_text(found), tmp_path, environment_of(daemon_of(next(pod_templates(found)))))


def test_daemons_of_one_database_are_a_deployment_without_volumes(helm: str, tmp_path: Path) -> None:
    found = render(helm, VALUES["several daemons"], tmp_path)
    assert not of_kind(found, "StatefulSet")
    (deployment,) = of_kind(found, "Deployment")
    assert deployment["spec"]["replicas"] == 3
    daemon = daemon_of(deployment["spec"]["template"])
    environment = environment_of(daemon)
    assert environment["INTERCOMD_SPOOL_URL"] == "postgresql://intercomd@one,two/intercomd"
    assert environment["INTERCOMD_SPOOL_PASSWORD_FILE"] == "/run/secrets/database/password"
    assert "/var/lib/intercomd" not in {mount["mountPath"] for mount in daemon["volumeMounts"]}
    (policy,) = of_kind(found, "NetworkPolicy")
    assert {"ports": [{"port": 5432}]} in policy["spec"]["egress"]


def test_chart_has_the_rules_and_the_dashboard(helm: str, tmp_path: Path) -> None:
    found = render(helm, VALUES["monitoring"], tmp_path)
    rule = of_kind(found, "PrometheusRule")[0]
    assert rule["spec"] == load(RULES)
    assert rule["metadata"]["labels"]["release"] == "prometheus"
    dashboard = next(one for one in of_kind(found, "ConfigMap") if one["metadata"]["name"].endswith("-dashboard"))
    assert json.loads(dashboard["data"]["intercomd.json"]) == json.loads(DASHBOARD.read_text())


def test_policy_of_the_gateway_admits_the_agents_of_the_overlay() -> None:
    (policy,) = of_kind(build("gateway"), "NetworkPolicy")
    (admitted,) = (each["podSelector"]["matchLabels"] for each in policy["spec"]["ingress"][0]["from"])
    for template in pod_templates(build("agent")):
        assert admitted.items() <= template["metadata"]["labels"].items()


def test_agent_may_reach_its_gateway(helm: str, tmp_path: Path) -> None:
    found = render(helm, VALUES["agent"], tmp_path)
    gateway = render(helm, VALUES["callers"], tmp_path)
    (admitted,) = (each["spec"]["ingress"][0]["from"][0] for each in of_kind(gateway, "NetworkPolicy"))
    (template,) = pod_templates(found)
    assert admitted["podSelector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    settings = settings_of(settings_text(found), tmp_path, IMAGE)
    assert settings.upstream.target.endswith("svc:50051")
    assert settings.upstream.tls.server_name == "gateway.test"
    assert not settings.connections["eu"].active
    (policy,) = of_kind(found, "NetworkPolicy")
    ports = [port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]]
    assert ports == [53, 53, 50051, 9091, 443]


def test_values_of_the_page_make_a_gateway_a_fleet_and_an_agent(helm: str, tmp_path: Path) -> None:
    fleet, gateway, agent = (values for block in blocks(PAGE, "yaml") for values in objects(block))
    settings = [
        settings_of(settings_text(found), tmp_path, environment_of(daemon_of(next(pod_templates(found)))))
        for found in (render(helm, values, tmp_path) for values in (gateway, gateway | fleet, agent))
    ]
    assert all(each.ingest.tls.certificate_file for each in settings[:2])
    assert settings[2].upstream.uses_tls
    assert settings[2].upstream.target == "dns:///events-intercomd.events.svc:50051"


def test_settings_change_restarts_the_pod(helm: str, tmp_path: Path) -> None:
    sums = {
        next(pod_templates(render(helm, VALUES[name], tmp_path)))["metadata"]["annotations"]["checksum/settings"]
        for name in ("callers", "tls")
    }
    assert len(sums) == 2


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "senders need credentials"),
        ({"insecure": True, "connections": {"default": {"appId": ""} | TOKEN}}, "appId"),
        ({"insecure": True, "connections": {}}, "connections"),
        ({"insecure": True, "connections": {"default": {"appId": "a"}}}, "tokenSecret"),
        ({"insecure": True, "replicas": 3}, "replicas need a spool that they share"),
        ({"insecure": True, "replicas": 0}, "replicas"),
        ({"insecure": True, "database": {"url": "mysql://db"}}, "url"),
        ({"insecure": True, "image": {"pullPolicy": "Sometimes"}}, "pullPolicy"),
        ({"callers": {"billing": {"token": "secret"}}}, "token"),
    ],
)
def test_chart_refuses_values_that_cannot_work(values: dict[str, Any], message: str, helm: str, tmp_path: Path) -> None:
    file = tmp_path / "values.json"
    file.write_text(json.dumps(CONNECTIONS | values))
    done = run(helm, "template", "events", CHART, "--values", file)
    assert done.returncode != 0
    assert message in done.stderr

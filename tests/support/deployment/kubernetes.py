"""Kubernetes objects as files and tools give them, and what must hold for each."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

from deployment.files import DEPLOY
from intercomd_daemon.config.load import load
from intercomd_daemon.config.settings import Settings

KUBERNETES = DEPLOY / "kubernetes"
OVERLAYS = {name: KUBERNETES / "overlays" / name for name in ("gateway", "fleet", "sidecar", "agent")}
# The oldest that the manifests name, for native sidecars, and the newest whose schemas are at hand.
VERSIONS = ("1.29", kubernetes_validate.latest_version())
# Of the Prometheus operator; their schemas are not Kubernetes'.
CUSTOM = {"ServiceMonitor", "PrometheusRule"}

Object = dict[str, Any]


def objects(text: str) -> list[Object]:
    return [one for one in yaml.safe_load_all(text) if one]


def validate(one: Object) -> None:
    """Compare an object with Kubernetes' schemas; an unknown field is an error."""
    if one["kind"] in CUSTOM:
        assert one["apiVersion"] == "monitoring.coreos.com/v1"
        return
    for version in VERSIONS:
        kubernetes_validate.validate(one, version, strict=True)


def of_kind(found: list[Object], kind: str) -> list[Object]:
    return [one for one in found if one["kind"] == kind]


def pod_templates(found: list[Object]) -> Iterator[Object]:
    for one in found:
        if one["kind"] in {"Deployment", "StatefulSet"}:
            yield one["spec"]["template"]


def containers(template: Object) -> list[Object]:
    spec = template["spec"]
    return [*spec.get("initContainers", []), *spec["containers"]]


def daemon_of(template: Object) -> Object:
    return next(one for one in containers(template) if one["name"] == "intercomd")


def bytes_of(quantity: str) -> int:
    units = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}
    return int(quantity[:-2]) * units[quantity[-2:]]


def check_references(found: list[Object]) -> None:
    """Every volume that a container mounts, and every port that a probe or service names, exists."""
    ports = set()
    for template in pod_templates(found):
        volumes = {volume["name"] for volume in template["spec"].get("volumes", [])}
        for owner in found:
            volumes |= {claim["metadata"]["name"] for claim in owner.get("spec", {}).get("volumeClaimTemplates", [])}
        for container in containers(template):
            assert {mount["name"] for mount in container.get("volumeMounts", [])} <= volumes
            named = {port["name"] for port in container.get("ports", [])}
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                if probe in container:
                    assert container[probe]["httpGet"]["port"] in named
            ports |= named
    for service in of_kind(found, "Service"):
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    configured = {one["metadata"]["name"] for one in of_kind(found, "ConfigMap")}
    for template in pod_templates(found):
        for volume in template["spec"].get("volumes", []):
            if "configMap" in volume:
                assert volume["configMap"]["name"] in configured


def check_security(container: Object, template: Object) -> None:
    """A container runs as another user than root, and can write nothing but its volumes."""
    context = template["spec"].get("securityContext", {}) | container["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] == 10001
    assert context["allowPrivilegeEscalation"] is False
    assert context["readOnlyRootFilesystem"] is True
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert "memory" in container["resources"]["limits"]


def settings_of(text: str, folder: Path, environment: Mapping[str, str]) -> Settings:
    """Return the settings of a file, which the daemon accepts with this environment."""
    path = folder / "intercomd.toml"
    path.write_text(text)
    loaded = load(str(path), environment)
    assert loaded.warnings == ()
    return loaded.settings

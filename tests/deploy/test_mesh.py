"""The notes for meshes: what they name exists, and their YAML is such."""

import re

import pytest
import yaml

from deployment.files import DEPLOY, ROOT, load
from intercomd.v1 import ingest_pb2
from intercomd_daemon.config import Settings
from intercomd_daemon.config.setting_keys import keys_of

PAGE = (ROOT / "daemon" / "docs" / "mesh.md").read_text()
BLOCKS = re.findall(r"(?s)```yaml\n(.*?)```", PAGE)
GATEWAY = DEPLOY / "kubernetes" / "overlays" / "gateway"


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.split("\n")[0])
def test_example_is_yaml(block: str) -> None:
    assert all(isinstance(one, dict) for one in yaml.safe_load_all(block))


def test_settings_exist() -> None:
    named = set(re.findall(r"`((?:ingest|stopping)\.\w+)", PAGE))
    assert named
    assert named <= set(keys_of(Settings))


def test_objects_select_the_gateway() -> None:
    service = load(GATEWAY / "service.yaml")
    selected = [one for block in BLOCKS for one in yaml.safe_load_all(block) if "spec" in one]
    for one in selected:
        for selector in ("selector", "podSelector"):
            labels = one["spec"].get(selector, {}).get("matchLabels", {})
            assert labels.items() <= service["spec"]["selector"].items()
    hosts = [host for one in selected if one["kind"] == "VirtualService" for host in one["spec"]["hosts"]]
    assert hosts == [service["metadata"]["name"]]
    assert service["spec"]["ports"][0]["appProtocol"] == "grpc"


def test_health_check_names_the_service() -> None:
    assert f"service_name: {ingest_pb2.DESCRIPTOR.services_by_name['IngestService'].full_name}" in PAGE

"""compose.yaml: settings that work, and files that exist."""

import re
from pathlib import Path

import pytest

from deployment.files import DEPLOY, load
from intercomd_daemon import __version__
from intercomd_daemon.config.load import load as load_settings

VERSION = re.compile(r"intercomd:(\d+\.[\w.]*)|newTag: (\S+)|^(?:appV|v)ersion: (\d\S*)", re.MULTILINE)
SERVICES = load(DEPLOY / "compose.yaml")["services"]
FLEET = load(DEPLOY / "compose.fleet.yaml")
ALL = {**SERVICES, **{f"fleet {name}": service for name, service in FLEET["services"].items()}}


def test_daemon_accepts_its_settings() -> None:
    environment = SERVICES["intercomd"]["environment"]
    settings = load_settings(None, environment).settings
    assert settings.connections["default"].url == "http://sandbox:9080"
    grace = int(SERVICES["intercomd"]["stop_grace_period"].removesuffix("s"))
    assert settings.stopping.linger_seconds + settings.stopping.drain_seconds < grace - 10


def test_sandbox_takes_the_daemons_credentials() -> None:
    """The defaults of `intercomd sandbox`."""
    environment = SERVICES["intercomd"]["environment"]
    assert (environment["INTERCOMD_APP_ID"], environment["INTERCOMD_ACCESS_TOKEN"]) == ("sandbox", "sandbox-token")


@pytest.mark.parametrize("name", ALL)
def test_mounted_files_exist(name: str) -> None:
    for volume in ALL[name].get("volumes", []):
        source = volume.split(":")[0]
        named = {"spool", "prometheus"} | FLEET["volumes"].keys()
        assert (DEPLOY / source).exists() if source.startswith(".") else source in named


@pytest.mark.parametrize("name", ["agent", "gateway-1", "gateway-2"])
def test_daemons_of_the_fleet_accept_their_settings(name: str) -> None:
    service = FLEET["services"][name]
    settings = load_settings(None, service["environment"]).settings
    if name == "agent":
        assert settings.upstream.target == "dns:///gateway:50051"
        assert not settings.upstream.uses_tls
    else:
        assert settings.fleet.daemon_id == name
        assert settings.spool.url == "postgresql://intercomd@database/intercomd"
        assert "gateway" in service["networks"]["default"]["aliases"]
        assert settings.connections["default"].url == SERVICES["intercomd"]["environment"]["INTERCOMD_BASE_URL"]
    grace = int(service["stop_grace_period"].removesuffix("s"))
    assert settings.stopping.linger_seconds + settings.stopping.drain_seconds < grace - 10


@pytest.mark.parametrize("name", ALL)
def test_ports_are_published_on_loopback_alone(name: str) -> None:
    for port in ALL[name].get("ports", []):
        assert port.startswith("127.0.0.1:")


def test_prometheus_scrapes_the_daemon_by_its_name() -> None:
    target = load(DEPLOY / "prometheus" / "prometheus.yaml")["scrape_configs"][0]["static_configs"][0]["targets"]
    assert target == ["intercomd:9092"]
    source = load(DEPLOY / "grafana" / "provisioning" / "datasources" / "prometheus.yaml")["datasources"][0]
    assert source["url"] == "http://prometheus:9090"


@pytest.mark.parametrize("file", sorted(DEPLOY.rglob("*.yaml")), ids=lambda path: path.name)
def test_image_and_chart_have_the_daemons_version(file: Path) -> None:
    for version in VERSION.findall(file.read_text()):
        assert "".join(version) == __version__

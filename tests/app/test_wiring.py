"""From the settings to what each part is told: nothing is lost, and the defaults are everywhere the same."""

from msgspec.structs import asdict, fields

from intercomd_daemon import config
from intercomd_daemon.app import wiring
from intercomd_daemon.deliver.settings import ConnectionSettings
from intercomd_daemon.ingest.limits import ConnectionRules, RequestLimits
from intercomd_daemon.operations.http import OperationsSettings
from intercomd_daemon.spool.sqlite import SpoolSettings
from intercomd_daemon.telemetry.logs import LogSettings

DEFAULT = config.Connection(name="default")
SETTINGS = config.Settings(connections={"default": DEFAULT})


def test_the_defaults_of_the_parts_are_those_of_the_settings() -> None:
    assert wiring.accepting(SETTINGS) == {"default": ConnectionRules(name="default")}
    assert wiring.requests(SETTINGS) == RequestLimits()
    assert asdict(wiring.delivering(DEFAULT)) == asdict(ConnectionSettings(name="default"))
    assert wiring.spool(SETTINGS) == SpoolSettings()
    assert wiring.operations(SETTINGS) == OperationsSettings()
    assert wiring.log(SETTINGS) == LogSettings()


def test_every_setting_of_a_connection_reaches_the_part_that_asks_for_it() -> None:
    """Each field that a part and the settings share under one name is passed on."""
    changed = config.Connection(
        name="eu-shop",
        app_id="abc",
        access_token_file="/token",
        region="eu",
        base_url="http://127.0.0.1:1",
        api_version="2.11",
        active=False,
        dry_run=True,
        verify_app_id=False,
        development_connection="test",
        update_email=False,
        unchanged_for_seconds=1.0,
        missing_attributes="drop",
        attributes_created_max=3,
        unarchive=True,
        session_end_name="end",
        commerce="summary",
        commerce_from_web=True,
        same_second="keep",
        event_age_max_seconds=5.0,
        attribute_types={"a": "string"},
        limits=config.Limits(event_attributes_max=7, user_attributes_max=8, on_excess="reject"),
        rate=config.Rate(share=0.5, calls_per_window=9),
    )
    given = asdict(changed) | asdict(changed.limits)
    given |= {"rate_share": changed.rate.share, "calls_per_window": changed.rate.calls_per_window}
    rules = wiring.accepting(config.Settings(connections={"eu-shop": changed}))["eu-shop"]
    for part in (wiring.delivering(changed), rules):
        told = asdict(part)
        assert told == {name: given[name] for name in told}
        defaults = type(part)(name="default")
        assert all(getattr(part, field.name) != getattr(defaults, field.name) for field in fields(part))

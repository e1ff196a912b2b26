"""The limits are those of the contract."""

from intercomd_daemon.connection import ConnectionSettings, LimitSettings
from intercomd_daemon.envelope import GIVEN_ID_BYTES_MAX
from intercomd_daemon.ingest import limits
from intercomd_daemon.ingest.settings import IngestSettings


def test_limits_are_those_of_the_contract() -> None:
    assert (limits.EVENT_NAME_CHARACTERS_MAX, limits.CUSTOMER_ID_CHARACTERS_MAX, limits.EMAIL_CHARACTERS_MAX) == (
        255,
        255,
        254,
    )
    assert limits.ENVELOPE_ID_BYTES_MAX == limits.REQUEST_ID_BYTES_MAX == 128
    assert len(f"/{IngestSettings().envelopes_max - 1}") + limits.REQUEST_ID_BYTES_MAX <= GIVEN_ID_BYTES_MAX
    assert (limits.ENVELOPE_BYTES_MAX, limits.EXPANDED_BYTES_MAX) == (128 * 1024, 1024 * 1024)
    assert (limits.PRODUCTS_MAX, limits.LIST_VALUES_MAX) == (100, 1000)
    assert (limits.ATTRIBUTE_NAME_CHARACTERS_MAX, limits.VALUE_CHARACTERS_MAX) == (190, 255)
    assert (limits.CLOCK_SKEW_SECONDS, limits.SHIFT_SECONDS_MAX, limits.CLAIMED_SECONDS_MAX) == (60, 300, 65_536)
    assert (limits.STREAM_MESSAGES_AHEAD, limits.STREAM_BYTES_AHEAD) == (32, 4 * 1024 * 1024)
    assert limits.RESPONSE_BYTES_MAX == 1024 * 1024
    assert IngestSettings() == IngestSettings(envelopes_max=500, request_bytes_max=4 * 1024 * 1024)


def test_connection_has_the_defaults_of_the_contract() -> None:
    assert ConnectionSettings(name="default") == ConnectionSettings(
        name="default",
        active=True,
        development_connection="",
        session_end_name="Session End",
        commerce="expanded",
        commerce_from_web=False,
        same_second="shift",
        limits=LimitSettings(event_attributes_max=5, user_attributes_max=100, on_excess="trim"),
    )

"""Custom attributes: which values are sent, as tables."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.lane.attribute_catalog import (
    DAY_SECONDS,
    FRESH_SECONDS,
    KNOWN_MAX,
    PLAUSIBLE_FROM,
    PLAUSIBLE_UNTIL,
    REFUSED_MAX,
    REFUSED_SECONDS,
    TRUSTED_SECONDS,
    AttributeCatalog,
    AttributeList,
    DataAttribute,
    Fit,
    convert,
    type_of,
)
from intercomd_daemon.envelope import Scalar

NOW = 1_795_000_000.0


def catalog(*attributes: DataAttribute, created_max: int = 20) -> AttributeCatalog:
    known = AttributeCatalog(ConnectionSettings(name="main", attributes_created_max=created_max))
    known.read(attributes, NOW)
    return known


def fit(known: AttributeCatalog, name: str = "plan", value: Scalar = "gold", now: float = NOW) -> Fit:
    return known.fit(name, value, now).fit


@pytest.mark.parametrize(
    ("value", "data_type", "sent"),
    [
        ("gold", "string", "gold"),
        (5, "string", "5"),
        (0.5, "string", "0.5"),
        (True, "string", "true"),
        (False, "string", "false"),
        (5, "integer", 5),
        (5.0, "integer", 5),
        (5.5, "integer", None),
        ("5", "integer", 5),
        ("5.0", "integer", 5),
        ("5.5", "integer", None),
        (True, "integer", None),
        (5, "float", 5),
        (5.5, "float", 5.5),
        ("5.5", "float", 5.5),
        ("5", "float", 5),
        ("5.50", "float", 5.5),
        ("-0.25", "float", -0.25),
        (" 42 ", "integer", 42),
        ("\t19.90\n", "float", 19.9),
        # Text with leading zeros is an identifier.
        ("007", "integer", None),
        # A binary number does not hold these digits.
        ("0.12345678901234567890", "float", None),
        ("9223372036854775807", "integer", 2**63 - 1),
        ("9223372036854775808", "integer", None),
        ("9" * 200, "float", None),
        (1e300, "integer", None),
        ("1e5", "float", None),
        ("\uff11\uff12", "integer", None),
        ("1_000", "integer", None),
        ("inf", "float", None),
        ("nan", "float", None),
        ("", "float", None),
        ("many", "float", None),
        (False, "float", None),
        (True, "boolean", True),
        ("true", "boolean", True),
        ("false", "boolean", False),
        ("True", "boolean", True),
        (" FALSE ", "boolean", False),
        ("1", "boolean", True),
        ("0", "boolean", False),
        ("yes", "boolean", None),
        ("2", "boolean", None),
        ("", "boolean", None),
        (1, "boolean", True),
        (0, "boolean", False),
        (1.0, "boolean", True),
        (2, "boolean", None),
        (1_795_000_000, "date", 1_795_000_000),
        (1_795_000_000.0, "date", 1_795_000_000),
        (1_795_000_000.5, "date", 1_795_000_000),
        (1_795_000_000_123, "date", 1_795_000_000),
        ("1795000000123", "date", 1_795_000_000),
        ("1795000000", "datetime", 1_795_000_000),
        ("2026-11-18", "datetime", 1_794_960_000),
        (True, "date", None),
        # A type that we don't know may take anything.
        ("gold", "options", "gold"),
        (5, "relationship", 5),
        (None, "integer", None),
        (None, "string", None),
    ],
)
def test_value_is_converted_to_the_type_without_loss(value: Scalar, data_type: str, sent: Scalar) -> None:
    fitting = convert(value, data_type)
    assert (fitting, type(fitting)) == (sent, type(sent))
    fitted = catalog(DataAttribute("plan", data_type)).fit("plan", value, NOW)
    assert fitted.fit is (Fit.LEAVE_OUT if sent is None and value is not None else Fit.SEND)
    assert bool(fitted.message) is ((sent, type(sent)) != (value, type(value)))


TYPES = ["string", "integer", "float", "boolean", "date", "datetime", "options"]


@given(
    st.text() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans() | st.none(),
    st.sampled_from(TYPES),
)
def test_converted_value_converts_to_itself_and_back(value: Scalar, data_type: str) -> None:
    fitting = convert(value, data_type)
    again = convert(fitting, data_type)
    assert (again, type(again)) == (fitting, type(fitting))
    if isinstance(fitting, int | float) and isinstance(value, str) and data_type in {"integer", "float"}:
        assert Decimal(repr(fitting)) == Decimal(value.strip())


@pytest.mark.parametrize(
    ("value", "data_type"), [("gold", "string"), (1, "float"), (1.5, "float"), (True, "boolean"), (None, "string")]
)
def test_new_attribute_has_the_type_of_its_value_with_numbers_as_float(value: Scalar, data_type: str) -> None:
    assert type_of("plan", value, is_time=False) == data_type


@pytest.mark.parametrize(
    ("name", "value", "is_time", "data_type"),
    [
        ("renewal", 1_795_000_000, True, "datetime"),
        ("renewal", -5, True, "datetime"),
        ("renewal", 253_402_300_799, True, "datetime"),
        ("renewal", 1_795_000_000, False, "float"),
        ("renewed_at", 1_795_000_000, False, "datetime"),
        ("renewed_at", 1_795_000_000.0, False, "datetime"),
        ("renewed_at", 1_795_000_000_123, False, "datetime"),
        ("renewed_at", 1_795_000_000.5, False, "float"),
        ("renewed_at", PLAUSIBLE_FROM, False, "datetime"),
        ("renewed_at", PLAUSIBLE_FROM - 1, False, "float"),
        ("renewed_at", PLAUSIBLE_UNTIL, False, "float"),
        ("renewed_at", 12, False, "float"),
        ("renewed_at", 2**63 - 1, False, "float"),
        ("renewed_at", True, False, "boolean"),
        ("renewed_at", "1795000000", False, "string"),
        ("renewed_at_all", 1_795_000_000, False, "float"),
    ],
)
def test_type_of_a_time_is_datetime(name: str, value: Scalar, is_time: bool, data_type: str) -> None:
    """A typed time in every attribute; a whole number of plausible seconds, or milliseconds, in one named `…_at`."""
    assert type_of(name, value, is_time=is_time) == data_type


LIST = DataAttribute("plan", "string", options=["free", "pro", "7"])


@pytest.mark.parametrize(
    ("value", "fitting", "sent"),
    [
        ("free", Fit.SEND, "free"),
        (7, Fit.SEND, "7"),
        (None, Fit.SEND, None),
        ("enterprise", Fit.LEAVE_OUT, None),
        ("Free", Fit.LEAVE_OUT, None),
        ("", Fit.LEAVE_OUT, None),
        (True, Fit.LEAVE_OUT, None),
    ],
)
def test_list_attribute_accepts_only_its_options(value: Scalar, fitting: Fit, sent: Scalar) -> None:
    fitted = catalog(LIST).fit("plan", value, NOW)
    assert (fitted.fit, fitted.value) == (fitting, sent)
    assert fitting is Fit.SEND or "list of 3 options" in fitted.message


@pytest.mark.parametrize(
    ("options", "choices"),
    [
        (["free", "pro"], {"free", "pro"}),
        ([{"value": "free"}, {"value": "pro"}], {"free", "pro"}),
        ([], set()),
        (None, set()),
        ("free", set()),
        ([1, None, {}, {"value": 2}], set()),
    ],
)
def test_options_are_read_in_every_form(options: object, choices: set[str]) -> None:
    listed = msgspec.json.decode(
        msgspec.json.encode({"data": [{"name": "plan", "options": options}]}), type=AttributeList
    )
    assert listed.data[0].choices == choices


def test_typed_time_is_sent_unchanged_to_a_date() -> None:
    """Numbers from 10^11 on count as milliseconds only if their type does not show that they are seconds."""
    known = catalog(DataAttribute("until", "date"))
    assert known.fit("until", 253_402_300_799, NOW, is_time=True).value == 253_402_300_799
    assert known.fit("until", 253_402_300_799, NOW).value == 253_402_300


def test_refused_value_is_left_out_for_an_hour_and_others_are_sent() -> None:
    known = catalog(DataAttribute("plan"))
    known.value_refused("plan", "gold", NOW)
    assert fit(known, value="gold", now=NOW + REFUSED_SECONDS - 1) is Fit.LEAVE_OUT
    assert fit(known, value="silver") is Fit.SEND
    assert fit(known, value="gold", now=NOW + REFUSED_SECONDS) is Fit.SEND
    known.read([DataAttribute("plan")], NOW)
    assert fit(known, value="gold") is Fit.LEAVE_OUT
    known.read([DataAttribute("plan", options=["gold"])], NOW)
    assert fit(known, value="gold") is Fit.SEND


def test_refused_value_is_left_out_without_a_list() -> None:
    known = AttributeCatalog(ConnectionSettings(name="main"))
    known.unreadable(NOW)
    known.value_refused("plan", "gold", NOW)
    assert fit(known, value="gold") is Fit.LEAVE_OUT
    assert fit(known, value="silver") is Fit.SEND


@pytest.mark.fills("deliver.lane.attribute_catalog.REFUSED_MAX")
def test_oldest_refused_values_are_forgotten_beyond_the_limit() -> None:
    known = catalog(DataAttribute("plan"))
    for number in range(REFUSED_MAX + 1):
        known.value_refused("plan", str(number), NOW)
    assert [fit(known, value=value) for value in ("0", "1")] == [Fit.SEND, Fit.LEAVE_OUT]


def test_doubted_list_is_read_again_at_most_once_a_minute() -> None:
    known = catalog(LIST)
    assert not known.doubt(NOW + TRUSTED_SECONDS - 1)
    assert not known.stale(NOW)
    assert known.doubt(NOW + TRUSTED_SECONDS)
    assert known.stale(NOW + TRUSTED_SECONDS)


@pytest.mark.parametrize(
    ("name", "value", "age", "must_be_read"),
    [
        ("plan", "enterprise", TRUSTED_SECONDS, True),
        ("plan", "enterprise", TRUSTED_SECONDS - 1, False),
        ("plan", "free", TRUSTED_SECONDS, False),
        ("plan", None, TRUSTED_SECONDS, False),
        ("city", "Bath", TRUSTED_SECONDS, False),
        ("club", "red", TRUSTED_SECONDS, False),
        ("club", "red", FRESH_SECONDS, True),
    ],
)
def test_list_must_be_read_again_for_a_missing_option(name: str, value: Scalar, age: float, must_be_read: bool) -> None:
    known = catalog(LIST, DataAttribute("city"))
    assert known.must_be_read({"city": "Bath", name: value}, NOW + age) is must_be_read


@pytest.mark.parametrize(
    ("attribute", "fitting", "why"),
    [
        (DataAttribute("plan"), Fit.SEND, ""),
        (DataAttribute("plan", archived=True), Fit.LEAVE_OUT, "archived"),
        (DataAttribute("plan", api_writable=False), Fit.LEAVE_OUT, "not writable"),
        (DataAttribute("plan", "integer"), Fit.LEAVE_OUT, "integer"),
        # A standard attribute of that name is not ours.
        (DataAttribute("plan", custom=False), Fit.CREATE, ""),
    ],
)
def test_list_decides_whether_an_attribute_is_sent(attribute: DataAttribute, fitting: Fit, why: str) -> None:
    fitted = catalog(attribute).fit("plan", "gold", NOW)
    assert fitted.fit is fitting
    assert why in fitted.message


def test_clearing_a_missing_attribute_is_left_out() -> None:
    assert fit(catalog(), value=None) is Fit.LEAVE_OUT
    assert fit(catalog(DataAttribute("plan")), value=None) is Fit.SEND
    assert fit(catalog(DataAttribute("plan", "integer")), value=None) is Fit.SEND


@pytest.mark.parametrize(
    ("age", "stale"), [(0.0, False), (FRESH_SECONDS - 1, False), (FRESH_SECONDS, True), (-1.0, True), (-1e9, True)]
)
def test_list_is_stale_after_ten_minutes_or_a_clock_set_back(age: float, stale: bool) -> None:
    assert catalog().stale(NOW + age) is stale
    assert AttributeCatalog(ConnectionSettings(name="main")).stale(0.0)


@pytest.mark.parametrize(
    ("created_max", "created", "kept"),
    [
        (2, [], []),
        (2, [NOW - DAY_SECONDS, NOW - 9, NOW], [NOW - 9, NOW]),
        (2, [NOW - 9, NOW + 1], [NOW - 9]),
        (2, [NOW - 3, NOW - 2, NOW - 1], [NOW - 2, NOW - 1]),
        (0, [NOW - 3], []),
    ],
    ids=["none", "a day ago", "clock set back", "more than the limit", "limit of 0"],
)
def test_creations_before_are_counted_if_within_a_day(
    created_max: int, created: list[float], kept: list[float]
) -> None:
    known = AttributeCatalog(ConnectionSettings(name="main", attributes_created_max=created_max))
    known.created("a", "string", NOW)
    known.restore(created, NOW)
    assert known.creation_times == [*kept, NOW]


@pytest.mark.fills("attributes_created_max")
def test_attributes_created_in_a_day_are_limited() -> None:
    known = catalog(created_max=2)
    known.created("a", "string", NOW)
    known.created("b", "string", NOW + 10)
    assert fit(known, "c", now=NOW + 10) is Fit.LEAVE_OUT
    assert "attributes_created_max = 2" in known.fit("c", "x", NOW + 10).message
    assert fit(known, "c", now=NOW + DAY_SECONDS) is Fit.CREATE
    known.created("c", "string", NOW + DAY_SECONDS)
    assert fit(known, "d", now=NOW + DAY_SECONDS) is Fit.LEAVE_OUT
    assert fit(known, "a", now=NOW + DAY_SECONDS) is Fit.SEND


def test_refusal_is_remembered_for_an_hour() -> None:
    known = catalog()
    known.refused("plan", "because", "fix it", NOW)
    message = 'because: dropped "gold"; fix it'
    assert known.fit("plan", "gold", NOW + REFUSED_SECONDS - 1).message == message
    assert not known.absent("plan", NOW + REFUSED_SECONDS - 1)
    assert known.absent("plan", NOW + REFUSED_SECONDS)
    assert fit(known, now=NOW + REFUSED_SECONDS) is Fit.CREATE
    known.created("plan", "string", NOW + REFUSED_SECONDS)
    assert not known.absent("plan", NOW + REFUSED_SECONDS)


def test_clock_set_back_extends_neither_refusals_nor_the_daily_limit() -> None:
    known = catalog(created_max=1)
    known.refused("plan", "because", "fix it", NOW)
    known.created("other", "string", NOW)
    assert fit(known, now=NOW) is Fit.LEAVE_OUT
    assert fit(known, now=NOW - 365 * DAY_SECONDS) is Fit.CREATE


@pytest.mark.fills("deliver.lane.attribute_catalog.REFUSED_MAX")
def test_oldest_refusals_are_forgotten_beyond_the_limit() -> None:
    known = catalog()
    for number in range(REFUSED_MAX):
        known.refused(str(number), "because", "fix it", NOW)
    known.refused("0", "because", "fix it", NOW)
    known.refused("new", "because", "fix it", NOW)
    assert [known.absent(name, NOW) for name in ("0", "1", "2", "new")] == [False, True, False, False]


def test_values_are_unconverted_without_a_list_until_a_400_names_them() -> None:
    known = AttributeCatalog(ConnectionSettings(name="main"))
    known.unreadable(NOW)
    assert not known.stale(NOW)
    assert known.fit("plan", "5", NOW).value == "5"
    assert fit(known, value=None) is Fit.SEND
    known.reported_missing("plan", known.creations, NOW)
    assert fit(known) is Fit.CREATE
    known.created("plan", "string", NOW)
    assert fit(known) is Fit.SEND
    known.reported_missing("plan", known.creations, NOW)
    assert fit(known) is Fit.LEAVE_OUT
    assert fit(known, "city") is Fit.SEND


@pytest.mark.parametrize("late", [0, 1, 5])
@pytest.mark.parametrize("readable", [True, False])
def test_reports_of_calls_that_left_before_the_creation_refuse_nothing(late: int, *, readable: bool) -> None:
    """Calls of many users are in flight when an attribute turns out to be missing: each gets the same 400."""
    known = catalog(DataAttribute("plan")) if readable else AttributeCatalog(ConnectionSettings(name="main"))
    if not readable:
        known.unreadable(NOW)
    before = known.creations
    for _ in range(3):
        known.reported_missing("plan", before, NOW)
        assert fit(known) is Fit.CREATE
    known.created("plan", "string", NOW)
    known.created("city", "string", NOW)
    for _ in range(late):
        known.reported_missing("plan", before, NOW)
    assert fit(known) is Fit.SEND
    known.reported_missing("plan", known.creations, NOW)
    assert fit(known) is Fit.LEAVE_OUT


def test_next_list_ends_every_doubt() -> None:
    known = catalog(DataAttribute("plan"))
    known.reported_missing("plan", known.creations, NOW)
    assert known.doubted("plan")
    assert fit(known) is Fit.CREATE
    known.read([DataAttribute("plan")], NOW)
    assert not known.doubted("plan")
    assert fit(known) is Fit.SEND
    known.reported_missing("plan", known.creations, NOW)
    assert fit(known) is Fit.CREATE


def test_missing_report_beyond_the_limit_counts_as_a_refusal() -> None:
    known = catalog()
    for number in range(REFUSED_MAX):
        known.reported_missing(str(number), 0, NOW)
    known.reported_missing("plan", known.creations, NOW)
    assert fit(known) is Fit.LEAVE_OUT


@pytest.mark.fills("deliver.lane.attribute_catalog.KNOWN_MAX")
def test_attributes_beyond_the_limit_count_as_missing() -> None:
    known = catalog(*[DataAttribute(str(number)) for number in range(KNOWN_MAX + 1)])
    assert [known.absent(name, NOW) for name in ("0", str(KNOWN_MAX - 1), str(KNOWN_MAX))] == [False, False, True]
    known.created("new", "string", NOW)
    assert [known.absent(name, NOW) for name in ("0", "1", "new")] == [True, False, False]


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        (
            DataAttribute("plan", archived=True),
            "gold",
            'attribute "plan" is archived in Intercom: dropped "gold"; unarchive it there',
        ),
        (
            DataAttribute("plan", api_writable=False),
            None,
            'attribute "plan" is not writable through the API: dropped the removal; make it writable',
        ),
        (
            DataAttribute("plan", "integer"),
            True,
            'attribute "plan" is of type integer in Intercom: dropped true; send a value of that type',
        ),
        (
            LIST,
            "x" * 500,
            'attribute "plan" is a list of 3 options in Intercom, without this value: dropped "'
            + "x" * 60
            + '…"; add the option there, or send one of them',
        ),
        (DataAttribute("plan", "float"), "2.5", 'attribute "plan" is of type float in Intercom: "2.5" became 2.5'),
        (
            DataAttribute("plan", "date"),
            1_795_000_000_123,
            'attribute "plan" is of type date in Intercom: 1795000000123 became 1795000000 (Unix seconds)',
        ),
    ],
)
def test_message_names_attribute_value_reason_and_fix(attribute: DataAttribute, value: Scalar, message: str) -> None:
    assert catalog(attribute).fit("plan", value, NOW).message == message


def test_message_about_a_missing_attribute_names_the_fix() -> None:
    settings = ConnectionSettings(name="main", missing_attributes="drop")
    known = AttributeCatalog(settings)
    known.read([], NOW)
    assert known.fit("plan", "gold", NOW).message == (
        'Intercom has no attribute "plan": dropped "gold"; create it there, or set missing_attributes = "create"'
    )


def test_message_about_a_refused_value_names_it() -> None:
    known = catalog(DataAttribute("plan"))
    known.value_refused("plan", "gold", NOW)
    assert known.fit("plan", "gold", NOW).message == (
        'Intercom refuses this value of attribute "plan": dropped "gold"; '
        "check there which values the attribute accepts"
    )


def test_attributes_in_use_leave_out_archived_and_standard_ones() -> None:
    known = catalog(DataAttribute("plan"), DataAttribute("old", archived=True), DataAttribute("email", custom=False))
    assert known.in_use == 1
    known.created("seats", "integer", NOW)
    assert known.in_use == 2

"""The values of contact updates: merging, findings, and the attributes that they need. Calls are in the dialogues."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intercomd_daemon.connection import ConnectionSettings, LimitSettings
from intercomd_daemon.deliver.lane.actions import CreateAttribute, LaneContext, ReadAttributes
from intercomd_daemon.deliver.lane.attribute_catalog import FRESH_SECONDS, AttributeCatalog, DataAttribute
from intercomd_daemon.deliver.lane.contact_writer import ComposedUpdate, ContactWriter, email_of, is_custom
from intercomd_daemon.deliver.lane.known_contact import Contact, UnavailableContacts
from intercomd_daemon.deliver.lane.pending import PendingEnvelope
from intercomd_daemon.deliver.lane.update_contact import (
    changed_values,
    compose,
    gather,
    values_of,
    without_refused_values,
)
from intercomd_daemon.envelope import (
    FIRST_NAME,
    LAST_NAME,
    AcceptedEnvelope,
    Priority,
    Scalar,
    TrackEvent,
    operations_of,
)
from intercomd_daemon.outcome import Progress

NOW = 1_795_000_000.0
SETTINGS = ConnectionSettings(name="main")


def pending(
    position: int,
    update: dict[str, Scalar],
    *,
    email: str = "",
    customer_id: str = "u1",
    origin: int = 0,
    events: int = 0,
) -> PendingEnvelope:
    envelope = AcceptedEnvelope(
        str(position),
        customer_id,
        email,
        NOW,
        operations_of(customer_id, email, update, (TrackEvent("Seen", 0, b""),) * events),
        (),
        "",
        b"",
        replay=int(origin > 0),
        origin=origin,
    )
    return PendingEnvelope(position, Priority.NORMAL, envelope, Progress())


def catalog() -> AttributeCatalog:
    known = AttributeCatalog(ConnectionSettings(name="main"))
    known.read([DataAttribute("plan"), DataAttribute("city")], NOW)
    return known


def context_of(contact: Contact) -> LaneContext:
    return LaneContext("c:u1", contact, SETTINGS, catalog(), UnavailableContacts())


def contact_after(groups: list[list[PendingEnvelope]], contact: Contact) -> dict[str, Scalar]:
    """What a contact at Intercom holds after the updates of these groups were sent one after the other."""
    held: dict[str, Scalar] = {}
    context = context_of(contact)
    for group in groups:
        update = compose(group, context, ContactWriter(context), NOW)
        assert isinstance(update, ComposedUpdate)
        writer = object()
        contact.begin_write([*update.fields, *update.sent_values], writer)
        contact.mark_sent(update.sent_values, writer, NOW)
        contact.end_write(writer)
        held |= update.fields
    return held


UPDATES = st.lists(
    st.dictionaries(
        st.sampled_from(["plan", "phone", "name", FIRST_NAME, LAST_NAME]), st.sampled_from(["a", "b", None]), min_size=1
    ),
    min_size=1,
    max_size=6,
)


@given(UPDATES)
def test_contact_is_the_same_whether_updates_are_sent_one_by_one_or_together(updates: list[dict[str, Scalar]]) -> None:
    rows = [pending(position, update) for position, update in enumerate(updates, 1)]
    alone = contact_after([[row] for row in rows], Contact())
    assert contact_after([rows], Contact()) == alone


def group_size(*rows: PendingEnvelope, attributes_max: int = 100) -> int:
    limits = LimitSettings(user_attributes_max=attributes_max)
    return len(gather(rows, ConnectionSettings(name="main", limits=limits)))


def row(*names: str, events: int = 0, alone: bool = False, email: str = "") -> PendingEnvelope:
    made = pending(1, dict.fromkeys(names, "x"), email=email, events=events)
    made.alone = alone
    return made


def test_gather_groups_consecutive_updates_up_to_the_first_event() -> None:
    assert group_size() == 0
    assert group_size(row("a"), row("b"), row("c")) == 3
    assert group_size(row("a"), row("b", events=1), row("c")) == 2
    assert group_size(row("a"), row(events=1), row("c")) == 1


def test_gather_keeps_within_the_limit_of_attributes_without_counting_the_email() -> None:
    assert group_size(row("a"), row("b"), row("c"), attributes_max=2) == 2
    assert group_size(row("a"), row("a", "b"), row("b"), attributes_max=2) == 3
    assert group_size(row("a", email="a@x.io"), row("b", email="a@x.io"), attributes_max=2) == 2
    assert group_size(row("a", "b", "c"), row("a"), attributes_max=2) == 1, "one envelope may exceed the limit"


def test_gather_leaves_envelopes_alone_whose_shared_call_was_refused() -> None:
    assert group_size(row("a"), row("b", alone=True), row("c")) == 1
    assert group_size(row("a", alone=True), row("b")) == 1


@pytest.mark.parametrize(
    ("customer_id", "email", "update_email", "values"),
    [
        ("u1", "ada@x.io", True, {"plan": "gold", "email": "ada@x.io"}),
        ("u1", "ada@x.io", False, {"plan": "gold"}),
        ("u1", "", True, {"plan": "gold"}),
        ("", "ada@x.io", True, {"plan": "gold"}),
    ],
)
def test_values_hold_the_email_beside_a_customer_id_by_setting(
    customer_id: str, email: str, update_email: bool, values: dict[str, str]
) -> None:
    settings = ConnectionSettings(name="main", update_email=update_email)
    assert values_of(pending(1, {"plan": "gold"}, customer_id=customer_id, email=email), settings) == values


def test_is_custom_of_all_but_intercoms_own_fields() -> None:
    assert [name for name in ("name", "email", FIRST_NAME, "avatar", "plan", "Name", "city") if is_custom(name)] == [
        "plan",
        "Name",
        "city",
    ]


def test_email_of_a_group_is_the_newest_by_first_acceptance() -> None:
    rows = [pending(5, {}, email="new@x.io"), pending(6, {}), pending(7, {}, email="old@x.io", origin=2)]
    assert email_of(rows) == "new@x.io"
    assert email_of(rows[1:]) == "old@x.io"
    assert not email_of(rows[1:2])


def test_reduce_reports_to_each_envelope_what_of_it_was_left_out() -> None:
    rows = [pending(1, {"plan": "gold", "phone": "1"}), pending(2, {"city": "Bath", FIRST_NAME: "Ada"}, email="a@x.io")]
    contact_update = ComposedUpdate(
        {"plan": "gold", "phone": "1", "city": "Bath", "email": "a@x.io", "name": "Ada"},
        {"plan": ("gold", 1), "phone": ("1", 1), "city": ("Bath", 2), "email": ("a@x.io", 2), FIRST_NAME: ("Ada", 2)},
        left_out=False,
    )
    without_custom = without_refused_values(contact_update, rows, SETTINGS, to_identity=False)
    assert without_custom.fields == {"phone": "1", "email": "a@x.io", "name": "Ada"}
    assert list(without_custom.sent_values) == ["phone", "email", FIRST_NAME]
    assert without_custom.left_out
    assert [[finding.field for finding in row.progress().adjustments] for row in rows] == [
        ["user_attributes[plan]"],
        ["user_attributes[city]"],
    ]
    bare = without_refused_values(contact_update, rows, SETTINGS, to_identity=True)
    assert bare.fields == {"email": "a@x.io"}
    assert list(bare.sent_values) == ["email"]
    assert [len(row.progress().adjustments) for row in rows] == [2, 2]


def test_compose_requires_the_creation_of_a_missing_attribute_first() -> None:
    context = context_of(Contact())
    group = [pending(1, {"club": "red", "plan": "gold"})]
    assert compose(group, context, ContactWriter(context), NOW) == CreateAttribute("club", "string")


def test_compose_requires_a_stale_list_of_attributes_to_be_read() -> None:
    context = context_of(Contact())
    writer = ContactWriter(context)
    assert compose([pending(1, {"plan": "gold"})], context, writer, NOW + FRESH_SECONDS) == ReadAttributes()
    assert isinstance(compose([pending(1, {"phone": "1"})], context, writer, NOW + FRESH_SECONDS), ComposedUpdate)


def test_findings_of_an_update_name_attribute_value_and_fix() -> None:
    context = context_of(Contact("c1"))
    writer = ContactWriter(context)
    writer.unclearable.add("city")
    writer.contact_missing(identity_only=True)
    envelope = pending(1, {"plan": "gold", FIRST_NAME: "Ada", "city": None})
    update = compose([envelope], context, writer, NOW)
    assert update == ComposedUpdate({}, {}, left_out=True)
    refusal = "Intercom refused the update without naming the attribute"
    assert {finding.field: finding.message for finding in envelope.progress().adjustments} == {
        "user_attributes[city]": (
            'Intercom refuses to clear attribute "city" on this contact: dropped the removal; '
            "clear the attribute in Intercom"
        ),
        "user_attributes[plan]": f'{refusal}: dropped "plan", which is "gold"; check this value in Intercom',
        "user_attributes[$first_name]": (
            f'{refusal}: dropped "first_name", which is "Ada"; check this value in Intercom'
        ),
    }


def test_finding_of_a_replay_names_the_older_value() -> None:
    contact = Contact("c1")
    contact.begin_write(["plan"], "writer")
    contact.mark_sent({"plan": ("silver", 9)}, "writer", NOW)
    replayed = pending(20, {"plan": "gold"}, origin=5)
    assert changed_values([replayed], context_of(contact), NOW) == {}
    assert [finding.message for finding in replayed.progress().adjustments] == [
        'a later envelope set "plan": dropped the replay\'s value "gold"'
    ]

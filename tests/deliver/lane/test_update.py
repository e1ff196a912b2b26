"""Merging, beside the dialogues: that it changes no one's end, and the pieces that a table shows better."""

from hypothesis import given
from hypothesis import strategies as st

from intercomd_daemon.connection import ConnectionSettings, LimitSettings
from intercomd_daemon.deliver.lane.attribute_catalog import Attribute, AttributeCatalog
from intercomd_daemon.deliver.lane.contact import Contact
from intercomd_daemon.deliver.lane.pending import PendingEnvelope
from intercomd_daemon.deliver.lane.update import (
    ContactUpdate,
    changed_values,
    compose,
    email_of,
    gather,
    is_custom,
    reduce,
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


def waiting(
    position: int, update: dict[str, Scalar], *, email: str = "", customer_id: str = "u1", origin: int = 0
) -> PendingEnvelope:
    envelope = AcceptedEnvelope(
        str(position),
        customer_id,
        email,
        NOW,
        operations_of(customer_id, email, update, ()),
        (),
        "",
        b"",
        replay=int(origin > 0),
        origin=origin,
    )
    return PendingEnvelope(position, Priority.NORMAL, envelope, Progress())


def catalog() -> AttributeCatalog:
    known = AttributeCatalog(ConnectionSettings(name="main"))
    known.read([Attribute("plan"), Attribute("city")], NOW)
    return known


def deliver(groups: list[list[PendingEnvelope]], contact: Contact) -> dict[str, Scalar]:
    """What a contact at Intercom holds after these groups have left one after the other."""
    held: dict[str, Scalar] = {}
    for group in groups:
        new = changed_values(group, contact, SETTINGS, NOW)
        contact_update = compose(new, group, contact, catalog(), SETTINGS, NOW)
        writer = object()
        contact.begin_write([*contact_update.fields, *contact_update.sent_values], writer)
        contact.mark_sent(contact_update.sent_values, writer, NOW)
        contact.end_write(writer)
        held |= contact_update.fields
    return held


UPDATES = st.lists(
    st.dictionaries(
        st.sampled_from(["plan", "phone", "name", FIRST_NAME, LAST_NAME]), st.sampled_from(["a", "b", None]), min_size=1
    ),
    min_size=1,
    max_size=6,
)


@given(UPDATES)
def test_a_contact_ends_up_the_same_whether_updates_leave_one_by_one_or_together(
    updates: list[dict[str, Scalar]],
) -> None:
    rows = [waiting(position, update) for position, update in enumerate(updates, 1)]
    alone = deliver([[row] for row in rows], Contact())
    assert deliver([rows], Contact()) == alone


def test_the_group_ends_with_the_first_event_with_the_limit_and_around_who_must_go_alone() -> None:
    def sizes(rows: list[PendingEnvelope], most: int = 100) -> int:
        return len(gather(rows, ConnectionSettings(name="main", limits=LimitSettings(user_attributes_max=most))))

    def row(*names: str, events: int = 0, alone: bool = False, email: str = "") -> PendingEnvelope:
        made = waiting(1, dict.fromkeys(names, "x"), email=email)
        made = PendingEnvelope(
            1,
            Priority.NORMAL,
            AcceptedEnvelope(
                "1",
                "u1",
                email,
                NOW,
                operations_of("u1", email, made.update(with_email=False), (TrackEvent("Seen", 0, b""),) * events),
                (),
                "",
                b"",
            ),
            Progress(),
        )
        made.alone = alone
        return made

    assert sizes([]) == 0
    assert sizes([row("a"), row("b"), row("c")]) == 3
    assert sizes([row("a"), row("b", events=1), row("c")]) == 2
    assert sizes([row("a"), row(events=1), row("c")]) == 1
    assert sizes([row("a"), row("b"), row("c")], most=2) == 2
    assert sizes([row("a"), row("a", "b"), row("b")], most=2) == 3
    assert sizes([row("a", email="a@x.io"), row("b", email="a@x.io")], most=2) == 2
    assert sizes([row("a", "b", "c"), row("a")], most=2) == 1, "more than the limit leaves alone, but it leaves"
    assert sizes([row("a"), row("b", alone=True), row("c")]) == 1
    assert sizes([row("a", alone=True), row("b")]) == 1


def test_what_is_no_field_of_intercom_s_is_a_custom_attribute() -> None:
    assert [name for name in ("name", "email", FIRST_NAME, "avatar", "plan", "Name", "city") if is_custom(name)] == [
        "plan",
        "Name",
        "city",
    ]


def test_the_newest_email_is_by_the_position_of_the_first_acceptance() -> None:
    rows = [waiting(5, {}, email="new@x.io"), waiting(6, {}), waiting(7, {}, email="old@x.io", origin=2)]
    assert email_of(rows) == "new@x.io"
    assert email_of(rows[1:]) == "old@x.io"
    assert not email_of(rows[1:2])


def test_a_reduced_update_says_for_each_envelope_what_of_it_was_left_out() -> None:
    rows = [waiting(1, {"plan": "gold", "phone": "1"}), waiting(2, {"city": "Bath", FIRST_NAME: "Ada"}, email="a@x.io")]
    contact_update = ContactUpdate(
        {"plan": "gold", "phone": "1", "city": "Bath", "email": "a@x.io", "name": "Ada"},
        {"plan": ("gold", 1), "phone": ("1", 1), "city": ("Bath", 2), "email": ("a@x.io", 2), FIRST_NAME: ("Ada", 2)},
        left_out=False,
    )
    without_custom = reduce(contact_update, rows, SETTINGS, to_identity=False)
    assert without_custom.fields == {"phone": "1", "email": "a@x.io", "name": "Ada"}
    assert list(without_custom.sent_values) == ["phone", "email", FIRST_NAME]
    assert without_custom.left_out
    assert [[finding.field for finding in row.progress().adjustments] for row in rows] == [
        ["user_attributes[plan]"],
        ["user_attributes[city]"],
    ]
    bare = reduce(contact_update, rows, SETTINGS, to_identity=True)
    assert bare.fields == {"email": "a@x.io"}
    assert list(bare.sent_values) == ["email"]
    assert [len(row.progress().adjustments) for row in rows] == [2, 2]


def test_a_missing_attribute_is_asked_for_before_anything_is_said() -> None:
    rows = [waiting(1, {"club": "red", "plan": "gold"})]
    new = changed_values(rows, Contact(), SETTINGS, NOW)
    assert compose(new, rows, Contact(), catalog(), SETTINGS, NOW) == ContactUpdate(
        {}, {}, left_out=False, missing=("club", "string")
    )


def test_findings_of_an_update_name_attribute_value_and_fix() -> None:
    group = [waiting(1, {"plan": "gold", FIRST_NAME: "Ada", "city": None})]
    values = changed_values(group, Contact("c1"), SETTINGS, NOW)
    update = compose(values, group, Contact("c1"), catalog(), SETTINGS, NOW, unclearable={"city"})
    reduce(update, group, SETTINGS, to_identity=True)
    assert {finding.field: finding.message for finding in group[0].progress().adjustments} == {
        "user_attributes[city]": (
            'Intercom refuses to clear attribute "city" on this contact: dropped the removal; clear it there'
        ),
        "user_attributes[plan]": (
            'Intercom refused the update without naming the attribute: dropped "plan", which is "gold"; '
            "check each value there"
        ),
        "user_attributes[$first_name]": (
            'Intercom refused the update without naming the attribute: dropped "first_name", which is "Ada"; '
            "check each value there"
        ),
    }


def test_finding_of_a_replay_names_the_older_value() -> None:
    contact = Contact("c1")
    contact.begin_write(["plan"], "writer")
    contact.mark_sent({"plan": ("silver", 9)}, "writer", NOW)
    replayed = waiting(20, {"plan": "gold"}, origin=5)
    assert changed_values([replayed], contact, SETTINGS, NOW) == {}
    assert [finding.message for finding in replayed.progress().adjustments] == [
        'a later envelope set "plan": dropped the replay\'s value "gold"'
    ]

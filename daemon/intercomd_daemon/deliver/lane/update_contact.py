"""The operation `UpdateContact`: which envelopes share an update, which values it sends, and how it ends.

Values that the contact cache holds already are left out; custom attributes are converted to fit the catalog.
"""

from collections.abc import Iterable, Mapping, Sequence

from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.deliver.intercom.classification import Classification
from intercomd_daemon.deliver.lane.actions import (
    DRY_RUN,
    CreateAttribute,
    Ended,
    Flight,
    LaneContext,
    NextStep,
    NoCall,
    Plan,
    ReadAttributes,
)
from intercomd_daemon.deliver.lane.attribute_catalog import Fit, Fitted, shown
from intercomd_daemon.deliver.lane.contact_writer import (
    IDENTITY_FIELDS,
    STANDARD_FIELDS,
    ComposedUpdate,
    ContactWriter,
    Presence,
    WriteRefused,
    Written,
    is_custom,
)
from intercomd_daemon.deliver.lane.known_contact import Contact
from intercomd_daemon.deliver.lane.pending import PendingEnvelope
from intercomd_daemon.envelope import FIRST_NAME, LAST_NAME, Finding, Scalar, UpdateContact
from intercomd_daemon.errors import quoted
from intercomd_daemon.outcome import OutcomeType

_NAME_PARTS = (FIRST_NAME, LAST_NAME)

ChangedValues = dict[str, tuple[Scalar, int]]
"""Values that the contact does not have yet, by the sender's name, each with the position of its envelope."""


class UpdateContactKind:
    """Performs the updates of one lane: an `OperationKind`."""

    __slots__ = ("_context", "_writer")

    def __init__(self, context: LaneContext, writer: ContactWriter) -> None:
        self._context = context
        self._writer = writer

    @staticmethod
    def has_work(pending: PendingEnvelope, settings: ConnectionSettings) -> bool:
        """Whether the update writes anything: an email alone is written only if the settings say so."""
        return bool(values_of(pending, settings))

    def plan(self, queue: Sequence[PendingEnvelope], now: float) -> Plan:
        """Returns the call for the updates at the head, or their end if every value is known."""
        group = gather(queue, self._context.settings)
        update = compose(group, self._context, self._writer, now)
        if not isinstance(update, ComposedUpdate):
            return update
        if self._writer.only_taken_email_left(group, update.fields):
            # Otherwise every later update would try it again.
            self._context.contact.remember_without_sending(update.sent_values, now)
            return NoCall(group, OutcomeType.SKIPPED, "EMAIL_TAKEN", contact_changed=True)
        if update.fields:
            return self._writer.call(group, update)
        changed = bool(self._writer.taken_email)
        if update.left_out:
            return NoCall(group, OutcomeType.SKIPPED, "ATTRIBUTES_LEFT_OUT", changed)
        return NoCall(group, OutcomeType.UNCHANGED, contact_changed=changed)

    def on_response(self, flight: Flight, classification: Classification, status: int, now: float) -> NextStep:
        """Ends the updates if the contact was written or refused for good."""
        match self._writer.on_response(flight, classification, status, now):
            case Written():
                dry = classification.reason == DRY_RUN
                type_ = OutcomeType.SKIPPED if dry else OutcomeType.DELIVERED
                return Ended(type_, classification.reason, contact_changed=not dry)
            case WriteRefused(reason):
                return Ended(OutcomeType.DEAD_LETTERED, reason, contact_changed=True)
            case other:
                return other


def gather(queue: Iterable[PendingEnvelope], settings: ConnectionSettings) -> list[PendingEnvelope]:
    """Returns the envelopes at the head of a lane whose updates share a call.

    They are consecutive. The group ends with the first envelope that has an operation after its update, so no update
    moves past an event, and before the limit of attributes is exceeded.
    """
    group: list[PendingEnvelope] = []
    names: set[str] = set()
    for pending in queue:
        values = values_of(pending, settings) if isinstance(pending.operation, UpdateContact) else {}
        if not values:
            break
        joined = (names | values.keys()) - IDENTITY_FIELDS
        if group and (pending.alone or group[0].alone or len(joined) > settings.limits.user_attributes_max):
            break
        group.append(pending)
        names = joined
        if not pending.at_last_operation:
            break
    return group


def values_of(pending: PendingEnvelope, settings: ConnectionSettings) -> Mapping[str, Scalar]:
    """Returns the values that the update sets by name, with the email beside a customer id if `update_email` is set."""
    envelope, update = pending.envelope, pending.contact_update
    attributes = update.attributes if update else {}
    if settings.update_email and envelope.customer_id and envelope.email:
        return {**attributes, "email": envelope.email}
    return attributes


def compose(
    group: list[PendingEnvelope], context: LaneContext, writer: ContactWriter, now: float
) -> ComposedUpdate | ReadAttributes | CreateAttribute:
    """Returns the update that writes what the group changes, or what must be done for its custom attributes first.

    Values that are left out or converted are reported as findings on the envelopes.
    """
    settings, catalog = context.settings, context.catalog
    changed = changed_values(group, context, now)
    custom = {name: value for name, (value, _) in changed.items() if is_custom(name)}
    if custom and catalog.must_be_read(custom, now):
        return ReadAttributes()
    times = _typed_times(group)
    fields = {name: value for name, (value, _) in changed.items() if name not in custom and name not in _NAME_PARTS}
    if "owner_id" in fields:
        fields["owner_id"] = _owner(fields["owner_id"], settings)
    if FIRST_NAME in changed or LAST_NAME in changed:
        fields["name"] = _joined_name(changed, context.contact)
    sent_values = dict(changed)
    for name, value in custom.items():
        fitted = catalog.fit(name, value, now, is_time=(name, changed[name][1]) in times)
        if value is None and name in writer.unclearable:
            refusal = f"Intercom refuses to clear attribute {quoted(name)} on this contact"
            fitted = Fitted(Fit.LEAVE_OUT, message=f"{refusal}: dropped the removal; clear the attribute in Intercom")
        if fitted.fit is Fit.CREATE:
            return CreateAttribute(name, fitted.data_type)
        if fitted.fit is Fit.SEND:
            fields[name] = fitted.value
            if fitted.message:
                _report(group, settings, "VALUE_CONVERTED", name, fitted.message)
        else:
            del sent_values[name]
            _report(group, settings, "ATTRIBUTE_DROPPED", name, fitted.message)
    update = ComposedUpdate(fields, sent_values, left_out=len(sent_values) < len(changed))
    if writer.reduced:
        return without_refused_values(update, group, settings, to_identity=writer.presence is Presence.MISSING)
    return update


def changed_values(group: list[PendingEnvelope], context: LaneContext, now: float) -> ChangedValues:
    """Returns the newest value of each attribute, unless all values in the group are the one that was last sent."""
    contact, settings = context.contact, context.settings
    newest: ChangedValues = {}
    changed: set[str] = set()
    for pending in group:
        values = values_of(pending, settings)
        for name, value in values.items():
            if name in _NAME_PARTS and "name" in values:
                continue  # The full name takes precedence over its parts.
            if pending.envelope.replay and contact.written_after(name, pending.position):
                message = f"a later envelope set {quoted(name.lstrip('$'))}: dropped the replay's value {shown(value)}"
                pending.add_finding(Finding("ATTRIBUTE_DROPPED", _path(name), message))
                continue
            if not _is_known(name, value, context, now):
                changed.add(name)
            if name not in newest or pending.position >= newest[name][1]:
                newest[name] = (value, pending.position)
    # The name and its parts overwrite each other: the later one is sent.
    parts = [name for name in _NAME_PARTS if name in newest]
    if "name" in newest and parts:
        part_is_later = max(newest[part][1] for part in parts) > newest["name"][1]
        for name in ["name"] if part_is_later else parts:
            del newest[name]
    return {name: value for name, value in newest.items() if name in changed}


def _is_known(name: str, value: Scalar, context: LaneContext, now: float) -> bool:
    """Whether Intercom has this value already, as far as it is remembered."""
    contact, seconds = context.contact, context.settings.unchanged_for_seconds
    if contact.knows(name, value, now, seconds):
        return True
    stored = context.catalog.stored_value(name, value) if is_custom(name) else value
    return stored is not value and contact.knows(name, stored, now, seconds)


def without_refused_values(
    update: ComposedUpdate, group: list[PendingEnvelope], settings: ConnectionSettings, *, to_identity: bool
) -> ComposedUpdate:
    """Returns the update without custom attributes, or with the identity alone, and reports what it leaves out."""
    kept = IDENTITY_FIELDS if to_identity else STANDARD_FIELDS
    for name, (value, _) in update.sent_values.items():
        if name not in kept:
            cause = "Intercom refused the update without naming the attribute"
            message = (
                f"{cause}: dropped {quoted(name.lstrip('$'))}, which is {shown(value)}; check this value in Intercom"
            )
            _report(group, settings, "ATTRIBUTE_DROPPED", name, message)
    fields = {name: value for name, value in update.fields.items() if name in kept}
    sent_values = {name: value for name, value in update.sent_values.items() if name in kept}
    return ComposedUpdate(fields, sent_values, left_out=True)


def _typed_times(group: list[PendingEnvelope]) -> set[tuple[str, int]]:
    """Returns name and position of the custom attributes that the sender sent as a `Timestamp`."""
    updates = [(pending.position, pending.contact_update) for pending in group]
    return {(name, position) for position, update in updates if update is not None for name in update.times}


def _joined_name(changed: ChangedValues, contact: Contact) -> str | None:
    """Returns Intercom's one name; a part that does not change is the one that was last sent."""
    first = changed[FIRST_NAME][0] if FIRST_NAME in changed else contact.first_name
    last = changed[LAST_NAME][0] if LAST_NAME in changed else contact.last_name
    return " ".join(str(part) for part in (first, last) if part) or None


def _owner(value: Scalar, settings: ConnectionSettings) -> Scalar:
    text = str(value)
    if value is None or settings.owner_id_is_text:
        return None if value is None else text
    return int(text) if text.isdecimal() else value


def _report(group: list[PendingEnvelope], settings: ConnectionSettings, reason: str, name: str, message: str) -> None:
    for pending in group:
        if name in values_of(pending, settings):
            pending.add_finding(Finding(reason, _path(name), message))


def _path(name: str) -> str:
    return f"user_attributes[{name}]"

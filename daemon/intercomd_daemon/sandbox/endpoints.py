"""The supported calls: each performs an admitted request on the workspace and returns the answer."""

from dataclasses import dataclass
from urllib.parse import parse_qsl

from msgspec import UNSET

from intercomd_daemon.sandbox import bodies, contact_search, events
from intercomd_daemon.sandbox.bodies import ContactBody, decode
from intercomd_daemon.sandbox.contact import OWNER_ID_TEXT_FROM, Contact, Version, contact_json, contact_reference
from intercomd_daemon.sandbox.contacts import user_not_found
from intercomd_daemon.sandbox.http_messages import ErrorResponse, HttpResponse, illegal, invalid, json_answer
from intercomd_daemon.sandbox.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request that passed the checks; `argument` is the decoded variable part of its path."""

    argument: str
    query: str
    body: bytes
    version: Version
    request_id: str
    now: float


def create_contact(workspace: Workspace, request: Admitted) -> HttpResponse:
    """`POST /contacts`: "A strict create: never updates"."""
    body = decode(bodies.CONTACT, request.body)
    _check_owner(body, request.version)
    attributes = workspace.attributes.check(body.custom_attributes or {}, body.role or "user")
    contact = workspace.contacts.create(body, attributes, request.now)
    contact.searchable_at = request.now + workspace.settings.search_lag_seconds
    contact.searches_until = workspace.searches + workspace.settings.search_lag_calls
    return _contact(workspace, contact, request)


def update_contact(workspace: Workspace, request: Admitted) -> HttpResponse:
    """`PUT /contacts/{id}`: "partial update by Intercom's own id"."""
    body = decode(bodies.CONTACT, request.body)
    _check_owner(body, request.version)
    contact = workspace.contacts.get_to_update(request.argument)
    attributes = workspace.attributes.check(body.custom_attributes or {}, body.role or contact.role)
    return _contact(workspace, workspace.contacts.update(contact.id, body, attributes, request.now), request)


def get_contact(workspace: Workspace, request: Admitted) -> HttpResponse:
    """`GET /contacts/{id}`."""
    return _contact(workspace, workspace.contacts.get(request.argument), request)


def find_contact(workspace: Workspace, request: Admitted) -> HttpResponse:
    """`GET /contacts/find_by_external_id/{external_id}`: "from 2.13; users only, not leads"."""
    return _contact(workspace, workspace.contacts.find_user(request.argument), request)


def archive_contact(workspace: Workspace, request: Admitted) -> HttpResponse:
    """`POST /contacts/{id}/archive`."""
    return json_answer(contact_reference(workspace.archive(request.argument), archived=True))


def unarchive_contact(workspace: Workspace, request: Admitted) -> HttpResponse:
    """`POST /contacts/{id}/unarchive`: "unarchiving brings all data back"; a blocked contact stays blocked."""
    contact = workspace.contacts.get_in_any_state(request.argument)
    if contact.state == "blocked":
        raise user_not_found()
    if contact.state == "deleted":
        # Recorded: 400 `bad_request` after a DELETE, "in the first seconds 500 `server_error`".
        if request.now < contact.deleted_at + workspace.settings.deletion_seconds:
            raise ErrorResponse(500, "server_error", "Server Error")
        message = "User has been marked for permanent deletion and is not restorable."
        raise ErrorResponse(400, "bad_request", message)
    return json_answer(contact_reference(workspace.unarchive(request.argument), archived=False))


def delete_contact(workspace: Workspace, request: Admitted) -> HttpResponse:
    """`DELETE /contacts/{id}`: "permanent, by Intercom's id"."""
    return json_answer(contact_reference(workspace.delete(request.argument, request.now), deleted=True))


def merge_contacts(workspace: Workspace, request: Admitted) -> HttpResponse:
    """`POST /contacts/merge`: "merge a contact with a `role` of `lead` into a contact with a `role` of `user`"."""
    body = decode(bodies.MERGE, request.body)
    source, into = workspace.contacts.get(body.from_id), workspace.contacts.get(body.into_id)
    if source.role != "lead" or into.role != "user":
        raise invalid("Only a lead can be merged into a user")
    same_email = source.email is not None and source.email == into.email
    same_phone = source.phone is not None and source.phone == into.phone
    if not (same_email or same_phone or body.skip_duplicate_validation):
        message = "Contacts can only be merged when they are duplicates (matching email or phone). "
        raise ErrorResponse(
            400, "invalid_merge", message + "Pass skip_duplicate_validation=true to override this check."
        )
    return _contact(workspace, workspace.merge(source.id, into.id, request.now), request)


def search_contacts(workspace: Workspace, request: Admitted) -> HttpResponse:
    """`POST /contacts/search`: "a new contact may stay invisible for minutes"."""
    body = decode(bodies.SEARCH, request.body)
    contact_search.check(body.query)
    visible = [
        contact
        for contact in workspace.contacts.all()
        if contact.state == "active"
        and contact.searchable_at <= request.now
        and contact.searches_until <= workspace.searches
    ]
    workspace.searches += 1
    page, total, after = contact_search.search(visible, body)
    per_page = body.pagination.per_page
    pages: dict[str, object] = {"type": "pages", "per_page": per_page, "total_pages": -(-total // per_page)}
    if after is not None:
        pages["next"] = {"per_page": per_page, "starting_after": str(after)}
    data = [contact_json(contact, workspace.settings.app_id, request.version) for contact in page]
    return json_answer({"type": "list", "data": data, "total_count": total, "pages": pages})


def list_attributes(workspace: Workspace, request: Admitted) -> HttpResponse:
    """`GET /data_attributes?model=contact&include_archived=true`."""
    query = dict(parse_qsl(request.query, keep_blank_values=True))
    model, include_archived = query.get("model"), query.get("include_archived", "false")
    if model not in {None, "contact", "company"} or include_archived not in {"true", "false"}:
        raise illegal("model is contact or company, include_archived true or false")
    return json_answer(workspace.attributes.list_json(model, include_archived=include_archived == "true"))


def create_attribute(workspace: Workspace, request: Admitted) -> HttpResponse:
    """`POST /data_attributes`: "creates one; every refusal is 400 `parameter_invalid`"."""
    return json_answer(workspace.attributes.create(decode(bodies.ATTRIBUTE, request.body)))


def track_event(workspace: Workspace, request: Admitted) -> HttpResponse:
    """`POST /events`: "HttpResponse 202, empty body. One event per call. Events never create contacts"."""
    body = decode(bodies.EVENT, request.body)
    events.check(body)
    contact = _addressed(workspace, body)
    try:
        workspace.events.track(body, contact, request.request_id, request.now)
    except ErrorResponse:
        if workspace.settings.event_names_refusal_empty:
            return HttpResponse(422)
        raise
    return HttpResponse(202)


def identify(workspace: Workspace, request: Admitted) -> HttpResponse:  # noqa: ARG001 - every endpoint takes the request
    """`GET /me`: `{type:"admin", id, email, app:{id_code, name, region, …}}`; "`app` may be null"."""
    settings = workspace.settings
    app = {
        "type": "app",
        "id_code": settings.app_id,
        "name": settings.workspace_name,
        "created_at": 1_700_000_000,
        "secure": False,
        "identity_verification": False,
        "timezone": "Etc/UTC",
        "region": settings.region.upper(),
    }
    admin = {"type": "admin", "id": "1", "email": "admin@sandbox.invalid", "name": "Sandbox", "email_verified": True}
    return json_answer(admin | {"app": app if settings.app_visible else None, "has_inbox_seat": True})


def _addressed(workspace: Workspace, body: bodies.EventBody) -> Contact:
    if not isinstance(body.email, str):
        try:
            if isinstance(body.id, str):
                # "events for leads need Intercom's `id`".
                return workspace.contacts.get(body.id)
            return workspace.contacts.find_user(str(body.user_id))
        except ErrorResponse:
            raise user_not_found() from None
    users = workspace.contacts.users_with_email(body.email)
    if not users:
        raise user_not_found()
    if len(users) > 1:
        message = "Multiple existing users match this email address - must be more specific using user_id"
        raise ErrorResponse(409, "conflict", message)
    return users[0]


def _contact(workspace: Workspace, contact: Contact, request: Admitted) -> HttpResponse:
    return json_answer(contact_json(contact, workspace.settings.app_id, request.version))


def _check_owner(body: ContactBody, version: Version) -> None:
    if body.owner_id is None or body.owner_id is UNSET:
        return
    if isinstance(body.owner_id, str) != (version >= OWNER_ID_TEXT_FROM):
        raise illegal("owner_id is an integer to 2.15 and a string from 2.16", field="owner_id")

"""Every reason and notice that the daemon gives: code, kind, cause and remedy.

`make reasons` writes the tables of daemon/docs/reasons.md from it; the labels of metrics derive from it.
"""

import re
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple


class ReasonKind(StrEnum):
    """Where a reason applies. The value is the heading of its column in the documentation."""

    VIOLATION = "What is wrong, and the limit"
    """In the result of a call: the envelope is rejected."""
    SKIP = "What it is"
    """In the result of a call: nothing in the envelope is for Intercom."""
    ADJUSTMENT = "What was done, and why"
    """In the result of a call and in the outcome: something was changed."""
    WAITING = "Why it waits"
    """In the trail: an accepted envelope has no outcome yet."""
    LEFT_OUT = "Why nothing was sent"
    """In an outcome SKIPPED."""
    DEAD_LETTER = "Why it was refused for good"
    """In an outcome DEAD_LETTERED, and with the dead letter."""
    SUSPENSION = "What Intercom responded"
    """In the status of a connection: its access is wrong."""
    OUTAGE = "What happened"
    """In the status of a connection: its calls fail whatever is sent."""
    UPSTREAM = "What the gateway answered"
    """At an agent: in an outcome, or in the status of a connection."""
    CALL = "Status, and why"
    """In the ErrorInfo of an operator's call."""
    NOTICE = "What was noticed"
    """In a log line about a connection."""


class Reason(NamedTuple):
    """One reason of one kind. The same code may have several kinds."""

    code: str
    """Stable; programs may compare it."""
    kind: ReasonKind
    cause: str
    """Markdown."""
    remedy: str
    """What to do, in one sentence; Markdown."""


REASONS: Final = (
    # VIOLATION
    Reason(
        "COMMERCE_EVENT_EMPTY",
        ReasonKind.VIOLATION,
        "A commerce event has no product, promotion or impression, and no field of the action is set.",
        "Name a product, promotion, impression or action, or send another event.",
    ),
    Reason(
        "EMPTY_ENVELOPE",
        ReasonKind.VIOLATION,
        "The envelope has no attribute, no removal and no event.",
        "Add an attribute, a removal or an event, or do not send the envelope.",
    ),
    Reason(
        "ENVELOPE_ID_TOO_LONG",
        ReasonKind.VIOLATION,
        "`envelope_id` has more than 128 bytes.",
        "Use an id of at most 128 bytes, such as a UUIDv7.",
    ),
    Reason(
        "ENVELOPE_TOO_LARGE",
        ReasonKind.VIOLATION,
        "The envelope has more than 128 KiB encoded, more than 100 products, promotions or lists of products, or more than 1 MiB of event metadata after expansion.",
        "Split the envelope: send fewer attributes in one, and several commerce events.",
    ),
    Reason(
        "EVENT_NAME_REQUIRED",
        ReasonKind.VIOLATION,
        "A custom event has no name, or one of white space.",
        "Name the event.",
    ),
    Reason(
        "EVENT_NAME_TOO_LONG",
        ReasonKind.VIOLATION,
        "An event name has more than 255 characters, or an `other_action`, which becomes part of one, more than 235.",
        "Shorten the name.",
    ),
    Reason(
        "IDENTITY_REQUIRED",
        ReasonKind.VIOLATION,
        "The identity has neither a customer id nor an email; white space does not count.",
        "Send a customer id or an email.",
    ),
    Reason(
        "IDENTITY_TOO_LONG",
        ReasonKind.VIOLATION,
        "The customer id has more than 255 characters, or the email more than 254.",
        "Send the user's real customer id or email.",
    ),
    Reason(
        "INVALID_AMOUNT",
        ReasonKind.VIOLATION,
        'An amount is not decimal text such as `19.99` or `-5`, or has more than 34 digits; or ISO 4217 does not list the currency. In an attribute only with `limits.on_excess = "reject"`.',
        "Send decimal text and an ISO 4217 currency code.",
    ),
    Reason(
        "INVALID_ATTRIBUTE_NAME",
        ReasonKind.VIOLATION,
        "The name is empty without white space and leading `$`.",
        "Name the attribute.",
    ),
    Reason(
        "INVALID_ATTRIBUTE_VALUE",
        ReasonKind.VIOLATION,
        'An attribute without a value, NaN, an infinite number, a link that is not absolute http or https, or a time outside the years 1 to 9999, and `limits.on_excess = "reject"`. With `"trim"` the attribute is dropped.',
        "Set a valid value, or leave the attribute out.",
    ),
    Reason(
        "INVALID_CUSTOMER_ID",
        ReasonKind.VIOLATION,
        "The customer id has control characters other than tab and line breaks, such as U+0000.",
        "Send the user's real customer id.",
    ),
    Reason(
        "INVALID_EMAIL",
        ReasonKind.VIOLATION,
        "The email is not local@domain, or has white space or invisible characters.",
        "Correct the email, or leave it out if there is a customer id.",
    ),
    Reason(
        "INVALID_TIME",
        ReasonKind.VIOLATION,
        "`event_time` is before 2000 or after 9999, or a session's duration is negative or above 315,576,000,000 s.",
        "Send seconds since 1970, or leave the time out.",
    ),
    Reason(
        "PLACEHOLDER_ID",
        ReasonKind.VIOLATION,
        "The customer id stands for a missing one, such as `null`, `undefined` or `[object Object]` (`placeholder_ids`).",
        "Send the user's real customer id, or only an email.",
    ),
    Reason(
        "TOO_MANY_ATTRIBUTES",
        ReasonKind.VIOLATION,
        'More of the sender\'s own attributes than `limits.user_attributes_max` or `limits.event_attributes_max`, and `limits.on_excess = "reject"`.',
        'Send fewer attributes, or set `limits.on_excess = "trim"`.',
    ),
    Reason(
        "UNKNOWN_CONNECTION",
        ReasonKind.VIOLATION,
        "The settings have no connection of that name; no name means `default`.",
        "Name a connection of the settings.",
    ),
    Reason(
        "UNSUPPORTED_FIELD",
        ReasonKind.VIOLATION,
        "A field that this release does not know, numbered below 100 in `Envelope` or `Identity`: leaving it out could change the meaning.",
        "Upgrade the daemon before its senders.",
    ),
    # SKIP
    Reason(
        "COMMERCE_FROM_WEB",
        ReasonKind.SKIP,
        "A commerce event with `SOURCE_WEB`: these are taken server-to-server.",
        "Set `commerce_from_web = true`.",
    ),
    Reason("CONNECTION_INACTIVE", ReasonKind.SKIP, "The connection is switched off.", "Set `active = true`."),
    Reason(
        "DEVELOPMENT_DATA",
        ReasonKind.SKIP,
        "`ENVIRONMENT_DEVELOPMENT`, and the connection has no `development_connection`.",
        "Set `development_connection`.",
    ),
    Reason(
        "EVENT_TYPE_OFF",
        ReasonKind.SKIP,
        "Commerce events or session ends are switched off.",
        "Set `commerce` or `session_end_name`.",
    ),
    Reason(
        "NOTHING_LEFT",
        ReasonKind.SKIP,
        "Every attribute was dropped, and there is no event.",
        "Correct what the adjustments name.",
    ),
    Reason(
        "NO_PRODUCTS",
        ReasonKind.SKIP,
        "A product action without products has nothing to expand; purchases and refunds have their total.",
        'Name a product, or set `commerce = "summary"`.',
    ),
    Reason(
        "UNSUPPORTED_EVENT_TYPE",
        ReasonKind.SKIP,
        "`other_event`: only custom events, commerce events and session ends reach Intercom.",
        "Send it as a custom event.",
    ),
    # ADJUSTMENT
    Reason(
        "ATTRIBUTE_DROPPED",
        ReasonKind.ADJUSTMENT,
        "The attribute was dropped: it is beyond the limit (`limits.*_attributes_max`; the first ones are kept), or beyond the first 500 of an envelope or 100 of an event or product, which alone are read; an earlier one has its name; its name identifies the user (`id`, `email`, `user_id`, `external_id`, `role`); it has no value; its value is NaN, infinite, an invalid link, amount, currency or time, a link of more than 255 characters, or of a type that Intercom's field cannot hold. *Delivery*: the attribute is missing, archived, not writable, of another type or refused in the workspace; the value is none of the options of a list, or Intercom refused this value (remembered for an hour: other values are sent); `attributes_created_max` is used up; Intercom refused the update and did not say which attribute; or a later envelope has sent a newer value than this replay.",
        "Do what the message says: send the most important attributes first, use `Identity` for who the user is, and create attributes in Intercom.",
    ),
    Reason(
        "ATTRIBUTE_RENAMED",
        ReasonKind.ADJUSTMENT,
        "Forbidden characters became `-`, leading `$` were removed, the name was cut at 190 characters, or a time in an event got the ending `_date`.",
        "Send the name as it reads now.",
    ),
    Reason(
        "EMAIL_TAKEN",
        ReasonKind.ADJUSTMENT,
        "*Delivery*: another contact has this email, so the contact was written without it.",
        "Merge the two contacts in Intercom, or send the right email.",
    ),
    Reason(
        "EVENT_NAME_CHANGED",
        ReasonKind.ADJUSTMENT,
        "Surrounding white space was removed; `.`, `$` and control characters became `-`.",
        "Send the name as it reads now.",
    ),
    Reason(
        "EVENT_SKIPPED",
        ReasonKind.ADJUSTMENT,
        "The event was skipped; the user attributes were accepted.",
        "See the named reason under [Skipped](#skipped).",
    ),
    Reason(
        "FIELD_IGNORED",
        ReasonKind.ADJUSTMENT,
        "A field was dropped: this release does not know the field or the enum number (at most 100 are listed), the `traceparent` is malformed, or a commerce event cannot carry it (`screen_name`, totals of an action that has none).",
        "Leave the field out, or upgrade the daemon.",
    ),
    Reason(
        "SAME_SECOND",
        ReasonKind.ADJUSTMENT,
        "All of the next 300 seconds, or all seconds until 60 s from now, have an event of this user and name. The event kept its time, and Intercom may merge it with another.",
        "Send events of one name with their real times.",
    ),
    Reason(
        "TIME_CLAMPED",
        ReasonKind.ADJUSTMENT,
        "`event_time` was more than 60 s in the future and became the time of acceptance.",
        "Correct the sender's clock.",
    ),
    Reason(
        "TIME_SHIFTED",
        ReasonKind.ADJUSTMENT,
        "The event moved to a second of its own, because Intercom merges two events of one user, name and second. It never moves more than 60 s into the future.",
        'Nothing is wrong; `same_second = "keep"` turns it off, except between the events of one commerce event.',
    ),
    Reason(
        "VALIDATED_LOCALLY",
        ReasonKind.ADJUSTMENT,
        "At an agent, `validate_only` while its gateway is away: only what the agent checks by itself was checked.",
        "Validate again once the gateway answers.",
    ),
    Reason(
        "VALUE_CONVERTED",
        ReasonKind.ADJUSTMENT,
        "Control characters, except tab and line breaks, were removed from a text; an amount was rounded to its currency's smallest unit or to a binary number; a value was converted to the type of the field. *Delivery*: converted, without loss, into the attribute's type in Intercom; or into whole Unix seconds for a date: ISO 8601 text (UTC if it has no offset), milliseconds (numbers from 10^11 on), microseconds (from 10^14), nanoseconds (from 10^17), fractions of a second cut.",
        "Send values in the type that the attribute has in Intercom.",
    ),
    Reason(
        "VALUE_TRUNCATED",
        ReasonKind.ADJUSTMENT,
        "A text was cut at 255 characters, or a list at 1,000 values or at 255 characters, commas included.",
        "Send a shorter value.",
    ),
    # WAITING
    Reason(
        "DOWN",
        ReasonKind.WAITING,
        "Intercom is unreachable or fails for all users of the connection. `next_attempt_time` is that of the next probe.",
        "None: calls resume when a probe succeeds; `intercomd retry` probes now.",
    ),
    Reason("INACTIVE", ReasonKind.WAITING, "The connection is switched off.", "Set `active = true`."),
    Reason(
        "IN_FLIGHT", ReasonKind.WAITING, "A call for its user is in flight, or its result is being committed.", "None."
    ),
    Reason("PAUSED", ReasonKind.WAITING, "An operator paused the connection.", "Resume it: `intercomd resume`."),
    Reason(
        "RATE_LIMITED",
        ReasonKind.WAITING,
        "It could be sent now, but the connection's budget of calls is used up.",
        "None: it leaves when Intercom's window allows; `rate.share` sets the daemon's part of the budget.",
    ),
    Reason(
        "RETRYING",
        ReasonKind.WAITING,
        "The last call for this user failed, while other users' calls may succeed. It is repeated at `next_attempt_time`; later envelopes of the user wait for it.",
        "Wait for the next attempt, or read `last_error`; `intercomd give-up` ends an envelope that cannot succeed.",
    ),
    Reason(
        "SUSPENDED",
        ReasonKind.WAITING,
        "The access of the connection is wrong.",
        "Correct what the reason of the suspension names; `intercomd retry` probes now.",
    ),
    Reason(
        "UNCONFIGURED",
        ReasonKind.WAITING,
        "The settings have no connection of that name any more.",
        "Add the connection to the settings again.",
    ),
    Reason(
        "VERIFYING",
        ReasonKind.WAITING,
        "The daemon checks whether the token belongs to the workspace, before any other call.",
        "None: it takes one call; if it lasts, `intercomd status` shows why.",
    ),
    Reason(
        "WAITING_TURN",
        ReasonKind.WAITING,
        "Earlier envelopes of the connection or of its user come first.",
        "None: `ahead` says how many were accepted before it.",
    ),
    # LEFT_OUT
    Reason(
        "ATTRIBUTES_LEFT_OUT",
        ReasonKind.LEFT_OUT,
        "Every attribute of the update was dropped; the adjustments give the reasons.",
        "Correct what the adjustments name.",
    ),
    Reason(
        "EMAIL_TAKEN",
        ReasonKind.LEFT_OUT,
        "The update had only an email that another contact has.",
        "Merge the two contacts in Intercom, or send the right email.",
    ),
    Reason(
        "DRY_RUN",
        ReasonKind.LEFT_OUT,
        "`dry_run = true`: the call was decided, and not made.",
        "Set `dry_run = false` to make the calls.",
    ),
    # DEAD_LETTER
    Reason(
        "ATTRIBUTE_REFUSED",
        ReasonKind.DEAD_LETTER,
        "Intercom's 400 names a custom attribute that the update does not have.",
        "Compare Intercom's response with the attributes of the workspace; then replay.",
    ),
    Reason(
        "CONTACT_ARCHIVED",
        ReasonKind.DEAD_LETTER,
        "The contact is archived, and `unarchive = false` or Intercom refused to unarchive it; remembered for 10 minutes, in which no call is made.",
        "Restore the contact in Intercom, or set `unarchive = true` unless Intercom's response says that it cannot be restored; then replay.",
    ),
    Reason(
        "CONTACT_BLOCKED",
        ReasonKind.DEAD_LETTER,
        "The person is blocked in Intercom; remembered for 10 minutes.",
        "Unblock the person in Intercom; then replay.",
    ),
    Reason(
        "CONTACT_DELETED",
        ReasonKind.DEAD_LETTER,
        "`unarchive = true`, and Intercom responded that the contact is marked for permanent deletion and not restorable; remembered for 10 minutes, in which no call is made.",
        "Replay when Intercom has deleted the contact, within 7 days, to create a new one; unarchiving cannot restore it.",
    ),
    Reason(
        "CONTACT_NOT_FOUND",
        ReasonKind.DEAD_LETTER,
        "404 for the fifth time on an event or a contact update, although the contact was found or created in between.",
        "Replay later: Intercom does not know the contact, though it was just written.",
    ),
    Reason(
        "DAMAGED",
        ReasonKind.DEAD_LETTER,
        "Not from Intercom: [the disk](operations.md#a-damaged-spool) damaged the record before it could be sent. The record cannot be read, so no dead letter is kept.",
        "Send the envelope again, and check the disk.",
    ),
    Reason(
        "EVENT_NAMES_EXHAUSTED",
        ReasonKind.DEAD_LETTER,
        "422: the workspace holds 120 active event names.",
        "Archive an event name in Intercom; then replay.",
    ),
    Reason(
        "EXPIRED",
        ReasonKind.DEAD_LETTER,
        "The event was older than `event_age_max` when its turn came; no call was made.",
        "Raise `event_age_max`; then replay.",
    ),
    Reason(
        "FORBIDDEN",
        ReasonKind.DEAD_LETTER,
        "403 three times in a row, while `GET /me` and other users' calls succeeded: a firewall may refuse this payload.",
        "Allow the call where Intercom's response says that it was refused; then replay.",
    ),
    Reason(
        "GIVEN_UP",
        ReasonKind.DEAD_LETTER,
        "An operator gave up the envelope while it waited; its remaining calls were not made.",
        "Replay to make these calls.",
    ),
    Reason(
        "IDENTITY_AMBIGUOUS",
        ReasonKind.DEAD_LETTER,
        "409 without a contact's id: several contacts have this email.",
        "Merge the contacts in Intercom, or send a customer id.",
    ),
    Reason(
        "IDENTITY_CONFLICT",
        ReasonKind.DEAD_LETTER,
        "409 on an update, even without the email.",
        "Merge the two contacts in Intercom; then replay.",
    ),
    Reason(
        "REQUEST_INVALID",
        ReasonKind.DEAD_LETTER,
        "Any other 4xx, including an empty 422 for too many event names.",
        "Correct what Intercom's response names; then send it again.",
    ),
    Reason("TOO_LARGE", ReasonKind.DEAD_LETTER, "413.", "Send less in one envelope."),
    # SUSPENSION
    Reason(
        "APP_ID_MISMATCH",
        ReasonKind.SUSPENSION,
        "The token belongs to another workspace than `app_id`.",
        "Correct the token or `app_id`, or set `verify_app_id = false`.",
    ),
    Reason(
        "FORBIDDEN",
        ReasonKind.SUSPENSION,
        "403 about the token, or 403 on calls of several users in a row.",
        "Give the token the scopes to read and write users and events; if the response was an HTML page, allow the calls at the proxy.",
    ),
    Reason(
        "NOT_INTERCOM",
        ReasonKind.SUSPENSION,
        "Another server responds (proxy, captive portal, firewall): 407, 421, 431, an HTML page, or an error that is not in Intercom's format.",
        "Correct `base_url`, or the proxy on the way: 407 demands credentials, 431 smaller headers.",
    ),
    Reason(
        "PLAN_RESTRICTED",
        ReasonKind.SUSPENSION,
        "402.",
        "Change the plan, which does not include the API, or use another workspace.",
    ),
    Reason(
        "REGION_MISMATCH",
        ReasonKind.SUSPENSION,
        "The workspace is in another region than `region`.",
        "Set the `region` that the message names.",
    ),
    Reason("UNAUTHORIZED", ReasonKind.SUSPENSION, "401.", "Put a valid token into `access_token_file`."),
    Reason(
        "VERSION_INVALID",
        ReasonKind.SUSPENSION,
        "Intercom does not know `api_version`.",
        "Set an `api_version` that Intercom supports, such as `2.16`.",
    ),
    # OUTAGE
    Reason(
        "ANSWER_UNREADABLE",
        ReasonKind.OUTAGE,
        "A success without the requested data or with errors in its body, or a 409 that cannot be read.",
        "None: calls resume when a probe succeeds.",
    ),
    Reason(
        "HTTP_<status>",
        ReasonKind.OUTAGE,
        "3xx, 408, 423, 425, 5xx, or a 2xx that Intercom does not document for the call.",
        "None: calls resume when a probe succeeds.",
    ),
    Reason(
        "NETWORK",
        ReasonKind.OUTAGE,
        "No connection within 5 s, no response within 30 s, a broken connection, or a response that is not valid HTTP.",
        "None: calls resume when a probe succeeds.",
    ),
    Reason(
        "RATE_LIMITED",
        ReasonKind.OUTAGE,
        "429: calls stop until the window ends, then resume at half the pace, which recovers.",
        "None: calls resume when a probe succeeds.",
    ),
    # UPSTREAM
    Reason(
        "DUPLICATE",
        ReasonKind.UPSTREAM,
        "The gateway had accepted the envelope before; the outcome is FORWARDED.",
        "None: the envelope is at the gateway once.",
    ),
    Reason(
        "UPSTREAM_CHANGED",
        ReasonKind.UPSTREAM,
        "Another spool answers at `upstream.target` than the one that the agent forwarded to before, which would break order and the recognition of duplicates. Nothing was sent to it.",
        "Point `upstream.target` at the spool of before, or confirm the new one with `intercomd retry CONNECTION`.",
    ),
    Reason(
        "UPSTREAM_FORBIDDEN",
        ReasonKind.UPSTREAM,
        "PERMISSION_DENIED: the agent's credential may not publish to this connection at the gateway.",
        "Add the connection to `connections` of the agent's caller in the gateway's settings.",
    ),
    Reason(
        "UPSTREAM_LOOP",
        ReasonKind.UPSTREAM,
        "`upstream.target` leads back to this agent, directly or through other agents, or a call passes more than 16 agents.",
        "Set `upstream.target` of the agents to a gateway that delivers, and leave it empty at the gateway.",
    ),
    Reason(
        "UPSTREAM_NOT_INTERCOMD",
        ReasonKind.UPSTREAM,
        "UNIMPLEMENTED: another server, or another listener than `ingest.listen`, answers at `upstream.target`.",
        "Set `upstream.target` to the ingest address of the gateway, by default port 50051.",
    ),
    Reason(
        "UPSTREAM_OUTDATED",
        ReasonKind.UPSTREAM,
        "The gateway does not name its spool: its release is older than 0.2.",
        "Upgrade the gateway before its agents.",
    ),
    Reason(
        "UPSTREAM_REFUSED",
        ReasonKind.UPSTREAM,
        "The gateway answers INVALID_ARGUMENT to a request that holds this envelope alone; it became a dead letter.",
        "Correct what the violation names, mostly a limit of the gateway's settings.",
    ),
    Reason(
        "UPSTREAM_UNAUTHENTICATED",
        ReasonKind.UPSTREAM,
        "UNAUTHENTICATED: the gateway does not accept the agent's token or certificate.",
        "Put a token of the gateway's settings into `upstream.token_file`, or set `upstream.tls.certificate_file`.",
    ),
    Reason(
        "UPSTREAM_UNKNOWN_CONNECTION",
        ReasonKind.UPSTREAM,
        "The gateway's settings have no connection of this name.",
        "Add the connection to the gateway's settings, or rename it in the agent's.",
    ),
    # CALL
    Reason(
        "CONNECTION_NOT_ALLOWED",
        ReasonKind.CALL,
        "PERMISSION_DENIED: the caller may not use the connection, whether it exists or not; nothing was accepted.",
        "Add the connection to `connections` of the caller in the settings, or name another one.",
    ),
    Reason(
        "CONNECTION_NOT_FOUND",
        ReasonKind.CALL,
        "NOT_FOUND: the settings have no connection of that name.",
        "Name a connection of the settings; `intercomd status` lists them.",
    ),
    Reason(
        "COUNT_MISMATCH",
        ReasonKind.CALL,
        "FAILED_PRECONDITION: the number of matching dead letters differs from the expected one; nothing was done.",
        "List the dead letters again, and repeat with the `total_count` of that list.",
    ),
    Reason(
        "CREDENTIALS_INVALID",
        ReasonKind.CALL,
        "UNAUTHENTICATED: the token or the names of the certificate do not belong to a caller of the settings.",
        "Send a valid token, or correct `token_sha256`, `token_file` or `certificate_names` of the caller.",
    ),
    Reason(
        "CREDENTIALS_MISSING",
        ReasonKind.CALL,
        "UNAUTHENTICATED: the call has no token, and no client certificate that names a caller.",
        "Send `authorization: Bearer` and the token of a caller; `intercomd token` makes one.",
    ),
    Reason(
        "ENVELOPE_NOT_WAITING",
        ReasonKind.CALL,
        "NOT_FOUND: no envelope of this id waits in the connection: it has its outcome, or was never accepted there.",
        "See what became of it: `intercomd explain`.",
    ),
    Reason(
        "FORWARDING_LOOP",
        ReasonKind.CALL,
        "FAILED_PRECONDITION, to an agent alone: the call has passed this agent before; nothing was accepted.",
        "Set `upstream.target` of the agents to a gateway that delivers.",
    ),
    Reason(
        "OPERATIONS_NOT_ALLOWED",
        ReasonKind.CALL,
        "PERMISSION_DENIED: the method needs a higher level of `operations` than the caller has.",
        "Raise `operations` of the caller in the settings; the message names the level.",
    ),
    Reason(
        "SPOOL_CHANGED",
        ReasonKind.CALL,
        "FAILED_PRECONDITION, to an agent alone: its forwarder expects another spool; nothing was accepted.",
        "Point `upstream.target` of the agent at the spool of before, or confirm the new one with `intercomd retry`.",
    ),
    Reason(
        "COMMIT_UNKNOWN",
        ReasonKind.CALL,
        "UNAVAILABLE without RetryInfo: the connection to the database broke, and it is not known whether the envelopes"
        " were accepted.",
        "Repeat the request with the same ids: what was accepted is a duplicate.",
    ),
    # NOTICE
    Reason(
        "upstream_confirmed",
        ReasonKind.NOTICE,
        "An operator confirmed with `intercomd retry` that an agent forwards to another spool from now on.",
        "None.",
    ),
    Reason(
        "user_retrying",
        ReasonKind.NOTICE,
        "The calls for the `envelope_id` of the user `lane` keep failing, while others succeed: after each 5 `failures` in a row, the last with `status` (0: no response).",
        "See why: `intercomd explain ENVELOPE_ID`; `intercomd give-up` ends an envelope that cannot succeed.",
    ),
    Reason(
        "access_unverified",
        ReasonKind.NOTICE,
        "`GET /me` names no workspace or may not be read; deliveries go on without the check of the App ID.",
        "None, if the App ID is right.",
    ),
    Reason(
        "attribute_created",
        ReasonKind.NOTICE,
        "The daemon created a custom attribute in the workspace.",
        'None; `missing_attributes = "drop"` turns it off.',
    ),
    Reason(
        "attribute_refused",
        ReasonKind.NOTICE,
        "Intercom refused to create a custom attribute; the daemon drops it for an hour.",
        "Create the attribute in Intercom.",
    ),
    Reason(
        "attributes_unreadable",
        ReasonKind.NOTICE,
        "The list of custom attributes may not or cannot be read; values are sent unconverted, and Intercom's responses show what is missing.",
        "Give the token the scope to read data attributes.",
    ),
    Reason(
        "call_not_made",
        ReasonKind.NOTICE,
        "`dry_run = true`: the `call` was decided, and not made. Calls that only read are made.",
        "Set `dry_run = false` to make the calls.",
    ),
    Reason(
        "rows_damaged",
        ReasonKind.NOTICE,
        "Rows of the spool did not match their checksum and were quarantined with their bytes; or this release cannot decode them, and they stay.",
        "Check the disk; quarantined envelopes have ended as `DAMAGED`.",
    ),
    Reason(
        "workspace_acquired",
        ReasonKind.NOTICE,
        "This daemon delivers the `workspace` from now on: it was free, or the previous daemon stopped or failed.",
        "None.",
    ),
    Reason(
        "workspace_lost",
        ReasonKind.NOTICE,
        "This daemon no longer delivers the workspace: its lease ended, or the session with the database did. Another"
        " daemon, or this one under a new lease, goes on.",
        "None if it is rare; otherwise see whether the database or this machine is too slow for `fleet.lease`.",
    ),
    Reason(
        "workspace_moved",
        ReasonKind.NOTICE,
        "This daemon handed the workspace over to another one, which asked for it after its own `GET /me` succeeded: for an"
        " even spread, because this one could not deliver for three leases, or because it lacks a connection of the"
        " workspace.",
        "None if it is rare; otherwise see why this daemon cannot deliver, and whether daemons come and go.",
    ),
    Reason(
        "workspace_changed",
        ReasonKind.NOTICE,
        "Since the last start or reload the connection has another `app_id`, `region` or `base_url`. What was cached of its contacts is deleted, and the `waiting` envelopes go to the new `workspace`.",
        "None if that was intended; otherwise correct the settings and reload.",
    ),
)

OTHER: Final = "other"
LABELS: Final = frozenset(
    reason.code
    for reason in REASONS
    if reason.kind
    in {
        ReasonKind.VIOLATION,
        ReasonKind.SKIP,
        ReasonKind.ADJUSTMENT,
        ReasonKind.LEFT_OUT,
        ReasonKind.DEAD_LETTER,
        ReasonKind.UPSTREAM,
    }
)
"""The codes that metrics tell apart: no sender and no answer of Intercom's can add a label's value."""
_REMEDIES = MappingProxyType({(reason.kind, reason.code): reason.remedy for reason in REASONS})
_HTTP = re.compile(r"HTTP_([1-5])\d\d")


def label_of(code: str) -> str:
    """The code as a label's value: itself if known, of a status its class (`HTTP_5xx`), else `other`; none is ""."""
    if not code or code in LABELS:
        return code
    matched = _HTTP.fullmatch(code)
    return f"HTTP_{matched[1]}xx" if matched else OTHER


def remedy_of(kind: ReasonKind, code: str) -> str:
    """What to do about a reason, as plain text; empty if the code is not a reason of that kind."""
    return _REMEDIES.get((kind, code), "").replace("`", "")

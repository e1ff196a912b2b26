"""The recorded answers that differ from Intercom's descriptions or from other reports: each can be switched off.

They were recorded with API 2.3 in 2021, in one workspace. Newer versions may differ: clients must be right with both.
"""

from enum import StrEnum

RESET_LATE_SECONDS = 2
""""`X-RateLimit-Reset` lies 2 s after the moment at which the count starts anew"."""


class Recorded(StrEnum):
    """A recorded answer. The comment gives the other one, which the sandbox plays where this is switched off."""

    SHARED_EMAIL = "shared-email"
    """`PUT` of an email that another user has, both with an external id: 200, both keep it. Otherwise 409."""
    ARCHIVED_UPDATE = "archived-update"
    """`PUT` on an archived user, and of the identity of one: 200. Otherwise 404, and 409."""
    DELETED_MARKED = "deleted-marked"
    """After a `DELETE`, a create of the same identity: 409 `An archived contact …`; `unarchive`: 400 `User has been
    marked for permanent deletion and is not restorable.`. Otherwise 200 and 404."""
    REMAINING_BEFORE = "remaining-before"
    """`X-RateLimit-Remaining` is the count before the call. Otherwise after it."""
    RESET_LATE = "reset-late"
    """`X-RateLimit-Reset` lies 2 s after the end of the window. Otherwise at its end."""
    USER_STAYS_USER = "user-stays-user"
    """`PUT role: lead` on a user: 400 `client_error`. Otherwise 200."""
    EXTERNAL_ID_STAYS = "external-id-stays"
    """`PUT external_id: null` on a user: 200, the id is kept. Otherwise cleared."""
    EMAIL_EMPTIED = "email-emptied"
    """`PUT email: null`: 200, stored as "". Otherwise as null."""
    LEAD_NULL = "lead-null"
    """null in a lead's custom attributes: 200, cleared. Otherwise 400."""


ALL = frozenset(Recorded)
NONE: frozenset[Recorded] = frozenset()

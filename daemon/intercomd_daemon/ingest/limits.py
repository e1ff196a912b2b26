"""The fixed limits of ingest, each with its unit and its source. `settings.py` has those that can be configured."""

KIB = 1024
MIB = 1024 * KIB

# Requests.
REQUEST_ID_BYTES_MAX = 128
"""Ours: room for any UUID or trace id with a prefix."""
RESPONSE_BYTES_MAX = MIB
"""Ours: a quarter of what a gRPC client receives by default, so that a response always arrives."""
PREVIEW_BYTES_MAX = 3 * MIB
"""Ours: the requests of a preview may be large; below the 4 MiB that a gRPC client receives by default."""
STREAM_MESSAGES_AHEAD = 32
"""Ours: messages of a stream read before their responses are written; enough to fill a commit."""
STREAM_BYTES_AHEAD = 4 * MIB
"""Ours: one request of the largest size."""
STREAMS_MAX = 1_024
"""Ours: streams open at once, two for each sender that may be connected; an idle one costs some kilobytes."""
OPEN_REQUESTS_BYTES_MAX = 64 * MIB
"""Ours: unary requests in progress: 16 of the largest. The spool's queue, half as large, is full first, unless most
envelopes are rejected."""

# Envelopes.
ENVELOPE_ID_BYTES_MAX = 128
"""Ours: room for any UUID or trace id with a prefix; it is an index key on disk."""
ENVELOPE_BYTES_MAX = 128 * KIB
"""Encoded; the platform's inbound limits: "batch 128 KB"."""
FORWARDED_BYTES_MAX = 512
"""What an agent may add to an envelope of the largest size: an id of 133 bytes, a traceparent of 55, the time."""
AGENT_ID_BYTES_MAX = 64
"""Ours: the agent's id is the UUID of its spool; room for another form."""
EXPANDED_BYTES_MAX = MIB
"""Ours: the JSON of all events of one envelope; the spool stores them as one row."""
REQUEST_EXPANDED_BYTES_MAX = 32 * MIB
"""Ours: the JSON of all events of one request; as much as may wait for a commit."""
FINDINGS_MAX = 250
"""Ours: violations, and adjustments, listed for one envelope; further adjustments are counted."""
PRODUCTS_MAX = 100
"""Products, or promotions, of one commerce event; ours: each becomes a call, and 100 are six seconds of a workspace's
budget at 167 calls per 10 seconds."""

# Identity, event and attributes.
CUSTOMER_ID_CHARACTERS_MAX = 255
"""Code points; as for every text (I19, I28)."""
EMAIL_CHARACTERS_MAX = 254
"""RFC 5321, 4.5.3.1.3: a path has 256 octets, two of them its angle brackets."""
EVENT_NAME_CHARACTERS_MAX = 255
"""Code points; as for every text."""
USER_ATTRIBUTES_READ_MAX = 500
"""Ours: attributes, and removals, of an envelope that are decoded. A workspace has at most 250 custom attributes. The
others are dropped undecoded, so that an envelope of the largest size costs no more than others."""
EVENT_ATTRIBUTES_READ_MAX = 100
"""Ours: of one event, and of one product; Intercom tracks the first 10 (I27)."""
UNKNOWN_FIELDS_LISTED_MAX = 100
"""Ours: unknown fields that are reported one by one; the first hundred are enough to find the cause."""
ATTRIBUTE_NAME_CHARACTERS_MAX = 190
"""Intercom: "a name has at most 190 characters" (I18)."""
VALUE_CHARACTERS_MAX = 255
"""Code points; Intercom: "at most 255 characters", of attributes (I19) and of metadata (I28)."""
LIST_VALUES_MAX = 1000
"""The platform's inbound limits: "lists 1,000"."""
AMOUNT_DIGITS_MAX = 34
"""IEEE 754 decimal128 holds 34 digits; no currency needs more."""
CLOCK_SKEW_SECONDS = 60
"""Ours: far more than the clocks of synchronised machines differ."""
OLDEST_TIME = 946_684_800
"""2000-01-01T00:00:00Z; ours: an earlier time is a mistake, mostly 0 or a wrong unit."""

# Timestamps of events.
SHIFT_SECONDS_MAX = 300
"""Ours: the largest shift of an event. A larger one would be worse than an event that Intercom merges."""
CLAIMED_SECONDS_MAX = 65_536
"""Ours: the newest claims are kept, more than an hour of a workspace's budget at 16.7 calls a second."""

"""The inbound half: from a gRPC request to the spool.

To read in this order: `service.py` (and `stream.py`) receives requests, which `decode.py` decodes; `accept.py` accepts
them; `decide.py` decides each envelope by `validate.py`, `contact_update.py` and, for each kind of event, `metadata.py`
(custom), `commerce.py` and `session_end.py`; `timestamp_allocator.py` allocates the seconds of events; `responses.py`
builds the response. `attributes.py`, `names.py`, `values.py` and `amounts.py` normalize what the senders give.
"""

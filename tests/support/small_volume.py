"""A spool on a volume of its own, in a namespace of its own: `small_volume.py FOLDER VOLUME_BYTES FREE_BYTES_MIN`.

It fills the spool until that refuses, dies with the write-ahead log as it is, opens it again, ends everything that
was accepted, every other envelope as a dead letter, and prints what it saw as JSON.
"""

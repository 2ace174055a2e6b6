"""The SQL of the log, written once: functions over an open transaction, which never commit.

What differs between databases is in one small file each (``sqlite.py``). Storage moves envelopes
and never sees a message.
"""

"""The SQL of the log, written once: functions over an open transaction, which never commit.

Each database's differences are in one small file (``sqlite.py``). Storage moves envelopes and never
sees a message.
"""

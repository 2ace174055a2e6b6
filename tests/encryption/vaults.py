"""Key stores and master keys for tests."""

from eventstore.encryption import DatabaseKeys, Encryption, LocalMasterKey, SqliteKeys

MASTER = LocalMasterKey(bytes(range(32)))


def in_a_file(place, **options):
    """Return encryption whose data keys are in a file of their own."""
    return Encryption(MASTER, SqliteKeys(place / "keys.db"), **options)


def in_the_database(**options):
    """Return encryption whose data keys are in the database itself."""
    return Encryption(MASTER, DatabaseKeys(), **options)

"""Encryption at rest: content is sealed with a data key for each subject.

``ConversationStore.open(url, encryption=Encryption(master_key, keys))`` seals what is written from
then on. A master key wraps the data keys; a key store keeps them, best outside the database and its
backups. Erasing a subject destroys its keys. It needs the extra ``encryption``.
"""

from eventstore.encryption.data_keys import DataKeyStore, WrappedKey
from eventstore.encryption.master_keys import LocalMasterKey, MasterKey, new_master_key
from eventstore.encryption.options import DatabaseKeys, Encryption
from eventstore.encryption.sqlite_keys import SqliteKeys

__all__ = [
    "DataKeyStore",
    "DatabaseKeys",
    "Encryption",
    "LocalMasterKey",
    "MasterKey",
    "SqliteKeys",
    "WrappedKey",
    "new_master_key",
]

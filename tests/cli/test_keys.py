"""The commands for keys, and the options that every command takes to open a sealed store."""

import pytest

from eventstore import ConversationStore
from eventstore.encryption import Encryption, LocalMasterKey, SqliteKeys
from tests.cli.test_looking import objects


@pytest.fixture
def sealed(run, tmp_path):
    """A sealed store, its key store, and the file of its master key."""
    (tmp_path / "master.key").write_text(run("keys", "generate").stdout)
    master = LocalMasterKey.from_file(tmp_path / "master.key")
    encryption = Encryption(master, SqliteKeys(tmp_path / "keys.db"))
    with ConversationStore.open(f"sqlite:///{tmp_path}/chat.db", encryption=encryption) as store:
        store.threads.create(title="Results")
    return tmp_path


@pytest.fixture
def options(sealed):
    where = ("--keys", str(sealed / "keys.db"), "--master-key", str(sealed / "master.key"))
    return ("--db", str(sealed / "chat.db"), *where)


def test_every_command_opens_a_sealed_store_with_its_keys(run, sealed, options):
    assert "Results" in run("threads", *options).stdout
    named = {
        "EVENTSTORE_KEYS": str(sealed / "keys.db"),
        "EVENTSTORE_MASTER_KEY": (sealed / "master.key").read_text(),
    }
    assert "Results" in run("threads", "--db", str(sealed / "chat.db"), **named).stdout
    verified = run("verify", "--db", str(sealed / "chat.db"))  # which needs no key
    assert verified.exit_code == 0


def test_without_keys_it_says_what_is_missing(run, sealed, options):
    result = run("threads", "--db", str(sealed / "chat.db"))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "it is sealed" in result.stderr
    for left in (options[:4], (*options[:2], *options[4:])):
        result = run("threads", *left)
        assert result.exit_code == 1
        assert "is missing" in result.stderr


def test_a_master_key_is_rotated(run, sealed, options):
    [before] = objects(run("keys", "status", *options, "--json"))
    former = (sealed / "master.key").read_text()
    (sealed / "master.key").write_text(run("keys", "generate").stdout)
    result = run("keys", "rotate", *options)
    assert result.exit_code == 1
    assert before["master_key"] in result.stderr
    given = {"EVENTSTORE_FORMER_MASTER_KEY": former}
    [made] = objects(run("keys", "rotate", *options, "--reason", "yearly", "--json", **given))
    assert (made["keys"], made["former_master_keys"]) == (2, [before["master_key"]])
    assert "Results" in run("threads", *options).stdout
    told = run("keys", "status", *options).stdout
    assert f"{made['master_key']}  3 data keys  wraps new ones" in told


def test_a_key_store_that_is_gone_is_told(run, sealed, options):
    (sealed / "keys.db").unlink()
    result = run("keys", "status", *options)
    assert result.exit_code == 1
    assert "the key store is gone" in result.stderr


def test_a_plain_store_has_no_keys(run, tmp_path):
    ConversationStore.open(f"sqlite:///{tmp_path}/chat.db").close()
    result = run("keys", "status", "--db", str(tmp_path / "chat.db"))
    assert result.exit_code == 1
    assert "without encryption" in result.stderr

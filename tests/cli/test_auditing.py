"""``eventstore audit``: keys, tree heads and evidence."""

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from eventstore import ConversationStore
from tests.cli.test_verifying import tampered


@pytest.fixture
def key(run, tmp_path):
    """A private key in a file, and its public key."""
    file = tmp_path / "signing.pem"
    done = run("audit", "keygen", str(file))
    assert done.exit_code == 0
    return str(file), done.stdout.strip()


def test_a_key_is_made_for_its_owner_alone_and_never_over_another(run, key):
    file, public = key
    assert len(bytes.fromhex(public)) == 32
    assert "PRIVATE KEY" in Path(file).read_text(encoding="ascii")
    assert stat.S_IMODE(Path(file).stat().st_mode) == 0o600
    again = run("audit", "keygen", file)
    assert again.exit_code == 2
    assert "File exists" in again.stderr


def test_a_head_is_signed_kept_and_verified_against(run, talk, key, tmp_path):
    file, public = key
    head = tmp_path / "head.json"
    assert run("audit", "sign", "--db", talk.url, "--key", file, "--out", str(head)).exit_code == 0
    printed = run("audit", "sign", "--db", talk.url, "--key", file)
    assert printed.stdout == head.read_text(encoding="utf-8")
    against = ["--tree-head", str(head), "--public-key", public]
    assert run("verify", "--db", talk.url, *against).exit_code == 0
    assert json.loads(printed.stdout)["root"] in run("audit", "heads", "--db", talk.url).stdout
    with ConversationStore.open(talk.url) as store:
        store.privacy.purge(talk.thread)
    assert run("verify", "--db", talk.url, *against).exit_code == 0
    tampered(talk, "DELETE FROM tree_leaves")
    done = run("verify", "--db", talk.url, *against)
    assert done.exit_code == 1
    assert "cut_off" in done.stdout
    wrong = run("verify", "--db", talk.url, "--tree-head", str(head), "--public-key", "00" * 32)
    assert wrong.exit_code == 1
    assert "tree head names another key" in wrong.stderr
    for option in ("--tree-head", "--public-key"):
        assert run("verify", "--db", talk.url, option, "/nowhere").exit_code in {1, 2}


def test_evidence_is_exported_and_verified_by_the_program_that_is_printed(run, talk, key, tmp_path):
    file, public = key
    evidence, program = tmp_path / "evidence.json", tmp_path / "verify_evidence.py"
    out = ["--out", str(evidence)]
    done = run("audit", "export", talk.thread[:20], "--db", talk.url, "--key", file, *out)
    assert done.exit_code == 0
    program.write_text(run("audit", "verifier").stdout, encoding="utf-8")
    alone = [sys.executable, "-I", "-S", program, evidence, "--public-key", public]
    told = subprocess.run(alone, check=True, capture_output=True, text=True).stdout
    assert told == f"{talk.thread}: 6 events and 2 messages hold\n"
    whole = run("audit", "export", talk.thread, "--db", talk.url, "--key", file).stdout
    assert json.loads(whole)["thread_id"] == talk.thread


def test_keys_and_files_that_are_none(run, talk, tmp_path):
    none = tmp_path / "none.pem"
    missing = run("audit", "sign", "--db", talk.url, "--key", str(none))
    assert missing.exit_code == 2
    none.write_text("no key", encoding="ascii")
    wrong = run("audit", "sign", "--db", talk.url, "--key", str(none))
    assert wrong.exit_code == 1
    assert "no private key" in wrong.stderr
    assert "InvalidInput" in wrong.stderr

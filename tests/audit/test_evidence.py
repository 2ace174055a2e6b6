"""Evidence of a thread: a file that proves itself, to a Python that does not have the library."""

import base64
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from eventstore import ConversationStore, InvalidInput, ThreadNotFound
from eventstore.audit import evidence_verifier
from eventstore.audit.signing import new_private_key, signer_of
from tests.audit.world import fill
from tests.conftest import LONG
from tests.storage.lives import environment

KEY = new_private_key()
PUBLIC = signer_of(KEY).public_key
SOURCE = Path(evidence_verifier.__file__).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def store():
    with ConversationStore.open("sqlite://", environment=environment()) as opened:
        fill(opened, 40 if LONG else 10)
        yield opened


def check_transcripts(store):
    """Export each thread of a store, verify it, and compare its transcript with the messages."""
    seen = 0
    for thread in store.threads.list(limit=100):
        evidence = evidence_verifier.verify(store.audit.export(thread.id, KEY), PUBLIC)
        told = evidence["transcript"]
        page = store.messages.list(thread.id, limit=None)
        assert [one["id"] for one in told] == [message.id for message in page]
        for one, message in zip(told, page, strict=True):
            assert one["role"] == message.role
            assert one["erased"] == message.erased
            assert one["status"] == message.status
            texts = [part for part in one["parts"] if isinstance(part, str)]
            assert "".join(texts) == message.text
            assert (one["name"], one["metadata"]) == (message.name, message.metadata)
        seen += len(told)
    return seen


def test_the_transcript_is_the_active_path(store):
    assert check_transcripts(store) > 20


def test_the_program_runs_where_the_library_is_not(store, tmp_path):
    thread = store.threads.list(limit=1)[0].id
    file, program = tmp_path / "evidence.json", tmp_path / "verify.py"
    file.write_bytes(store.audit.export(thread, KEY))
    program.write_text(SOURCE, encoding="utf-8")

    def run(key):
        alone = [sys.executable, "-I", "-S", str(program), str(file), "--public-key", key]
        return subprocess.run(alone, check=False, capture_output=True, text=True, cwd=tmp_path)

    done = run(PUBLIC.hex())
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{thread}: ")
    (tmp_path / "key.txt").write_text(f"{PUBLIC.hex()}\n", encoding="ascii")
    assert run("key.txt").returncode == 0
    for key in (signer_of(new_private_key()).public_key.hex(), "00" * 32, "nowhere", ""):
        done = run(key)
        assert done.returncode == 1
        assert done.stderr.startswith("REJECTED: ")
    file.write_bytes(file.read_bytes()[:-100])
    assert run(PUBLIC.hex()).returncode == 1


def test_the_program_imports_the_standard_library_alone():
    imported = {
        line.split()[1].partition(".")[0]
        for line in SOURCE.splitlines()
        if line.startswith(("import ", "from "))
    }
    assert imported <= sys.stdlib_module_names


CHANGES = 1_000 if LONG else 150


def test_any_change_is_rejected(store):
    check_changes(store)


def check_changes(store):
    """Change bytes of files, and values of them written as evidence is written."""
    chosen = random.Random(3)
    threads = store.threads.list(limit=100).data
    files = [store.audit.export(thread.id, KEY) for thread in threads]
    files.sort(key=len)
    for n in range(CHANGES):
        raw = files[n % min(len(files), 4)]
        changed = changed_bytes(raw, chosen) if n % 2 else changed_value(raw, chosen)
        if changed == raw:
            continue
        with pytest.raises(evidence_verifier.Rejected):
            evidence_verifier.verify(changed, PUBLIC)


def test_an_equal_value_of_another_type_is_rejected(store):
    """In Python false equals 0 and 1 equals 1.0; they are not the same evidence."""
    raw = min((store.audit.export(one.id, KEY) for one in store.threads.list()), key=len)
    places = len([*every_place(json.loads(raw))])
    tried = 0
    for n in range(places):
        evidence = json.loads(raw)
        holder, key = [*every_place(evidence)][n]
        if type(holder[key]) in {bool, int}:
            tried += 1
            holder[key] = int(holder[key]) if isinstance(holder[key], bool) else float(holder[key])
            with pytest.raises(evidence_verifier.Rejected):
                evidence_verifier.verify(evidence_verifier.as_bytes(evidence), PUBLIC)
    assert tried > 5


def test_nothing_is_not_the_same_as_no_bytes(store):
    raw = max((store.audit.export(one.id, KEY) for one in store.threads.list()), key=len)
    evidence = json.loads(raw)
    tried = 0
    for event in [one for stream in evidence["streams"] for one in stream["events"]]:
        for name in ("commitment", "content", "salt", "metadata"):
            if event[name] is None:
                event[name], tried = "", tried + 1
                with pytest.raises(evidence_verifier.Rejected):
                    evidence_verifier.verify(evidence_verifier.as_bytes(evidence), PUBLIC)
                event[name] = None
    assert tried > 5


def changed_bytes(raw, chosen):
    at = chosen.randrange(len(raw))
    how = chosen.randrange(4)
    if how == 0:
        return raw[:at] + raw[at + 1 :]
    if how == 1:
        return raw[:at] + raw[at : at + 1] + raw[at:]
    if how == 2:
        return raw[:at]
    return raw[:at] + bytes([raw[at] ^ 1 << chosen.randrange(8)]) + raw[at + 1 :]


def changed_value(raw, chosen):
    evidence = json.loads(raw)
    places = [*every_place(evidence)]
    holder, key = chosen.choice(places)
    value = holder[key]
    how = chosen.randrange(3)
    if how == 0 and isinstance(holder, list):
        del holder[key]
    elif isinstance(value, bool):
        holder[key] = not value
    elif isinstance(value, int):
        holder[key] = value + chosen.choice((1, -1))
    elif isinstance(value, str) and how == 1 and len(value) > 1:
        holder[key] = value[:-2] + value[-1] + value[-2]
    elif isinstance(value, str):
        holder[key] = value + "0"
    elif isinstance(value, list) and len(value) > 1:
        value.reverse()
    else:
        holder[key] = None if value is not None else ""
    return evidence_verifier.as_bytes(evidence)


def every_place(value):
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(items):
        yield value, key
        if isinstance(inner, (dict, list)):
            yield from every_place(inner)


def test_erased_content_stays_erased():
    with ConversationStore.open("sqlite://") as store:
        thread = store.threads.create().id
        said = store.messages.create(thread, role="user", content="sesame").id
        store.messages.create(thread, role="assistant", content="It opens.")
        fork = store.threads.fork(thread).id
        assert b"sesame" in words(store.audit.export(thread, KEY))
        store.privacy.erase(thread, said)
        for one in (thread, fork):
            evidence = store.audit.export(one, KEY)
            assert b"sesame" not in words(evidence)
            told = evidence_verifier.verify(evidence, PUBLIC)["transcript"]
            assert [message["erased"] for message in told] == [True, False]


def test_of_its_source_a_fork_shows_only_what_it_sees():
    with ConversationStore.open("sqlite://") as store:
        thread = store.threads.create(title="secret title").id
        seen = store.messages.create(thread, role="user", content="seen").id
        other = store.messages.create(thread, role="assistant", content="unseen").id
        store.branches.label(thread, other, "unseen label")
        store.branches.select(thread, seen)
        fork = store.threads.fork(thread, at_message=seen).id
        store.messages.create(thread, role="user", content="unseen too")
        evidence = store.audit.export(fork, KEY)
        assert b"unseen" not in words(evidence)
        assert b"secret" not in words(evidence)
        assert [m["parts"] for m in evidence_verifier.verify(evidence, PUBLIC)["transcript"]] == [
            ["seen"]
        ]


def words(raw):
    """Everything in the file, also what stands there as base64."""
    contents = [
        base64.b64decode(event[name] or "")
        for stream in json.loads(raw)["streams"]
        for event in stream["events"]
        for name in ("data", "content", "metadata")
    ]
    return b"|".join([raw, *contents])


def test_large_contents_and_tenants(store):
    with ConversationStore.open("sqlite://") as other:
        acme = other.tenant("acme")
        thread = acme.threads.create().id
        acme.messages.create(thread, role="user", content="long " * 20_000)
        evidence = evidence_verifier.verify(acme.audit.export(thread, KEY), PUBLIC)
        assert evidence["tenant"] == "acme"
        assert evidence["transcript"][0]["parts"] == ["long " * 20_000]
        for bound in (other, store):
            with pytest.raises(ThreadNotFound):
                bound.audit.export(thread, KEY)
        with pytest.raises(InvalidInput):
            acme.audit.export(thread, "no key")

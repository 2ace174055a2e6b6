"""Commands that look: threads, show, tree, log, replay."""

import json
import re
import sqlite3
import sys

import pytest

from eventstore import ConversationStore, NewEvent
from eventstore.api.faces.sync import Messages

READING = [
    ["threads"],
    ["show", "0"],
    ["tree", "0"],
    ["log"],
    ["log", "0"],
    ["replay", "0"],
    ["check"],
    ["check", "--rebuild"],
    ["projections"],
    ["projections", "--free", "search"],
]
CLEAR_SCREEN = "\x1b[2J"
TURNS = sys.getrecursionlimit() + 200


def lines(result):
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def objects(result):
    return [json.loads(line) for line in lines(result)]


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_reading_makes_no_database(run, tmp_path, command):
    result = run(*command, "--db", f"sqlite:///{tmp_path / 'none.db'}")
    assert result.exit_code == 1
    assert "there is no database" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_reading_leaves_no_tables_in_somebody_elses_file(run, tmp_path, command):
    (tmp_path / "empty.db").touch()
    result = run(*command, "--db", f"sqlite:///{tmp_path / 'empty.db'}")
    assert result.exit_code == 1
    assert "holds no conversation store" in result.stderr


def test_a_path_does_for_a_url_and_the_environment_for_an_option(run, talk):
    path = talk.url.removeprefix("sqlite:///")
    by_option = lines(run("threads", "--db", path))
    assert lines(run("threads", EVENTSTORE_DB=talk.url)) == by_option


def test_threads_are_listed_newest_first_with_what_they_are_about(run, talk):
    with ConversationStore.open(talk.url) as store:
        untitled = store.threads.create().id
        store.messages.create(untitled, role="user", content="Words of\nsomebody")
        store.threads.create()
    heading, third, second, first = lines(run("threads", "--db", talk.url))
    assert heading.split() == ["thread", "about", "events", "last", "changed"]
    assert "(empty)" in third
    assert "Words of somebody" in second
    assert "The sky" in first


def test_more_threads_than_asked_for_are_mentioned(run, talk):
    with ConversationStore.open(talk.url) as store:
        newer = store.threads.create().id
    result = run("threads", "--limit", "1", "--json", "--db", talk.url)
    assert [thread["id"] for thread in objects(result)] == [newer]
    assert "--limit" in run("threads", "--limit", "1", "--db", talk.url).stderr


def test_the_listed_beginning_of_an_id_finds_its_thread(run, talk):
    with ConversationStore.open(talk.url) as store:
        for _ in range(40):
            store.threads.create()
    listed = [line.split()[0] for line in lines(run("threads", "--db", talk.url))[1:]]
    assert len(set(listed)) == 1 + 40
    for beginning in listed[::4]:
        lines(run("tree", beginning, "--db", talk.url))


@pytest.mark.parametrize("length", [16, 25, 32])
def test_a_thread_is_found_by_the_beginning_of_its_id(run, talk, length):
    digits = talk.thread.removeprefix("thread_")[:length]
    for typed in (digits, f"thread_{digits}", digits.upper()):
        assert (
            objects(run("tree", typed, "--json", "--db", talk.url))[0]["thread_id"] == talk.thread
        )


@pytest.mark.parametrize("typed", ["zz", "thread_", "0" * 33, "msg_01", "ffff"])
def test_a_thread_that_is_not_there_is_said_to_be_not_there(run, talk, typed):
    with ConversationStore.open(talk.url) as store:
        store.threads.create()
    result = run("show", typed, "--db", talk.url)
    assert result.exit_code == 1
    assert "no thread" in result.stderr or "several threads" in result.stderr
    assert "tenant" not in result.stderr


def test_a_label_that_is_not_there_is_to_be_checked(run, talk):
    result = run("show", talk.thread, "--branch", "none such", "--db", talk.url)
    assert result.exit_code == 1
    assert "Check the label." in result.stderr


def test_a_beginning_that_several_share_is_answered_with_longer_ones(run, talk):
    with ConversationStore.open(talk.url) as store:
        store.threads.create(thread_id="thread_" + "ab" * 16)
        store.threads.create(thread_id="thread_" + "ab" * 15 + "ac")
    result = run("show", "ab", "--db", talk.url)
    assert result.exit_code == 1
    assert "ab" * 16 in result.stderr.replace("\n", "")
    assert lines(run("tree", "ab" * 15 + "ac", "--db", talk.url))


def test_the_tree_is_drawn_with_path_head_labels_and_counts(run, talk):
    assert lines(run("tree", talk.thread, "--db", talk.url))[3:] == [
        "● user  Why is the sky blue?",
        f'├─◉ assistant  It is the sea.{"":28}1 of 2 · "wrong" · head',
        f"└─○ assistant  Air scatters blue.{'':41}2 of 2",
    ]


def test_the_tree_is_drawn_with_what_the_encoding_has(program, talk):
    with ConversationStore.open(talk.url) as store:
        store.messages.create(talk.thread, role="user", content="Warum ist er blau ☁?")
    shown = program("tree", talk.thread, "--db", talk.url, encoding="ascii")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.splitlines()[3:][0] == "* user  Why is the sky blue?"
    assert "`-o assistant" in shown.stdout
    assert "blau ??" in shown.stdout


def test_roots_hang_from_nothing_and_branches_hang_from_where_they_begin(run, talk):
    with ConversationStore.open(talk.url) as store:
        edited = store.messages.edit(talk.thread, talk.question, content="And at night?")
        store.messages.create(talk.thread, role="assistant", content="Stars.")
        store.messages.create(
            talk.thread, role="user", content="Which?", parent_id=talk.air, select=False
        )
    drawn = [line[:14] for line in lines(run("tree", talk.thread, "--db", talk.url))[3:]]
    assert drawn == [
        "├─○ user  Why ",
        "│ ├─○ assistan",
        "│ └─○ assistan",
        "│   ○ user  Wh",
        "└─● user  And ",
        "  ◉ assistant ",
    ]
    assert edited.id in run("tree", talk.thread, "--ids", "--db", talk.url).stdout


def test_a_long_conversation_is_drawn_without_indentation(run, database):
    with ConversationStore.open(database) as store:
        thread = store.threads.create().id
        turns = [{"role": "user", "content": f"turn {number}"} for number in range(TURNS)]
        store.messages.create_many(thread, turns)
    drawn = lines(run("tree", thread, "--db", database))
    assert drawn[-1].startswith(f"◉ user  turn {TURNS - 1}")


def test_a_deep_nest_of_branches_stays_within_the_window(run, database):
    with ConversationStore.open(database) as store:
        thread = store.threads.create().id
        above = None
        for number in range(60):
            siblings = [
                store.messages.create(
                    thread, role="user", content=f"turn {number}", parent_id=above
                )
                for _ in range(2)
            ]
            above = siblings[-1].id
    drawn = lines(run("tree", thread, "--db", database))
    assert max(map(len, drawn)) <= 80
    assert "turn 59" in drawn[-1]


def test_show_prints_the_active_path_or_another_whole(run, talk):
    shown = run("show", talk.thread, "--db", talk.url).stdout
    assert "Why is the sky blue?" in shown
    assert "It is the sea." in shown
    assert "Air" not in shown
    other = run("show", talk.thread, "--branch", talk.air, "--last", "1", "--db", talk.url).stdout
    assert "Air scatters blue." in other
    assert "Why" not in other
    found = objects(run("show", talk.thread, "--branch", "wrong", "--json", "--db", talk.url))
    assert [message["id"] for message in found] == [talk.question, talk.sea]


def test_an_image_and_a_file_are_named_and_not_printed(run, talk):
    image = {"type": "image", "url": f"data:image/png;base64,{'A' * 20_000}"}
    named = {"type": "file", "file_id": "data:text/csv;base64,QQ==", "name": "a.csv"}
    unnamed = {"type": "file", "file_id": "data:,A"}
    stored = {"type": "image", "file_id": "file_1"}
    with ConversationStore.open(talk.url) as store:
        parts = [image, named, unnamed, stored]
        store.messages.create(talk.thread, role="user", content=parts)
    shown = lines(run("show", talk.thread, "--db", talk.url))
    for line in (
        "[image image/png, 15 kB]",
        "[file a.csv]",
        "[file text/plain, 1 kB]",
        "[image file_1]",
    ):
        assert f"  {line}" in shown


@pytest.mark.parametrize("columns", [80, 60, 40])
def test_a_moment_is_not_broken_where_a_line_ends(run, talk, columns):
    with ConversationStore.open(talk.url) as store:
        store.messages.create_many(talk.thread, [{"role": "user", "content": "x"}] * 100)
    for command in ("show", "tree", "replay"):
        shown = lines(run(command, talk.thread, "--db", talk.url, columns=columns))
        until_empty = shown[1 : shown.index("")]
        assert " · ".join(until_empty).startswith(f"{talk.thread} · ")
        assert re.fullmatch(r"(.* · )?\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", until_empty[-1])
        assert max(map(len, until_empty)) <= columns


WAITING = "waiting until the run ends"


@pytest.fixture
def busy(talk):
    """The talk with a run that has begun, and a question that waits for its end."""
    with ConversationStore.open(talk.url) as store:
        run = store.runs.create(talk.thread).id
        store.runs.start(talk.thread, run)
        store.messages.create(talk.thread, role="user", content="And at night?", name="Ann")
    return run


@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize("command", ["show", "replay"])
def test_what_waits_for_a_run_is_shown_apart_after_the_path(run, talk, command):
    before, after = run(command, talk.thread, "--db", talk.url).stdout.split(f"\n\n{WAITING}\n\n")
    assert before.endswith("  It is the sea.")
    head, said, *_ = after.splitlines()
    assert head.startswith("user Ann")
    assert head.endswith("queued")
    assert said == "  And at night?"


@pytest.mark.usefixtures("busy")
def test_what_waits_is_in_the_end_of_a_path_and_in_json(run, talk):
    end = run("show", talk.thread, "--last", "1", "--db", talk.url).stdout
    assert "Why is the sky blue?" not in end
    assert "And at night?" in end
    found = objects(run("show", talk.thread, "--json", "--db", talk.url))
    assert [one["status"] for one in found] == ["completed", "completed", "queued"]


@pytest.mark.usefixtures("busy")
def test_what_waits_is_on_no_branch(run, talk):
    for end in ([], ["--json"]):
        other = run("show", talk.thread, "--branch", talk.air, "--db", talk.url, *end).stdout
        assert "Air scatters blue." in other
        assert "And at night?" not in other


def test_what_joins_the_path_meanwhile_is_shown_once(run, talk, busy, monkeypatch):
    ask = Messages.queued

    def queued(messages, thread_id):
        found = ask(messages, thread_id)
        with ConversationStore.open(talk.url) as store:
            store.runs.complete(thread_id, busy)
        return found

    monkeypatch.setattr(Messages, "queued", queued)
    shown = run("show", talk.thread, "--db", talk.url).stdout
    assert shown.count("And at night?") == 1
    assert WAITING not in shown


def test_text_cannot_steer_the_terminal_or_be_taken_for_markup(run, talk):
    text = f"[bold]{CLEAR_SCREEN}\u202e:smile:"
    with ConversationStore.open(talk.url) as store:
        store.messages.create(talk.thread, role="user", content=text)
        store.threads.update(talk.thread, title=text)
    for command in (["threads"], ["log"], *([c, talk.thread] for c in ("show", "tree", "replay"))):
        shown = run(*command, "--db", talk.url).stdout
        assert "[bold]" in shown
        assert ":smile:" in shown
        assert "\x1b" not in shown
        assert "\u202e" not in shown


def test_the_log_names_each_event_in_order(run, talk):
    day, *events = lines(run("log", talk.thread, "--db", talk.url))
    assert day.endswith("(UTC)")
    assert [line.split()[2] for line in events] == [
        "ThreadCreated",
        "MessageAdded",
        "MessageAdded",
        "MessageRegenerated",
        "BranchLabelled",
        "BranchSelected",
    ]
    assert events[1].endswith("user: Why is the sky blue?")


def test_what_the_log_prints_can_be_pasted_into_the_next_command(run, talk):
    with ConversationStore.open(talk.url) as store:
        store.acting(actor="u_42").messages.create(talk.thread, role="user", content="And red?")
        store.threads.fork(talk.thread)
    of_all = lines(run("log", "--db", talk.url, columns=120))[1:]
    threads = {line.split()[0] for line in of_all}
    for thread in threads:
        assert run("show", thread, "--db", talk.url).exit_code == 0
    [forked] = [line.split() for line in of_all if "ThreadForked" in line]
    source, message = forked[forked.index("from") + 1], forked[forked.index("at") + 1].rstrip(",")
    assert lines(run("log", source, "--db", talk.url)) == lines(
        run("log", talk.thread, "--db", talk.url)
    )
    told = run("show", source, "--branch", message, "--db", talk.url).stdout
    assert "And red?" in told
    [said] = [line for line in of_all if "by u_42" in line]
    assert f"by u_42  {message} user: And red?" in said


def test_the_log_shows_erasures_of_people_and_events_of_applications(run, talk):
    with ConversationStore.open(talk.url) as store:
        store.messages.create(talk.thread, role="user", content="I am Ann.", subject="ann")
        store.privacy.erase(subject="ann")
        store.privacy.erase(talk.thread)
        own = [NewEvent(type="RunQueued", data={"n": 1}), NewEvent(type="MessageAdded", data={})]
        store.events.append(f"app_{'0' * 32}", own, expected_version="any")
    shown = [line.split(None, 4)[3:] for line in lines(run("log", "--db", talk.url, columns=120))]
    assert ["ContentErased", "a person: content of version 7"] in shown
    assert ["ContentErased", "everything: content of version 1, 2, 3, 4, 5"] in shown
    assert ["RunQueued", "n=1"] in shown
    assert ["MessageAdded"] in shown


def test_flags_are_shown_without_a_type(run):
    for command in ("", "threads", "replay", "erase", "check"):
        told = run(*command.split(), "--help").stdout
        assert "bool" not in told
        assert "--help" in told


def test_the_log_goes_on_after_a_version_or_a_position(run, talk):
    whole = objects(run("log", "--json", "--db", talk.url))
    place = whole[3]["position"]
    rest = objects(run("log", "--after", place, "--limit", "1", "--json", "--db", talk.url))
    assert rest == whole[4:5]
    of_thread = objects(run("log", talk.thread, "--after", "4", "--json", "--db", talk.url))
    assert of_thread == whole[4:]


def test_replay_shows_the_thread_as_it_was(run, talk):
    at_three = run("replay", talk.thread, "--at-version", "3", "--db", talk.url).stdout
    assert "as of version 3" in at_three
    assert "It is the sea." in at_three
    at_four = run("replay", talk.thread, "--at-version", "4", "--json", "--db", talk.url)
    assert [message["id"] for message in objects(at_four)[0]["messages"]] == [
        talk.question,
        talk.air,
    ]


def test_replay_takes_a_time_from_the_log(run, talk):
    event = objects(run("log", talk.thread, "--json", "--db", talk.url))[2]
    for time in (event["recorded_at"], event["recorded_at"].rstrip("Z").replace("T", " ")):
        found = objects(run("replay", talk.thread, "--at-time", time, "--json", "--db", talk.url))
        assert found[0]["version"] == 3


def test_replay_before_there_was_a_thread_says_so(run, talk):
    result = run("replay", talk.thread, "--at-time", "1999-12-31", "--db", talk.url)
    assert result.exit_code == 1
    assert f"{talk.thread} did not exist yet: it began at " in result.stderr.replace("\n", "")


def test_replay_by_steps_shows_how_the_path_turns(run, talk):
    steps = lines(run("replay", talk.thread, "--steps", "--db", talk.url))[1:]
    paths = [line[6:19].strip() for line in steps]
    assert paths == ["-", "1", "1 2", "1 3", "1 3", "1 2"]
    found = objects(run("replay", talk.thread, "--steps", "--json", "--db", talk.url))
    heads = [step["after"]["head_id"] for step in found]
    assert heads == [None, talk.question, talk.sea, talk.air, talk.air, talk.sea]


@pytest.mark.parametrize(
    "wrong",
    [
        ["replay", "0", "--steps", "--at-version", "2"],
        ["replay", "0", "--at-version", "0"],
        ["replay", "0", "--at-time", "then"],
        ["log", "0", "--after", "x"],
        ["threads", "--limit", "0"],
        ["show"],
        ["dance"],
        ["threads", "--loud"],
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_two(run, talk, wrong):
    result = run(*wrong, EVENTSTORE_DB=talk.url)
    assert result.exit_code == 2, result.output
    assert "Usage: eventstore" in result.stderr


@pytest.mark.parametrize(
    "refused",
    [
        ["show", "THREAD", "--branch", "unknown"],
        ["replay", "THREAD", "--at-version", "99"],
        ["log", "--after", "x"],
        ["threads", "--db", "postgresql://localhost/x"],
        ["threads", "--db", "nonsense://"],
        ["threads", "--db", "sqlite://"],
        ["threads", "--db", ""],
    ],
    ids=" ".join,
)
def test_what_the_library_refuses_ends_with_one_and_a_line(run, talk, refused):
    arguments = [talk.thread if word == "THREAD" else word for word in refused]
    result = run(*arguments, EVENTSTORE_DB=talk.url)
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) <= 2
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("refused", "said"),
    [
        (["purge", "THREAD", "--yes"], "or give --forks purge to purge them"),
        (["erase", "THREAD", "QUESTION", "--yes", "--actor", ""], "--actor: has 0 characters"),
        (["show", "THREAD", "--branch", ""], "--branch: has 0 characters"),
        (["replay", "THREAD", "--at-version", "99"], "it is at version 6. Give 1 to 6."),
        (["log", "--after", "x"], "--after: a text of 1 character is not a position"),
        (["log", "--limit", "9" * 30], "--limit: an integer of many digits is not allowed"),
        (["threads", "--db", "nonsense://"], "--db: nonsense is not supported"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, list) else "",
)
def test_what_is_refused_is_named_as_it_was_typed(run, talk, refused, said):
    with ConversationStore.open(talk.url) as store:
        store.threads.fork(talk.thread)
    whole = {"THREAD": talk.thread, "QUESTION": talk.question}
    result = run(*[whole.get(word, word) for word in refused], EVENTSTORE_DB=talk.url)
    assert result.exit_code == 1, result.output
    assert said in result.stderr


def test_what_has_no_option_is_said_to_be_pythons(run, tmp_path):
    taken = tmp_path / "taken.db"
    with sqlite3.connect(taken) as connection:
        connection.execute("CREATE TABLE events (id)")
    connection.close()
    result = run("demo", "--db", f"sqlite:///{taken}")
    assert result.exit_code == 1
    assert "Give prefix=" in result.stderr
    assert "this command has no option" in result.stderr


def test_beside_who_said_it_the_time_is_quiet(terminal, talk):
    shown = terminal("show", talk.thread, EVENTSTORE_DB=talk.url)
    assert "\x1b[1;36muser\x1b[0m\x1b[2;39m  2" in shown, "neither bold nor in the role's colour"


STEERING = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def test_json_escapes_what_could_steer_a_terminal_and_reads_the_same(run, talk):
    words = "a\x7fb\x85c\x9bd\u202ee\u2066f\u2069g\x1b[31m \u00e9"
    with ConversationStore.open(talk.url) as store:
        store.messages.create(talk.thread, role="user", content=words)
    for command in ("show", "tree", "log", "replay"):
        told = run(command, talk.thread, "--json", "--db", talk.url)
        assert told.exit_code == 0
        assert not re.search(
            r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", told.stdout
        )
        lines = [json.loads(line) for line in told.stdout.splitlines()]
        assert words in text_of(lines)


def text_of(value):
    if isinstance(value, dict):
        return "".join(map(text_of, value.values()))
    return "".join(map(text_of, value)) if isinstance(value, list) else str(value)

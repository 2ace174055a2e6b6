"""Files in the messages of a run: which are placed, and under which names."""

import base64

import pytest

from eventstore.engine.tools.code_interpreter.inputs import files_in

HELD = f"data:text/csv;base64,{base64.b64encode(b'a').decode()}"


def placed(store, *parts):
    """The files of a run whose user sent these."""
    thread = store.threads.create(messages=[{"role": "user", "content": list(parts)}])
    run = store.runs.create(thread.id, model="m")
    store.runs.start(thread.id, run.id)
    return files_in(store.runs.context(thread.id, run.id))


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("sales.csv", "sales.csv"),
        ("Käufe 2024.csv", "Käufe 2024.csv"),
        ("../../etc/passwd", "passwd"),
        ("..", "file"),
        (".bashrc", "bashrc"),
        ("a/..", "file"),
        ("a\nb.csv", "a_b.csv"),
        ("a" * 300 + ".csv", "a" * 196 + ".csv"),
        ("数" * 300 + ".csv", "数" * 65 + ".csv"),
    ],
)
def test_a_file_is_placed_under_a_plain_name(store, name, plain):
    assert placed(store, {"type": "file", "file_id": HELD, "name": name}) == {plain: b"a"}


@pytest.mark.parametrize(
    ("address", "content"),
    [
        (HELD, b"a"),
        ("data:text/csv;charset=utf-8;base64,YQ==", b"a"),
        ("data:,a%20b", b"a b"),
        ("data:;base64,é", None),
        ("data:;base64,Y", None),
        ("https://example.com/a.csv", None),
        ("file_1", None),
    ],
)
def test_only_files_that_hold_their_bytes_are_placed(store, address, content):
    files = placed(store, "Look.", {"type": "file", "file_id": address, "name": "a"})
    assert files == ({} if content is None else {"a": content})


def test_an_image_is_placed_and_the_newest_of_a_name_counts(store):
    image = {"type": "image", "url": "data:image/png;base64,YQ=="}
    one, two = ({"type": "file", "file_id": f"data:,{n}", "name": "n"} for n in (1, 2))
    files = placed(store, image, one, two)
    assert files.pop("n") == b"2"
    assert list(files.values()) == [b"a"]

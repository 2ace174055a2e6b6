"""``store.threads.export``: every message once, every word as it was written, nothing else."""

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from eventstore import (
    ConversationStore,
    InvalidInput,
    MomentNotFound,
    ThreadNotFound,
    ThreadState,
)
from eventstore.core.steering import without_steering
from eventstore.exporters.outline import outline
from eventstore.testing.environments import jumping_environment
from tests.laws.examples import of_a_law, of_a_law_of_lives
from tests.laws.lives import live
from tests.storage.lives import environment, full_life

HOSTILE = [
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "![x](http://evil.example/p.png) [a](javascript:alert(1)) <http://evil.example>",
    "# heading\n## heading\nsetext\n===\nsetext\n---\n***\n___",
    "> quote\n\n- item\n+ item\n* item\n1. one\n2) two\n\n    code\n\tcode",
    "```\nfence\n~~~\n`code` ``co`de`` **bold** _em_ ~~gone~~",
    "| a | b |\n|---|---|\n| 1 | 2 |\n[ref]: http://evil.example\n[^1]: note\n$x$ &amp; &lt;",
    "back\\slash\\\nend\\\n\\",
    "</article></div><style>*{display:none}</style>\" ' \x1b[2J \u202etxt",
    "  two  blanks  \n\n\n three lines\r\nwindows",
    "*a* _b_ **",
    "setext\n===",
]
ONLY = {"h1", "p", "strong", "em", "blockquote", "br"}
PIECES = st.sampled_from([*"\\`*_[]()<>&~|$!#{}@:=^\"'+-.1 \n\ta", "&lt;", "](", "\u202e", "ä"])


@pytest.fixture
def store():
    with ConversationStore.open("sqlite://", environment=environment()) as opened:
        yield opened


class Read(HTMLParser):
    """The text of a page without its head, and the elements that it consists of."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.text, self.tags, self.links = [], set(), []
        self.headings = 0
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.headings += tag == "h1"
        self.links += [value for name, value in attrs if name in {"href", "src"}]
        assert not [name for name, _ in attrs if name.startswith("on") or name == "style"]
        if tag == "br":
            self.text.append("\n")
        if tag not in {"br", "hr", "meta"}:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def words(text):
    """A text without the blanks at which a renderer may break lines."""
    return without_steering(text).expandtabs(4).replace("\xa0", " ").split()


def as_read(markdown):
    return Read(MarkdownIt("gfm-like", {"linkify": False, "html": True}).render(markdown))


def export(store, text, form):
    thread = store.threads.create(title=text.replace("\n", " ").strip() or "t").id
    store.messages.create(thread, role="user", content=text)
    return store.threads.export(thread, format=form)


def assert_shown(page, text):
    told = words("".join(page.text))
    wanted = words(text)
    assert any(told[n : n + len(wanted)] == wanted for n in range(len(told))), (wanted, told)


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_shows_hostile_words_as_they_were_written(store, text):
    page = as_read(export(store, text, "markdown"))
    assert page.tags <= ONLY
    assert page.headings == 1
    assert page.links == []
    assert_shown(page, text)


@pytest.mark.parametrize("text", HOSTILE)
def test_html_shows_hostile_words_as_they_were_written(store, text):
    made = export(store, text, "html")
    assert "default-src 'none'" in made
    page = Read(made)
    assert not page.tags & {"script", "img", "iframe", "link", "object", "a"}
    assert_shown(page, text)


def test_markdown_keeps_the_lines_of_a_message(store):
    page = as_read(export(store, "one\ntwo\n\nthree", "markdown"))
    assert "one\n\ntwo" in "".join(page.text)
    assert page.tags == ONLY - {"em"}


@of_a_law
@given(st.lists(PIECES, min_size=1, max_size=30).map("".join))
def test_no_words_mean_anything_to_a_renderer(text):
    if not text.strip():
        return
    with ConversationStore.open("sqlite://") as store:
        page = as_read(export(store, text, "markdown"))
        assert page.tags <= ONLY
        assert page.headings == 1
        assert_shown(page, text)


@of_a_law_of_lives
@given(seed=st.integers(0, 10_000))
def test_every_visible_message_stands_in_an_export_once(seed):
    with ConversationStore.open("sqlite://", environment=jumping_environment(seed)) as store:
        for thread in live(store, seed, writes=60):
            state = store.replay.state(thread).value()
            layout = outline(state)
            stretches = [layout.path, *layout.branches]
            shown = [entry for stretch in stretches for entry in stretch.entries]
            ids = [entry.node.message.id for entry in shown]
            assert sorted(ids) == sorted(node.message.id for node in state.tree.nodes)
            assert len({entry.number for entry in shown}) == len(shown)
            assert [e.node.message for e in layout.path.entries] == [*state.messages]
            by_number = {entry.number: entry.node.message for entry in shown}
            for branch in layout.branches:
                first = branch.entries[0].node.message
                above = by_number[branch.after].id if branch.after else None
                assert first.parent_id == above
                if branch.beside:
                    assert by_number[branch.beside].parent_id == above


def test_branches_are_named_where_they_leave(store):
    thread = store.threads.create(title="Sky").id
    said = store.messages.create
    question = said(thread, role="user", content="Why?").id
    first = said(thread, role="assistant", content="The sea.").id
    second = store.messages.regenerate(thread, first, content="Rayleigh.").id
    said(thread, role="user", content="Sure?")
    store.branches.label(thread, second, "physics")
    store.messages.edit(thread, question, content="How?")
    inner = said(thread, role="assistant", content="So.").id
    store.messages.regenerate(thread, inner, content="Thus.")
    store.branches.select(thread, second)
    page = store.threads.export(thread)
    heads = [line for line in page.splitlines() if line.startswith(("**", "## ", "*"))]
    when = [line.split(" · ")[0] for line in heads]
    assert when == [
        *("**1. user**", "*Instead of 1: [branch A](#branch-a).*"),
        *("**2. assistant**", "*Instead of 2: [branch B](#branch-b).*", "**3. user**"),
        *("## Branch A", "*Leaves at the beginning, in place of 1.*", "**A1. user**"),
        *("**A2. assistant**", "*Instead of A2: [branch C](#branch-c).*"),
        *("## Branch B", "*Leaves after 1, in place of 2.*", "**B2. assistant**"),
        *("## Branch C", "*Leaves after A1, in place of A2.*", "**C2. assistant**"),
    ]
    assert "“physics”" in page
    html = store.threads.export(thread, format="html")
    links = Read(html).links
    assert {"#branch-a", "#branch-b", "#branch-c", "#m1", "#m2", "#mA1", "#mA2"} == {*links}
    assert all(f'id="{link[1:]}"' in html for link in links)


def test_every_kind_of_part_and_every_state_of_a_message_is_told(store):
    full_life(store)
    for thread in store.threads.list(limit=1_000):
        state = store.replay.state(thread.id).value()
        for form in ("markdown", "html"):
            page = store.threads.export(thread.id, format=form)
            read = as_read(page) if form == "markdown" else Read(page)
            for node in state.tree.nodes:
                assert_shown(read, node.message.text or "·")
        assert (
            ThreadState.model_validate_json(store.threads.export(thread.id, format="json")) == state
        )


def test_the_past_can_be_exported_and_erased_words_are_gone(store):
    thread = store.threads.create().id
    said = store.messages.create(thread, role="user", content="SECRET").id
    store.messages.create(thread, role="assistant", content="Later.")
    assert "SECRET" in store.threads.export(thread, at_version=2)
    assert "Later" not in store.threads.export(thread, at_version=2)
    store.privacy.erase(thread, said)
    for form in ("markdown", "html", "json"):
        assert "SECRET" not in store.threads.export(thread, format=form, at_version=2)
    assert "(erased)" in store.threads.export(thread)
    store.messages.remove(thread, said)
    assert "*No messages.*" in store.threads.export(thread)


def test_what_cannot_be_exported_is_refused(store):
    thread = store.threads.create().id
    with pytest.raises(InvalidInput, match=r"format: .* Use one of: html, json, markdown"):
        store.threads.export(thread, format="pdf")
    with pytest.raises(MomentNotFound):
        store.threads.export(thread, at_version=2)
    with pytest.raises(ThreadNotFound):
        store.threads.export("thread_" + "0" * 32)

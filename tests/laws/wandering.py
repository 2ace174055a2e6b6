"""The machine's rules, walked at random from a seed: wider than Hypothesis walks, as repeatable.

Hypothesis spends its examples on variations of what it has seen, which is how it finds the shortest
failure. This spends them on what has not been seen. A walk that fails is shortened by leaving out
steps as long as it fails at the same place, and told as calls of the machine's rules.
"""

import random
import traceback

from eventstore import ProviderForm
from eventstore.testing.machine import GUARDS, ConversationMachine
from eventstore.testing.oracle import Words
from eventstore.testing.strategies import CALLS, NAMES, ON_BUSY

START = "open"
FORMS = (None, ProviderForm(format="openai.chat", data=b"{}\xff"))


def pick(dice):
    return dice.randrange(256)


def mostly(dice):
    return dice.random() < 0.75


def either(dice):
    return dice.random() < 0.5


def one_of(*options):
    return lambda dice: dice.choice(options)


def said(kinds):
    def choose(dice):
        kind, text = dice.choice(kinds), dice.choice(["x", "y", "\0", "שלום"])
        if kind == "call":
            calls = tuple(dice.sample(CALLS, dice.choice([1, 1, 2])))
            return Words(text, calls, provider=dice.choice(FORMS))
        if kind == "answer":
            return Words(text, answer=dice.choice(CALLS))
        return Words(text, metadata=dice.choice([(), (("mood", "calm"),)]), name=dice.choice(NAMES))

    return choose


PLAIN = said(["plain"])
ANYTHING = said(["plain", "plain", "plain", "call", "answer"])
BOTH = ["call_a", "call_b"]
TAKEN_ALONG = [("edits",), ("run",), ("edits", "run")]
"""With an erasure."""

RULES = {
    "create": {
        "at": pick,
        "pick": pick,
        "said": ANYTHING,
        "parent": one_of("head", "head", "head", "message", "message", "root"),
        "select": mostly,
        "on_busy": one_of(*ON_BUSY),
        "guard": one_of(None, None, None, None, None, *GUARDS),
        "keyed": either,
    },
    "edit_or_regenerate": {
        "at": pick,
        "pick": pick,
        "said": PLAIN,
        "answer": mostly,
        "select": mostly,
        "alone": mostly,
        "keyed": either,
    },
    "change": {
        "at": pick,
        "pick": pick,
        "what": one_of("amend", "amend", "update", "label", "unlabel"),
        "said": ANYTHING,
        "keyed": either,
    },
    "remove_or_restore": {"at": pick, "pick": pick, "back": either, "keyed": either},
    "create_many": {
        "at": pick,
        "said": lambda dice: [PLAIN(dice) for _ in range(dice.randint(1, 3))],
        "sound": mostly,
        "guarded": either,
        "keyed": either,
    },
    "batch": {"at": pick, "pick": pick, "said": PLAIN, "keyed": either},
    "select": {"at": pick, "pick": pick, "by_name": mostly, "keyed": either},
    "there_and_back": {"at": pick, "one": pick, "two": pick},
    "fork": {"at": pick, "pick": pick, "where": one_of("head", "message", "past")},
    "live": {"at": pick, "what": one_of("update", "archive", "delete"), "back": mostly},
    "create_run": {
        "at": pick,
        "pick": pick,
        "plain": mostly,
        "on_busy": one_of(*ON_BUSY),
        "start": mostly,
        "keyed": either,
    },
    "advance_run": {
        "at": pick,
        "pick": pick,
        "way": pick,
        "sense": mostly,
        "said": said(["plain", "plain", "call"]),
        "calls": one_of([], [], BOTH[:1], BOTH[1:], BOTH, BOTH[:1] * 2),
        "keyed": either,
    },
    "erase": {
        "at": pick,
        "pick": pick,
        "include": one_of((), (), *TAKEN_ALONG),
    },
    "erase_under_forks": {
        "at": pick,
        "pick": pick,
        "deeper": either,
        "include": one_of((), *TAKEN_ALONG),
    },
    "purge": {"at": pick, "along": mostly},
    "use_a_key_again": {"pick": pick, "same": mostly},
    "rebuild": {"at": pick},
    "find": {},
}
OFTEN = [*RULES, "create", "create", "remove_or_restore", *["advance_run", "find"] * 4]
"""What is said has to be searched before it is erased, or nobody sees that it is forgotten."""


def walk(seed, steps, machine=ConversationMachine):
    """Walk; return None, or how the shortest walk fails that fails in the same way."""
    dice = random.Random(seed)
    path = [(START, {"seed": seed})]
    for _ in range(steps):
        name = dice.choice(OFTEN)
        path.append((name, {key: draw(dice) for key, draw in RULES[name].items()}))
    failure = failure_of(path, machine)
    if failure is None:
        return None
    path = shortened(path, failure, machine)
    told = [f"machine.{name}({_arguments(given)})" for name, given in path]
    return "\n".join([f"seed {seed}: {failure_of(path, machine)}", *told])


def _arguments(given):
    return ", ".join(f"{key}={value!r}" for key, value in given.items())


def failure_of(path, machine):
    """Return where and why a walk fails."""
    state = machine()
    try:
        for name, given in path:
            if name == START or _makes_sense(state, name):
                getattr(state, name)(**given)
        state.teardown()
    except Exception as error:  # noqa: BLE001 (whatever it is, it is a finding)
        state.exits.close()
        last = traceback.extract_tb(error.__traceback__)[-1]
        why = (str(error).splitlines() or [""])[0]
        return f"{type(error).__name__}: {why} ({last.filename}, line {last.lineno})"
    return None


def _makes_sense(state, name):
    """Say of a rule what its precondition says."""
    return {
        "advance_run": any(thread.runs for thread in state.threads),
        "use_a_key_again": bool(state.both.done),
        "fork": len(state.threads) < state.threads_max,
        "erase_under_forks": len(state.threads) < state.threads_max,
        "purge": len(state.threads) > 1,
    }.get(name, True)


def shortened(path, failure, machine):
    """Leave out what the failure does not need: larger pieces first, then single steps."""
    place = failure.rpartition(" (")[2]
    size = len(path) // 2
    while size:
        start = 1
        while start < len(path):
            shorter = path[:start] + path[start + size :]
            found = failure_of(shorter, machine)
            if found is not None and found.endswith(place):
                path = shorter
            else:
                start += size
        size //= 2
    return path

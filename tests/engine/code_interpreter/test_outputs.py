"""A kernel may send anything: outputs are gathered within limits, or not at all."""

import base64

from hypothesis import given, settings
from hypothesis import strategies as st

from eventstore.engine.tools.code_interpreter import CodeLimits
from eventstore.engine.tools.code_interpreter.outputs import Outputs
from tests.conftest import LONG

LIMITS = CodeLimits(output_bytes_max=50, artifacts_max=2, artifacts_bytes_max=40)
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(8)).decode()
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=80)
WORDS = st.sampled_from(["stdout", "error", PNG, PNG[:-3] + "é"])
ANYTHING = st.recursive(
    PLAIN | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)
KINDS = ["stream", "display_data", "execute_result", "error", "execute_reply", "status", "x"]
NAMES = ["name", "text", "data", "ename", "evalue", "traceback", "status"]
TYPES = st.dictionaries(st.sampled_from(["image/png", "image/jpeg", "text/plain"]), ANYTHING)
MESSAGES = st.tuples(
    st.sampled_from(KINDS),
    st.dictionaries(st.sampled_from(NAMES), ANYTHING | WORDS | TYPES),
)


@settings(max_examples=1000 if LONG else 40)
@given(st.lists(MESSAGES, max_size=6))
def test_whatever_a_kernel_sends_is_kept_within_limits(messages):
    outputs = Outputs(LIMITS)
    for kind, content in messages:
        outputs.add(kind, content)
    kept = [outputs.text(name) for name in ("stdout", "stderr", "result")]
    if outputs.error is not None:
        kept += [outputs.error.name, outputs.error.message, outputs.error.traceback]
    marks = sum(text.count("\n… (cut off)") for text in kept)
    assert sum(len(text.encode()) for text in kept) <= 50 + marks * len("\n… (cut off)".encode())
    assert len(outputs.artifacts) <= 2
    assert sum(len(each.content) for each in outputs.artifacts) <= 40

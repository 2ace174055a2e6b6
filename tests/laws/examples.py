"""How many examples a law is tried on; with ``LAWS=long`` many more, new ones each time."""

import os

from hypothesis import HealthCheck, settings

LONG = os.environ.get("LAWS") == "long"

of_a_law = settings(
    max_examples=1_000 if LONG else 15,
    stateful_step_count=60 if LONG else 25,
    suppress_health_check=list(HealthCheck),
)

of_a_law_of_lives = settings(of_a_law, max_examples=200 if LONG else 5)
"""A law of which every example is a whole life, all of it read several times."""

IN_ROW_BYTES_MAX = 14
"""Where the laws are tried, content that is longer stands apart: about half of what is said."""

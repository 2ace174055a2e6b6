"""How the laws are run: the same examples each time; with ``LAWS=long`` many more, new ones."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "laws",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=15,
    stateful_step_count=25,
    suppress_health_check=list(HealthCheck),
)
settings.register_profile(
    "laws-long",
    settings.get_profile("laws"),
    derandomize=False,
    max_examples=1_000,
    stateful_step_count=60,
    print_blob=True,
)
settings.load_profile("laws-long" if os.environ.get("LAWS") == "long" else "laws")

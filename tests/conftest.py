"""How Hypothesis is run everywhere: the same examples each time, and new ones with ``LAWS=long``.

Loaded before any test module is imported, because ``@given`` takes the settings that stand then. A
folder that wants others says so on its tests, and leaves these alone.
"""

import os

from hypothesis import settings

settings.register_profile(
    "tests",
    deadline=None,
    derandomize=os.environ.get("LAWS") != "long",
    database=None,
    print_blob=True,
)
settings.load_profile("tests")

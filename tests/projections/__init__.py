import pytest

pytest.register_assert_rewrite("tests.projections.following", "tests.projections.shipped")

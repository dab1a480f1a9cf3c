"""What all tests with a hostile server share."""

from __future__ import annotations

import pytest

# their assertions are told with the values, as those of tests are
pytest.register_assert_rewrite("tests.hostile.behaviour", "tests.hostile.service")

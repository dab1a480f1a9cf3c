"""What all tests with a hostile server share."""

from __future__ import annotations

import pytest

# pytest shows the values of their assertions, as for tests
pytest.register_assert_rewrite("tests.hostile.behaviour", "tests.hostile.service")

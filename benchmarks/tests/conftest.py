"""The benchmarks' tests have the fixtures of the program's tests."""

from tests.conftest import *  # noqa: F403 - fixtures are found by name

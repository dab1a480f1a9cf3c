"""Blocking calls with a timeout."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from tui_popretr.cli.timeouts import call_all


def test_results_are_in_the_order_of_the_calls() -> None:
    assert call_all([partial(abs, -number) for number in range(100)]) == list(range(100))
    assert call_all([]) == []


def test_a_call_that_does_not_return_is_left_behind() -> None:
    answer = threading.Event()
    try:
        assert call_all([answer.wait] * 20, timeout=0.0) == [None] * 20
    finally:
        answer.set()


def test_an_error_is_raised_to_the_caller() -> None:
    def fail() -> None:
        raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        call_all([fail])


def test_without_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_thread(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no_thread)
    assert call_all([lambda: 1, lambda: 2]) == [1, 2]

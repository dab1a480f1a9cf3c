"""The table of `status`: its columns, their widths in a terminal, and the times."""

from __future__ import annotations

from typing import Any

import pytest

from tui_popretr.cli.status import table

NOW = "2026-11-30T12:00:00+00:00"


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")


def client(id_: str, result: str | None, success: str | None = None, due: float | None = None) -> dict[str, Any]:
    last = None if result is None else {"result": result}
    return {"id": id_, "state": "waiting", "due": due, "messages": 1234, "last_success": success, "last": last}


def lines(*clients: dict[str, Any], columns: int | None = None) -> list[str]:
    totals = {"clients": len(clients), "running": 0, "failed": 1, "messages_today": 2, "octets_today": 2000}
    return [*table({"time": NOW, "boottime": 100.0, "clients": clients, "totals": totals}, columns)]


def test_a_row_of_each_client_and_the_totals() -> None:
    today, earlier = "2026-11-30T05:10:32+00:00", "2026-11-28T17:02:11+00:00"
    assert lines(client("isp", "12 messages", today, 340.0), client("work", "login rejected", earlier)) == [
        "client  state    next run  messages  last success  last result",
        "isp     waiting  in 4 min     1,234  05:10:32      12 messages",
        "work    waiting  -            1,234  2026-11-28    login rejected",
        "2 clients, 0 running, 1 failed; today 2 messages, 2 kB",
    ]


def test_a_client_that_never_ran() -> None:
    assert lines(client("isp", None))[1] == "isp     waiting  -            1,234  -             -"


@pytest.mark.parametrize(("columns", "result"), [(None, "x" * 100), (80, "x" * 28 + "…"), (20, "x" * 11 + "…")])
def test_the_last_result_is_cut_to_the_terminal(columns: int | None, result: str) -> None:
    row = lines(client("isp", "x" * 100), columns=columns)[1]
    assert row.split()[-1] == result
    assert columns != 80 or len(row) == columns


def test_wide_characters_keep_the_columns() -> None:
    rows = lines(client("郵便", "ok"), client("isp", "ok"))
    assert rows[1].index("waiting") + 2 == rows[2].index("waiting")

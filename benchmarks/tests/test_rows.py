"""Rows can be run, and the documents name them all."""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks.clients import FETCHMAIL, GETMAIL, MPOP, OURS, ours
from benchmarks.corpora import corpora
from benchmarks.rows import BEST, rows

README = Path(__file__).parents[2] / "benchmarks" / "README.md"


def test_each_has_a_corpus() -> None:
    assert {row.corpus for row in rows().values()} == set(corpora()) == set(corpora(quick=True))


def test_ours_is_what_is_measured() -> None:
    assert all(row.clients[0].name.startswith(OURS) for row in rows().values())
    assert all(name == row.name for name, row in rows().items())


def test_every_goal_is_against_somebody_who_takes_part() -> None:
    for row in rows().values():
        there = {client.name for client in row.clients[1:]} | ({BEST} if row.best else set())
        assert set(row.goals) <= there, row.name


def test_the_slow_ones_stay_near() -> None:
    for row in rows().values():
        assert not row.milliseconds or not {FETCHMAIL, GETMAIL} & set(row.clients), row.name
    assert MPOP in rows()["small-200ms"].clients


def test_fewer_can_be_compared_with() -> None:
    fleet, watched = rows()["fleet"], rows()["fleet-dashboard"]
    assert [client.name for client in fleet.among(["mpop"]).clients] == [OURS, "mpop -P 8"]
    assert fleet.among(["mpop"]).best
    assert [client.name for client in fleet.among(["none"]).clients] == [OURS]
    assert not fleet.among(["fetchmail"]).best
    assert watched.among(["none"]) == watched


def test_the_dashboard_is_compared_with_the_same_without_it() -> None:
    for name in ("small", "fleet"):
        opened, started = rows()[f"{name}-open"], rows()[f"{name}-dashboard"]
        assert [client.name for client in opened.clients] == [f"{OURS}, dashboard open", f"{OURS}, daemon"]
        assert [client.name for client in started.clients] == [f"{OURS}, dashboard", OURS]
        # a goal is known by how a client's name begins
        assert [goal for row in (opened, started) for goal in row.goals] == [f"{OURS}, daemon", OURS]
        assert opened.corpus == started.corpus == name


def test_another_program_can_be_named() -> None:
    assert ours("/other/tui-popretr").program == "/other/tui-popretr"
    assert rows("/other/tui-popretr")["small"].clients[0].name == OURS


def test_the_documents_name_them_all() -> None:
    named = set(re.findall(r"`([a-z0-9-]+)`", README.read_text()))
    assert set(rows()) <= named

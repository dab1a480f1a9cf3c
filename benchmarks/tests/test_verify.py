"""A message that is lost, doubled, altered, strange or left on the server is seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.corpora import Corpus, corpora, identify
from benchmarks.verify import Verdict, verify


class Arrived:
    """Two accounts whose three messages each have all arrived."""

    def __init__(self, top: Path) -> None:
        corpus = Corpus("tiny", 2, 3, corpora()["small"].make)
        self.maildirs = [top / account for account in corpus.names]
        self.expected: dict[str, str] = {}
        for maildir in self.maildirs:
            for part in ("new", "cur", "tmp"):
                (maildir / part).mkdir(parents=True)
            for number, message in enumerate(corpus.of(maildir.name)):
                name, content = identify(message)
                self.expected[name] = content
                (maildir / ("new", "cur")[number % 2] / f"{number}").write_bytes(b"Received: here\n" + message)
        self.one = self.maildirs[0] / "new" / "0"

    def verdict(self, left: int = 0) -> Verdict:
        return verify(self.expected, self.maildirs, left)


@pytest.fixture
def arrived(tmp_path: Path) -> Arrived:
    return Arrived(tmp_path)


def test_all_is_well(arrived: Arrived) -> None:
    assert arrived.verdict() == Verdict()
    assert arrived.verdict().complete
    assert str(arrived.verdict()) == ""


def test_a_lost_one(arrived: Arrived) -> None:
    arrived.one.unlink()
    assert arrived.verdict() == Verdict(missing=1)
    assert not arrived.verdict().complete


def test_one_that_came_twice(arrived: Arrived) -> None:
    arrived.one.with_name("again").write_bytes(arrived.one.read_bytes())
    assert arrived.verdict() == Verdict(twice=1)
    assert not arrived.verdict().complete


def test_an_altered_one(arrived: Arrived) -> None:
    arrived.one.write_bytes(arrived.one.read_bytes().replace(b"words", b"sword", 1))
    assert arrived.verdict() == Verdict(altered=1)
    assert arrived.verdict().complete
    assert str(arrived.verdict()) == "1 altered"


def test_one_that_was_cut_short(arrived: Arrived) -> None:
    arrived.one.write_bytes(arrived.one.read_bytes()[:-100])
    assert arrived.verdict() == Verdict(altered=1)


def test_one_that_is_in_another_s_maildir(arrived: Arrived) -> None:
    arrived.one.rename(arrived.maildirs[1] / "new" / "moved")
    assert arrived.verdict() == Verdict(missing=1, unknown=1)
    assert not arrived.verdict().complete


def test_a_strange_one(arrived: Arrived) -> None:
    arrived.one.with_name("strange").write_bytes(b"Subject: hello\n\n")
    assert arrived.verdict() == Verdict(unknown=1)
    assert not arrived.verdict().complete


def test_one_that_was_not_finished(arrived: Arrived) -> None:
    arrived.one.rename(arrived.maildirs[0] / "tmp" / "0")
    assert arrived.verdict() == Verdict(missing=1)


def test_one_that_is_left(arrived: Arrived) -> None:
    assert arrived.verdict(left=2) == Verdict(left=2)
    assert str(arrived.verdict(left=2)) == "2 left on the server"
    assert not arrived.verdict(left=2).complete

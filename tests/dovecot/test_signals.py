"""A process among others: SIGTERM, SIGINT and SIGHUP in mid-session, and messages that cannot be stored or read."""

from __future__ import annotations

import re
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.program.process import Program
from tests.program.relay import Gate, gate_to
from tests.program.site import PASSWORD, Site, client, without_received
from tests.support.dovecot import Dovecot
from tests.support.waiting import wait_for
from tui_popretr.journal.records import MessageState

COUNT, SIZE = 300, 100_000  # more than what is asked for ahead
#: Seconds that the process may take to end, and what it takes to start the next one on a busy machine.
SHUTDOWN, SLACK = 10.0, 3.0


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "site")


@pytest.fixture
def gate(dovecot: Dovecot) -> Iterator[Gate]:
    with gate_to(dovecot.host, dovecot.port) as made:
        yield made


def numbered(count: int, size: int = 100) -> list[bytes]:
    line = b"x" * 70 + b"\n"
    return [
        b"Message-ID: <%d@signals.test>\nFrom: s@signals.test\n\n" % n + line * (size // len(line))
        for n in range(count)
    ]


def account(dovecot: Dovecot, name: str, messages: list[bytes]) -> str:
    dovecot.add_user(name, PASSWORD)
    dovecot.fill(name, messages)
    return name


def stored(site: Site, recip: str = "me") -> Counter[bytes]:
    return Counter(without_received(each) for each in site.mailbox(recip))


@contextmanager
def in_the_middle(site: Site, gate: Gate, *arguments: str, octets: int) -> Iterator[Program]:
    """A process whose server has just fallen silent in the middle of a message."""
    gate.shut(octets)
    with site.running(*arguments) as process:
        wait_for(lambda: gate.silent or not process.running, "the server's silence")
        assert gate.silent, site.said
        yield process


# --- ending in mid-session ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "arguments"),
    [
        (signal.SIGTERM, ()),
        (signal.SIGINT, ("--once",)),
        (signal.SIGHUP, ("--once",)),
    ],
    ids=["TERM", "INT once", "HUP once"],
)
def test_ending_in_mid_session(
    dovecot: Dovecot, site: Site, gate: Gate, number: signal.Signals, arguments: tuple[str, ...]
) -> None:
    messages = numbered(COUNT, SIZE)
    user = account(dovecot, f"ending-{number.name.lower()}", messages)
    site.configure(client("me", gate.address, user=user, freq="1h"))
    with in_the_middle(site, gate, *arguments, octets=5_000_000) as process:
        began = time.monotonic()
        process.send(number)
        wait_for(lambda: f"{number.name}: ending" in site.trace(), "the signal")
        gate.open()
        assert process.ended() == 0, site.said
        assert time.monotonic() - began < SHUTDOWN
    commands = [line.split(">> ")[1] for line in site.transcript().splitlines() if ">> " in line]
    assert commands[-1] == "QUIT"
    # what was on its way was received and deleted, the rest was not asked for
    arrived = len(site.mailbox("me"))
    assert 50 <= arrived < COUNT
    assert commands.count(f"DELE {arrived}") == 1
    assert dovecot.count(user) == COUNT - arrived
    assert {record.state for record in site.records()} == {MessageState.DELETED}
    assert_the_rest_comes_once(dovecot, site, user, messages)


def assert_the_rest_comes_once(dovecot: Dovecot, site: Site, user: str, messages: list[bytes]) -> None:
    assert site.once().code == 0, site.said
    assert stored(site) == Counter(messages)
    assert list(site.maildir("me").glob("tmp/*")) == []
    assert dovecot.count(user) == 0
    assert len(site.audit()) == len(messages)


def test_ending_while_the_server_stays_silent(dovecot: Dovecot, site: Site, gate: Gate) -> None:
    """Too short for QUIT: the journal owes the deletions, and the next session makes up for them."""
    messages = numbered(60, SIZE)
    user = account(dovecot, "ending-silent", messages)
    site.configure(client("me", gate.address, user=user, freq="1h"))
    with in_the_middle(site, gate, octets=3_000_000) as process:
        began = time.monotonic()
        process.stop()
        assert time.monotonic() - began < SHUTDOWN
    assert dovecot.count(user) == len(messages)
    before = stored(site)
    assert 20 < before.total() < len(messages)
    assert {(record.state, record.delete_pending) for record in site.records()} == {(MessageState.DELIVERED, True)}
    gate.open()
    assert_the_rest_comes_once(dovecot, site, user, messages)


def test_a_second_signal_ends_at_once(dovecot: Dovecot, site: Site, gate: Gate) -> None:
    messages = numbered(60, SIZE)
    user = account(dovecot, "second-signal", messages)
    site.configure(client("me", gate.address, user=user, freq="1h"))
    with in_the_middle(site, gate, octets=3_000_000) as process:
        process.send(signal.SIGTERM)
        wait_for(lambda: "SIGTERM: ending" in site.trace(), "the first signal")
        began = time.monotonic()
        process.send(signal.SIGTERM)
        assert process.ended() == 128 + signal.SIGTERM, site.said
        assert time.monotonic() - began < SLACK
    gate.open()
    assert site.once().code == 0, site.said
    assert stored(site) == Counter(messages)
    assert dovecot.count(user) == 0


def test_ending_before_anything_is_retrieved(dovecot: Dovecot, site: Site, gate: Gate) -> None:
    user = account(dovecot, "ending-early", numbered(3))
    site.configure(client("me", gate.address, user=user))
    with in_the_middle(site, gate, octets=2) as process:  # in the greeting
        process.stop()
    assert site.mailbox("me") == []
    assert dovecot.count(user) == 3


def test_ending_while_nothing_is_to_do(dovecot: Dovecot, site: Site) -> None:
    user = account(dovecot, "ending-idle", numbered(1))
    site.configure(client("me", f"{dovecot.host}:{dovecot.port}", user=user, freq="1h"))
    with site.running() as process:
        wait_for(lambda: "1 message" in site.trace(), "the first session")
        process.stop()
    assert dovecot.count(user) == 0


# --- SIGHUP ---------------------------------------------------------------------------------------------------------


def test_hup(dovecot: Dovecot, site: Site) -> None:
    first = client("first", f"{dovecot.host}:{dovecot.port}", user=account(dovecot, "hup-1", numbered(1)), freq="1h")
    second = client("second", f"{dovecot.host}:{dovecot.port}", user=account(dovecot, "hup-2", numbered(2)), freq="1h")
    site.configure(first)
    with site.running() as process:
        wait_for(lambda: len(site.mailbox("first")) == 1, "the first client's mail")

        site.configure(first, second, more="<timeuot>5s</timeuot>")
        process.send(signal.SIGHUP)
        wait_for(lambda: "timeuot" in site.trace(), "the complaint")
        complaint = site.trace()
        assert "the old one stays in force" in complaint
        assert f"{site.path}:1:" in complaint
        assert "did you mean" in complaint

        site.configure(first, second)
        process.send(signal.SIGHUP)
        wait_for(lambda: len(site.mailbox("second")) == 2, "the new client's mail")
        wait_for(lambda: dovecot.count("hup-2") == 0, "its deletion")
        process.stop()
    # the client that was there before kept its countdown
    assert site.transcript().count(">> USER hup-1") == 1
    assert site.transcript().count(">> USER hup-2") == 1


def test_hup_reopens_the_logs(dovecot: Dovecot, site: Site) -> None:
    user = account(dovecot, "hup-logs", numbered(1))
    site.configure(client("me", f"{dovecot.host}:{dovecot.port}", user=user, freq="1h"))
    with site.running() as process:
        wait_for(lambda: "1 message" in site.trace(), "the first session")
        for log in (site.audit_log, site.transcript_log, site.trace_log):
            log.rename(log.with_suffix(".old"))
        process.send(signal.SIGHUP)
        wait_for(lambda: "reloaded" in site.trace(), "the new trace")
        process.stop()
    assert site.audit_log.exists()
    assert site.transcript_log.exists()


def test_a_session_finishes_under_the_settings_it_began_with(dovecot: Dovecot, site: Site, gate: Gate) -> None:
    messages = numbered(40, SIZE)
    user = account(dovecot, "hup-running", messages)
    site.configure(client("me", gate.address, user=user, freq="1h"))
    with in_the_middle(site, gate, octets=2_000_000) as process:
        site.configure(
            client("me", gate.address, user=user, freq="1h", enabled="N"), client("other", gate.address, freq="1h")
        )
        process.send(signal.SIGHUP)
        wait_for(lambda: "removed me" in site.trace(), "the reload")
        gate.open()
        wait_for(lambda: dovecot.count(user) == 0, "the session's end")
        process.stop()
    assert stored(site) == Counter(messages)


# --- what cannot be stored or read ----------------------------------------------------------------------------------


def test_a_destination_that_is_none(dovecot: Dovecot, site: Site) -> None:
    """Two clients cannot store: their mail stays. The third does not notice."""
    address = f"{dovecot.host}:{dovecot.port}"
    (site.top / "file").write_text("not a folder")
    users = [account(dovecot, f"nowhere-{n}", numbered(5)) for n in range(3)]
    site.configure(
        client("a", address, user=users[0], inside=f"<downloads_directory>{site.top}/file</downloads_directory>"),
        client("b", address, user=users[1], inside=f"<maildir>{site.top}/file/below</maildir>"),
        client("c", address, user=users[2]),
    )
    assert site.once().code == 73, site.said
    assert [dovecot.count(user) for user in users] == [5, 5, 0]
    assert stored(site, "c") == Counter(numbered(5))
    assert (site.top / "file").read_text() == "not a folder"
    assert site.trace().count("stays on the server: cannot") >= 2
    (site.top / "file").unlink()
    assert site.once().code == 0, site.said
    assert [dovecot.count(user) for user in users] == [0, 0, 0]
    assert len(site.audit()) == 15


def test_one_message_is_more_than_the_disk_takes(dovecot: Dovecot, site: Site) -> None:
    """A limit on the size of files stands for a full disk: the others of the same session are stored and deleted."""
    messages = numbered(20)
    large = numbered(1, 12_000_000)[0].replace(b"<0@", b"<large@")
    user = account(dovecot, "too-large", [*messages[:10], large, *messages[10:]])
    site.configure(client("me", f"{dovecot.host}:{dovecot.port}", user=user))
    blocks = 8 * 2**20 // 512
    assert site.once(wrapper=["sh", "-c", f'ulimit -f {blocks}; exec "$@"', "sh"]).code == 74, site.said
    assert stored(site) == Counter(messages)
    assert list(site.maildir("me").glob("tmp/*")) == []
    assert dovecot.messages(user) == [large]
    assert "larger than the system allows" in site.trace(), site.trace()
    assert site.once().code == 0, site.said
    assert stored(site) == Counter([*messages, large])
    assert dovecot.count(user) == 0


def test_one_message_that_the_server_cannot_read(dovecot: Dovecot, site: Site) -> None:
    """Dovecot answers its RETR with -ERR."""
    messages = numbered(30)
    user = account(dovecot, "unreadable", messages)
    server_file(dovecot, user, 11).chmod(0)
    site.configure(client("me", f"{dovecot.host}:{dovecot.port}", user=user))
    assert site.once().code == 75, site.said
    assert stored(site) == Counter(messages[:11] + messages[12:])
    assert dovecot.count(user) == 1
    assert re.search(r"message 12 \(UID \S+, 127 B\) stays on the server: the server refused to send it", site.trace())
    server_file(dovecot, user, 0).chmod(0o600)
    assert site.once().code == 0, site.said
    assert stored(site) == Counter(messages)
    assert dovecot.count(user) == 0


def server_file(dovecot: Dovecot, user: str, index: int) -> Path:
    return sorted((dovecot._folder / "mail" / user / "cur").iterdir())[index]

"""The main promise, against a real server: every message arrives byte for byte, once, and is gone from there."""

from __future__ import annotations

import re
from collections import Counter
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import pytest

from tests.dovecot.mixed import MEGABYTE, mixed_messages
from tests.program.site import PASSWORD, Run, Site, client, without_received
from tests.support.dovecot import Dovecot, as_retrieved
from tui_popretr.facts import MaildropListed, MessageDelivered, MessagesDeleted
from tui_popretr.journal.records import MessageState

COUNT = 500


@pytest.fixture(scope="module")
def messages() -> list[bytes]:
    return list(mixed_messages(COUNT))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, dovecot: Dovecot, messages: list[bytes]) -> Site:
    """Two accounts with the same mail: one goes into a Maildir, the other, over TLS, into a folder."""
    for name in ("maildir", "folder"):
        dovecot.add_user(f"mixed-{name}", PASSWORD)
        dovecot.fill(f"mixed-{name}", messages)
    site = Site(tmp_path_factory.mktemp("mixed"))
    folder = f"<downloads_directory>{site.top / 'mail'}/%U%</downloads_directory>"
    tls = f'<ssl tspath="{dovecot.ca}"/>'
    site.configure(
        client("maildir", f"{dovecot.host}:{dovecot.port}", user="mixed-maildir"),
        client(
            "folder",
            f"{dovecot.host}:{dovecot.tls_port}",
            user="mixed-folder",
            ssl=tls,
            inside=folder,
            omitreceivedheader="Y",
        ),
        timeout="60s",
    )
    return site


@pytest.fixture(scope="module")
def done(site: Site) -> Run:
    """The one run that the tests of this module look at."""
    done = site.run()
    assert all(result.ok for result in done.results.values()), done.results
    return done


def digests(messages: list[bytes]) -> Counter[str]:
    return Counter(f"{len(each)} {sha256(each).hexdigest()}" for each in messages)


def folder_files(site: Site) -> list[Path]:
    return sorted((site.top / "mail" / "folder").iterdir())


def test_they_are_what_they_are_meant_to_be(messages: list[bytes]) -> None:
    assert len(set(messages)) == COUNT
    everything = b"".join(messages)
    for awkward in (b"\0", b"\xff", b"\n.\n", b"\n..", b"\r.", b"\r\r\n", b"a\rb"):
        assert awkward in everything, awkward
    assert max(map(len, messages)) > 5 * MEGABYTE
    assert max(len(line) for each in messages for line in each.split(b"\n") if b"\0" not in line) > MEGABYTE
    assert any(each.endswith(b"\n\n") for each in messages)
    assert any(not each.endswith(b"\n") for each in messages)


def test_into_a_maildir(site: Site, done: Run, messages: list[bytes]) -> None:
    expected = [as_retrieved(each).replace(b"\r\n", b"\n") for each in messages]
    assert digests([without_received(each) for each in site.mailbox("maildir")]) == digests(expected)
    assert list(site.maildir("maildir").glob("tmp/*")) == []


def test_into_a_folder(site: Site, done: Run, messages: list[bytes]) -> None:
    files = folder_files(site)
    assert digests([path.read_bytes() for path in files]) == digests([as_retrieved(each) for each in messages])
    assert all(re.fullmatch(r"\d{8}-\d{6}-folder-\d+\.eml", path.name) for path in files)
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in files)


def test_they_are_gone_from_the_server(dovecot: Dovecot, done: Run) -> None:
    assert dovecot.count("mixed-maildir") == dovecot.count("mixed-folder") == 0
    assert [fact.count for fact in done.of(MessagesDeleted)] == [COUNT, COUNT]
    assert all(result.deleted == result.messages == COUNT for result in done.results.values())


def test_the_audit_has_a_line_for_each(site: Site, done: Run, messages: list[bytes]) -> None:
    sizes = [len(as_retrieved(each)) for each in messages]
    expected = Counter((f"{number}@mixed.test", f"{size}") for number, size in enumerate(sizes))
    line = re.compile(r"\S+ \S+ Downloaded (\S+) => (\S+); MsgID=(\S+); Size=(\d+); Sender=(\S+)")
    found = [match.groups() for text in site.audit() if (match := line.fullmatch(text))]
    assert len(found) == len(site.audit()) == 2 * COUNT
    into_maildir = [each for each in found if each[1] == "Mailbox=maildir"]
    into_folder = [each for each in found if each[1].startswith("File=")]
    assert Counter((each[2], each[3]) for each in into_maildir) == expected
    assert Counter((each[2], each[3]) for each in into_folder) == expected
    assert {each[1].removeprefix("File=") for each in into_folder} == {str(path) for path in folder_files(site)}
    assert all("-SSL/mixed-folder" in each[0] for each in into_folder)
    assert {each[4] for each in found} == {f"s{number}@mixed.test" for number in range(7)}


def test_facts_and_audit_agree(site: Site, done: Run, messages: list[bytes]) -> None:
    delivered = done.of(MessageDelivered)
    assert len(delivered) == 2 * COUNT
    assert sum(fact.octets for fact in delivered) == 2 * sum(len(as_retrieved(each)) for each in messages)
    assert {fact.path for fact in delivered if fact.session.client == "folder"} == {str(p) for p in folder_files(site)}


def test_several_commands_were_in_flight(site: Site, done: Run) -> None:
    lines = [line.split(" ", 2)[-1] for line in site.transcript().splitlines() if line.startswith("maildir-1 ")]
    pairs = [one.startswith(">> RETR") and two.startswith(">> RETR") for one, two in pairwise(lines)]
    assert sum(pairs) > COUNT / 2
    deletions = [line for line in lines if line.startswith(">> DELE")]
    assert len(set(deletions)) == len(deletions) == COUNT
    assert lines.index(">> QUIT") > lines.index(deletions[-1])


def test_no_dele_before_its_message_was_received(site: Site, done: Run) -> None:
    lines = [line.split(" ", 2)[-1] for line in site.transcript().splitlines() if line.startswith("maildir-1 ")]
    bodies = 0
    for line in lines:
        bodies += line.startswith("Event: Received MessageBody")
        if line.startswith(">> DELE "):
            assert int(line.removeprefix(">> DELE ")) <= bodies


def test_no_log_knows_the_password(site: Site, done: Run) -> None:
    assert PASSWORD not in site.transcript()
    assert PASSWORD not in site.trace()
    assert ">> PASS ****" in site.transcript()


def test_the_journal_says_deleted(site: Site, done: Run) -> None:
    records = site.records()
    assert len(records) == 2 * COUNT
    assert {record.state for record in records} == {MessageState.DELETED}


def test_a_second_run_retrieves_nothing(site: Site, done: Run) -> None:
    before = len(site.mailbox("maildir")), len(folder_files(site)), len(site.audit())
    again = site.run()
    assert all(result.ok and result.messages == 0 for result in again.results.values())
    assert [fact.messages for fact in again.of(MaildropListed)] == [0, 0]
    assert (len(site.mailbox("maildir")), len(folder_files(site)), len(site.audit())) == before

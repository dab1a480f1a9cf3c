"""`mark-seen`: what is there now is passed over by newonly, stays on the server, and what comes later is retrieved."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from tests.program.process import Done, client, mail, run_program, started, write_configuration
from tests.support.passwords import PASSWORD
from tests.support.popserver import Faults, ServedMaildrop, ServerPolicy
from tests.support.popserver_thread import RunningServer, running_server
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import MessageState

NEW_ONLY = 'newonly="Y"'


def box_of(*texts: str, user: str = "me") -> ServedMaildrop:
    """A maildrop with a message for each text."""
    box = ServedMaildrop(user, PASSWORD)
    for text in texts:
        box.add(mail(text))
    return box


def delivered(folder: Path, name: str = "isp") -> list[str]:
    """The last lines of the messages in a client's Maildir."""
    return sorted(path.read_text().splitlines()[-1] for path in (folder / "var/mail" / name).glob("new/*"))


def states(folder: Path) -> list[MessageState]:
    with closing(Journal.open(str(folder / "var/popretr.sqlite"))) as journal:
        return [record.state for record in journal.records(1)]


def mark(path: str, *clients: str) -> Done:
    return run_program("mark-seen", path, *(word for name in clients for word in ("--client", name)))


@pytest.mark.parametrize(
    ("attributes", "left"),
    [
        (NEW_ONLY, 2),
        ('newonly="Y" preserve="Y"', 3),
        ('newonly="Y" preserve="Y" deleteafter="1ms"', 2),
    ],
)
def test_marked_mail_is_neither_retrieved_nor_deleted(tmp_path: Path, attributes: str, left: int) -> None:
    box = box_of("one", "two")
    with running_server([box]) as server:
        path = write_configuration(tmp_path / "c.xml", client("isp", server.address, attributes=attributes))
        done = mark(path, "isp")
        assert (done.code, done.err) == (0, "")
        assert done.out == "isp: 2 messages in the maildrop: 2 marked as seen\n"
        assert states(tmp_path) == [MessageState.SEEN] * 2
        box.add(mail("three"))
        for _ in range(3):
            assert run_program(path, "--headless", "--once").code == 0
    assert delivered(tmp_path) == ["three"]
    assert len(box.messages) == left


def test_marking_again_tells_what_was_known(tmp_path: Path) -> None:
    box = box_of("one")
    with running_server([box]) as server:
        path = write_configuration(
            tmp_path / "c.xml", client("isp", server.address, attributes=f'{NEW_ONLY} preserve="Y"')
        )
        assert run_program(path, "--headless", "--once").code == 0
        box.add(mail("two"))
        assert mark(path, "isp").out == "isp: 2 messages in the maildrop: 1 marked as seen, 1 was known already\n"
        assert mark(path, "isp").out == "isp: 2 messages in the maildrop: 0 marked as seen, 2 were known already\n"
    assert states(tmp_path) == [MessageState.DELIVERED, MessageState.SEEN]


def test_an_empty_maildrop(tmp_path: Path) -> None:
    with running_server([box_of()]) as server:
        path = write_configuration(tmp_path / "c.xml", client("isp", server.address, attributes=NEW_ONLY))
        done = mark(path, "isp")
    assert (done.code, done.err) == (0, "")
    assert done.out == "isp: the maildrop is empty, nothing to mark\n"


def test_without_a_client_the_ids_are_named(tmp_path: Path) -> None:
    path = write_configuration(tmp_path / "c.xml", client("isp", "127.0.0.1:1"), client("work", "127.0.0.1:1"))
    done = run_program("mark-seen", path)
    assert done.code == 64
    assert done.err == (
        "tui-popretr: mark-seen needs at least one client: --client ID, which may be repeated\n"
        "tui-popretr: the clients are isp, work\n"
    )
    assert not (tmp_path / "var").exists()
    assert mark(path, "home").code == 64


def test_without_newonly_it_is_said_that_marks_have_no_effect(tmp_path: Path) -> None:
    with running_server([box_of("one")]) as server:
        path = write_configuration(tmp_path / "c.xml", client("isp", server.address))
        done = mark(path, "isp")
    assert done.code == 0
    assert done.out == "isp: 1 message in the maildrop: 1 marked as seen\n"
    assert done.err == f'{path}: warning: client isp: marks have no effect until the client has newonly="Y"\n'


@pytest.mark.parametrize("attributes", [NEW_ONLY, ""])
@pytest.mark.parametrize("uidl", [None, b"+OK\r\n1 same\r\n2 same\r\n.\r\n"], ids=["refused", "repeated"])
def test_without_uids_there_is_nothing_to_mark_by(tmp_path: Path, attributes: str, uidl: bytes | None) -> None:
    faults = Faults(answers={} if uidl is None else {"UIDL": uidl})
    with running_server([box_of("one", "two")], policy=ServerPolicy(uidl=uidl is not None), faults=faults) as server:
        path = write_configuration(tmp_path / "c.xml", client("isp", server.address, attributes=attributes))
        done = mark(path, "isp")
    assert (done.code, done.out) == (76, "")
    assert done.err.splitlines()[-1] == (
        "isp: failed: the server gives no usable UIDs (UIDL), without which messages cannot be marked"
        " (newonly does not work with this server; remove it)"
    )


def test_messages_without_a_uid_are_told_of(tmp_path: Path) -> None:
    faults = Faults(answers={"UIDL": b"+OK\r\n1 same\r\n2 same\r\n3 own\r\n.\r\n"})
    with running_server([box_of("one", "two", "three")], faults=faults) as server:
        path = write_configuration(tmp_path / "c.xml", client("isp", server.address, attributes=NEW_ONLY))
        done = mark(path, "isp")
    assert (done.code, done.out) == (0, "isp: 1 message in the maildrop: 1 marked as seen\n")
    assert done.err == "isp: 2 further messages cannot be marked: the server gives no usable UID\n"


def test_a_daemon_on_the_journal_is_not_disturbed(tmp_path: Path) -> None:
    with running_server([box_of("one")], faults=Faults(stall={"STAT"})) as server:
        path = write_configuration(tmp_path / "c.xml", client("isp", server.address, attributes=NEW_ONLY))
        with started(path, "--headless", "--once"):
            server.wait_for_line(b"STAT")
            logins = logins_at(server)
            done = mark(path, "isp")
        assert logins_at(server) == logins
    assert (done.code, done.out) == (75, "")
    first, second = done.err.splitlines()
    assert first.startswith(f"tui-popretr: the journal {tmp_path}/var/popretr.sqlite is in use by another tui-popretr")
    assert second == "tui-popretr: another tui-popretr runs with this configuration; stop it first"


def logins_at(server: RunningServer) -> int:
    return sum(line.startswith(b"PASS") for line in server.said())


def test_several_clients_and_the_worst_exit_code(tmp_path: Path) -> None:
    with running_server([box_of("one"), box_of("two", user="work")]) as server:
        path = write_configuration(
            tmp_path / "c.xml",
            client("isp", server.address, attributes=NEW_ONLY),
            client("work", server.address, user="work", password="wrong", attributes=NEW_ONLY),
            client("other", "127.0.0.1:1", attributes=NEW_ONLY),
        )
        done = mark(path, "isp", "work")
    assert done.code == 77
    assert done.out == "isp: 1 message in the maildrop: 1 marked as seen\n"
    assert done.err.startswith("work: failed: the server rejected the login")
    assert PASSWORD not in done.out + done.err
    assert "other" not in done.out + done.err


def test_the_journal_is_found_where_naf_xml_puts_it(tmp_path: Path) -> None:
    naf = tmp_path / "framework.xml"
    naf.write_text(f"<naf><dirpaths><var>{tmp_path}/elsewhere</var></dirpaths></naf>")
    box = box_of("one")
    with running_server([box]) as server:
        path = write_configuration(tmp_path / "c.xml", client("isp", server.address, attributes=NEW_ONLY))
        assert run_program("mark-seen", path, "--client", "isp", "--naf", str(naf)).code == 0
        assert run_program(path, "--headless", "--once", "--naf", str(naf)).code == 0
    assert (tmp_path / "elsewhere/popretr.sqlite").exists()
    assert not (tmp_path / "var").exists()
    assert len(box.messages) == 1


def test_a_mark_belongs_to_the_destination(tmp_path: Path) -> None:
    box = box_of("one")
    with running_server([box]) as server:
        path = write_configuration(
            tmp_path / "c.xml",
            *(client(name, server.address, attributes=f'{NEW_ONLY} preserve="Y"') for name in ("isp", "copy")),
        )
        assert mark(path, "isp").code == 0
        assert run_program(path, "--headless", "--once").code == 0
    assert delivered(tmp_path, "isp") == []
    assert delivered(tmp_path, "copy") == ["one"]

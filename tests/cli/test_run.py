"""`run --headless` as a real process: exit codes, what is retrieved, what is told."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from tests.program.process import client, mail, run_program, write_configuration
from tests.support.passwords import PASSWORD
from tests.support.popserver import Faults, ServedMaildrop
from tests.support.popserver_thread import running_server
from tui_popretr.cli.run import advice_beside
from tui_popretr.session.retrieval import MAX_DELIVERY_FAILURES

#: Nobody listens on it: it is reserved, and nothing but root could.
NOWHERE = "127.0.0.1:1"


def maildrop(name: str = "me", *, messages: int = 0) -> ServedMaildrop:
    box = ServedMaildrop(name, PASSWORD)
    for number in range(messages):
        box.add(mail(f"{name}{number}"))
    return box


def once(configuration: str, *more: str) -> int:
    return run_program("run", configuration, "--headless", "--once", *more).code


def test_once_retrieves_all_mail_and_ends_with_0(tmp_path: Path) -> None:
    boxes = [maildrop("one", messages=3), maildrop("two")]
    with running_server(boxes) as server:
        # a schedule that would let the test run for hours, if it counted
        configuration = write_configuration(
            tmp_path / "c.xml",
            client("isp1", server.address, user="one", attributes='freq="5h"'),
            client("isp2", server.address, user="two", attributes='freq="0" runs="0"'),
            before="<delay_start>5h</delay_start>",
        )
        done = run_program("--headless", "--once", configuration)
    assert done.code == 0, done.err
    assert done.out == ""
    assert "isp1: 3 messages" in done.err
    assert "isp2: no new messages" in done.err
    assert len(os.listdir(tmp_path / "var/mail/isp1/new")) == 3
    assert boxes[0].deleted == ["uid-1", "uid-2", "uid-3"]
    assert [box.logins for box in boxes] == [1, 1]


def test_only_the_named_clients_run(tmp_path: Path) -> None:
    boxes = [maildrop(name, messages=1) for name in ("one", "two", "three")]
    with running_server(boxes) as server:
        configuration = write_configuration(
            tmp_path / "c.xml", *(client(box.name, server.address, user=box.name) for box in boxes)
        )
        assert once(configuration, "--client", "one", "--client", "three") == 0
    assert [box.logins for box in boxes] == [1, 0, 1]


def test_once_is_at_once_for_a_large_fleet_too(tmp_path: Path) -> None:
    names = ("one", "two", "three")
    boxes = [maildrop(name) for name in names]
    with running_server(boxes) as server:
        configuration = write_configuration(
            tmp_path / "c.xml",
            *(client(name, server.address, user=name) for name in names),
            before='<concurrency total="1"/>',
        )
        # on schedule their starts would be spread over a minute
        assert once(configuration) == 0
    assert [box.logins for box in boxes] == [1, 1, 1]


def test_nobody_listens_69(tmp_path: Path) -> None:
    done = run_program("--headless", "--once", write_configuration(tmp_path / "c.xml", client("isp", NOWHERE)))
    assert done.code == 69
    assert "isp: failed: cannot connect to 127.0.0.1" in done.err


def test_a_destination_that_cannot_be_made_73(tmp_path: Path) -> None:
    box = maildrop(messages=MAX_DELIVERY_FAILURES)
    (tmp_path / "file").touch()
    with running_server([box]) as server:
        more = f"<maildir>{tmp_path}/file/mail</maildir>"
        assert once(write_configuration(tmp_path / "c.xml", client("isp", server.address, more=more))) == 73
    assert not box.deleted


def test_a_damaged_journal_74(tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    (tmp_path / "var/popretr.sqlite").write_bytes(b"this is no database" * 100)
    done = run_program("--headless", "--once", write_configuration(tmp_path / "c.xml", client("isp", NOWHERE)))
    assert done.code == 74
    assert done.err.startswith("tui-popretr: ")
    assert "Traceback" not in done.err


def test_a_journal_in_use_75(tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    with open(tmp_path / "var/popretr.sqlite.lock", "wb") as lock:
        lock.write(b"4711\n")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        config = write_configuration(tmp_path / "c.xml", client("isp", NOWHERE))
        done = run_program("--headless", "--once", config)
    assert done.code == 75
    path = tmp_path / "var/popretr.sqlite"
    assert done.err.splitlines() == [
        f"tui-popretr: the journal {path} is in use by another tui-popretr (process 4711)",
        f"tui-popretr: {advice_beside(config)}",
    ]


def test_not_a_pop3_server_76(tmp_path: Path) -> None:
    with running_server(
        [maildrop()], faults=Faults(answers={"GREETING": b"220 mail.example.test ESMTP\r\n"})
    ) as server:
        assert once(write_configuration(tmp_path / "c.xml", client("isp", server.address))) == 76


def test_a_wrong_password_77(tmp_path: Path) -> None:
    with running_server([maildrop()]) as server:
        configuration = write_configuration(tmp_path / "c.xml", client("isp", server.address, password="wrong"))
        done = run_program("--headless", "--once", configuration)
    assert done.code == 77
    assert "check username and password" in done.err
    assert "wrong" not in done.err


def test_a_missing_trust_file_78(tmp_path: Path) -> None:
    with running_server([maildrop()]) as server:
        more = '<ssl tspath="missing.pem"/><maildir>%DIRVAR%/mail</maildir>'
        assert once(write_configuration(tmp_path / "c.xml", client("isp", server.address, more=more))) == 78


@pytest.mark.parametrize(
    ("names", "code"), [(["fine", "nowhere"], 69), (["fine", "nowhere", "rejected"], 77), (["nowhere", "busy"], 69)]
)
def test_once_ends_with_the_worst_client_s_code(tmp_path: Path, names: list[str], code: int) -> None:
    with running_server([maildrop("fine", messages=1), maildrop("busy")]) as server:
        server.server.maildrops["busy"].open()
        clients = {
            "fine": client("fine", server.address, user="fine"),
            "busy": client("busy", server.address, user="busy"),
            "nowhere": client("nowhere", NOWHERE),
            "rejected": client("rejected", server.address, user="fine2", password="wrong"),
        }
        assert once(write_configuration(tmp_path / "c.xml", *(clients[name] for name in names))) == code


def test_on_schedule_it_ends_when_all_have_done_their_runs(tmp_path: Path) -> None:
    box = maildrop(messages=1)
    with running_server([box]) as server:
        configuration = write_configuration(
            tmp_path / "c.xml",
            client("isp", server.address, attributes='freq="0" runs="2"'),
            before="<delay_start>0</delay_start>",
        )
        done = run_program(configuration, "--headless")
    assert done.code == 0, done.err
    assert box.logins == 2


def test_errors_are_refused_before_anything_is_done(tmp_path: Path) -> None:
    with running_server([maildrop()]) as server:
        configuration = write_configuration(
            tmp_path / "c.xml", client("isp", server.address), client("isp", server.address), before="<niobuffers/>"
        )
        done = run_program(configuration, "--headless", "--once")
        assert not server.said()
    assert done.code == 78
    *problems, last = done.err.splitlines()
    assert [": error: " in line for line in problems] == [True]
    assert last == f"tui-popretr: {configuration} cannot be used: 1 error"
    assert not (tmp_path / "var").exists()


def test_notes_are_told_with_v_only(tmp_path: Path) -> None:
    configuration = write_configuration(tmp_path / "c.xml", client("isp", NOWHERE), before="<niobuffers/>")
    assert ": note: " not in run_program(configuration, "--headless", "--once").err
    assert ": note: " in run_program(configuration, "--headless", "--once", "-v").err


def test_warnings_are_told_unless_q(tmp_path: Path) -> None:
    configuration = write_configuration(tmp_path / "c.xml", client("isp", NOWHERE, attributes='freq="5"'))
    assert ": warning: freq is under 10 s" in run_program(configuration, "--headless", "--once").err
    assert ": warning: " not in run_program("-q", configuration, "--headless", "--once").err


def test_q_tells_less(tmp_path: Path) -> None:
    with running_server([maildrop(messages=1)]) as server:
        configuration = write_configuration(tmp_path / "c.xml", client("isp", server.address))
        done = run_program("-q", configuration, "--headless", "--once")
        assert (done.code, done.err) == (0, "")
        configuration = write_configuration(
            tmp_path / "c.xml", client("isp", server.address, password="wrong", attributes='freq="5"')
        )
        told = [run_program(quiet, configuration, "--headless", "--once").err for quiet in ("-q", "-qq")]
    assert [": warning: " in each for each in told] == [False, False]
    assert [" ERROR isp: failed: " in each for each in told] == [True, True]


def test_an_unknown_client_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    configuration = write_configuration(
        tmp_path / "c.xml",
        client("isp", NOWHERE),
        client("work", NOWHERE, user="other"),
        client("old", NOWHERE, attributes='enabled="N"'),
    )
    done = run_program(configuration, "--headless", "--once", "--client", "wrok")
    assert done.code == 64
    assert done.err.splitlines() == [
        "tui-popretr: there is no client 'wrok'; did you mean 'work'?",
        "tui-popretr: the clients are isp, work",
    ]
    done = run_program(configuration, "--headless", "--once", "--client", "old")
    assert done.code == 64
    assert "the client 'old' is disabled" in done.err


def test_without_headless_and_a_dashboard_it_names_headless(tmp_path: Path) -> None:
    done = run_program(write_configuration(tmp_path / "c.xml", client("isp", NOWHERE)))
    assert done.code == 64
    assert "the dashboard" in done.err
    assert "--headless" in done.err
    assert not (tmp_path / "var").exists()


def test_a_missing_file_is_told_before_a_missing_terminal(tmp_path: Path) -> None:
    done = run_program("run", "check", cwd=tmp_path)
    assert done.code == 78
    assert done.err == "tui-popretr: the configuration check cannot be read: no such file or directory\n"


def test_files_are_private(tmp_path: Path) -> None:
    with running_server([maildrop(messages=1)]) as server:
        assert once(write_configuration(tmp_path / "c.xml", client("isp", server.address))) == 0
    made = list((tmp_path / "var").rglob("*"))
    assert made
    assert [path for path in made if path.stat().st_mode & 0o077] == []


def test_warnings_that_cannot_be_written_do_not_stop_retrieval(tmp_path: Path) -> None:
    box = ServedMaildrop("me", PASSWORD)
    box.add(mail())
    with running_server([box]) as server:
        path = write_configuration(tmp_path / "c.xml", client("a", server.address, attributes='preserve="Y"'))
        full = "os.dup2(os.open('/dev/full', os.O_WRONLY), 2)"
        done = run_program(path, "--headless", "--once", before=full)
    assert done.code == 0
    assert len(list((tmp_path / "var/mail/a/new").iterdir())) == 1

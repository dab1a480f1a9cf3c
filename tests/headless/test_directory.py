"""The directory while the program runs: SIGHUP reads its files again, and mail goes where they say now."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.delivery.smtp.receiver import Receiver, receiving
from tests.program.process import client, mail, started, write_configuration
from tests.support.passwords import PASSWORD
from tests.support.popserver import ServedMaildrop
from tests.support.popserver_thread import RunningServer, running_server
from tests.support.waiting import wait_for

FILES = {
    "domains": "home.test\n",
    "users": "anna\nbert\n",
    "aliases": "family : parents\nparents : anna\nfamily@home.test : parents\n",
}


def write_files(folder: Path) -> str:
    """Write the directory's files; return the element that names them."""
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    return f"<directory>{''.join(f'<{name}>{name}</{name}>' for name in FILES)}</directory>"


def sends_on(server: RunningServer, receiver: Receiver, recip: str) -> str:
    smtp = f"<smtp><sender>s@home.test</sender><address>127.0.0.1:{receiver.port}</address></smtp>"
    text = client("isp", server.address, attributes='freq="100ms"', more=smtp)
    return text.replace('recip="isp"', f'recip="{recip}"')


def test_mail_goes_to_whom_the_alias_names_now(tmp_path: Path) -> None:
    box = ServedMaildrop("me", PASSWORD)
    box.add(mail("one"))
    before = f"<delay_start>0</delay_start>{write_files(tmp_path)}"
    with receiving() as receiver, running_server([box]) as server:
        path = write_configuration(tmp_path / "c.xml", sends_on(server, receiver, "family@home.test"), before=before)
        with started(path, "--headless") as program:
            program.wait_for("isp: 1 message")
            assert [each.recipients for each in receiver.mails] == [("anna@home.test",)]

            # an alias of an alias, which the configuration does not even name
            (tmp_path / "aliases").write_text(FILES["aliases"].replace(": anna", ": anna : bert"), encoding="utf-8")
            program.send(signal.SIGHUP)
            program.wait_for("configuration reloaded")
            program.wait_for("isp: no new messages")  # a session that had begun before it goes on with the old aliases
            server.call(lambda: box.add(mail("two")))
            program.wait_for("isp: 1 message")
            wait_for(lambda: len(receiver.mails) == 2, "the second message")
            assert receiver.mails[1].recipients == ("anna@home.test", "bert@home.test")

            # a mistake changes nothing, and is told with file and line
            (tmp_path / "aliases").write_text("family : parents\nparents : family\n", encoding="utf-8")
            program.send(signal.SIGHUP)
            program.wait_for("configuration not reloaded")
            told = f"{tmp_path}/aliases:1:1: error: the alias leads back to itself: family -> parents -> family"
            assert told in program.wait_for("leads back")
            server.call(lambda: box.add(mail("three")))
            program.wait_for("isp: 1 message")
            wait_for(lambda: len(receiver.mails) == 3, "the third message")
            assert receiver.mails[2].recipients == ("anna@home.test", "bert@home.test")

            program.send(signal.SIGTERM)
            assert program.ended() == 0
    assert len(box.deleted) == 3


def test_a_mailbox_that_the_users_file_no_longer_has_is_refused(tmp_path: Path) -> None:
    box = ServedMaildrop("me", PASSWORD)
    box.add(mail("one"))
    before = f"<delay_start>0</delay_start>{write_files(tmp_path)}"
    more = "<eol>native</eol>"  # so that nothing but the message store is named
    with running_server([box]) as server:
        anna = client("anna", server.address, attributes='freq="100ms"', more=more)
        path = write_configuration(tmp_path / "c.xml", anna, before=before)
        with started(path, "--headless") as program:
            program.wait_for("anna: 1 message")
            (tmp_path / "users").write_text("bert\n", encoding="utf-8")
            program.send(signal.SIGHUP)
            program.wait_for("configuration not reloaded")
            assert "recip 'anna' is not in the directory's users" in program.wait_for("c.xml:")
            server.call(lambda: box.add(mail("two")))
            program.wait_for("anna: 1 message")  # the old configuration goes on
            program.send(signal.SIGTERM)
            assert program.ended() == 0
    assert len(list((tmp_path / "var/ms/anna/Maildir/new").iterdir())) == 2

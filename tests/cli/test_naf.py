"""--naf: whatever reads the configuration reads its folders from there, so that all find the same journal."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.program.process import client, mail, run_program, started, write_configuration
from tests.support.passwords import PASSWORD
from tests.support.popserver import ServedMaildrop
from tests.support.popserver_thread import running_server

MAIL = "<maildir>%DIRVAR%/mail</maildir>"


def write_naf(folder: Path, var: str) -> str:
    path = folder / "framework.xml"
    path.write_text(f"<naf><dirpaths><var>{var}</var></dirpaths></naf>", encoding="utf-8")
    return str(path)


def test_every_command_finds_the_same_journal(tmp_path: Path) -> None:
    naf = write_naf(tmp_path, str(tmp_path / "data"))
    box = ServedMaildrop("me", PASSWORD)
    box.add(mail())
    with running_server([box]) as server:
        attributes = 'preserve="Y" newonly="Y"'
        path = write_configuration(tmp_path / "c.xml", client("isp", server.address, attributes=attributes, more=MAIL))
        marked = run_program("mark-seen", path, "--client", "isp", "--naf", naf)
        assert marked.code == 0, marked.err
        assert run_program(path, "--headless", "--once", "--naf", naf).code == 0
    assert box.retrieved == []
    assert (tmp_path / "data/popretr.sqlite").exists()
    assert not (tmp_path / "var").exists()
    assert f"journal:        {tmp_path}/data/popretr.sqlite\n" in run_program("info", path, "--naf", naf).out
    checked = run_program("check", path, "--naf", naf)
    assert f"delivers it to the Maildir {tmp_path}/data/mail." in checked.out
    assert f"{naf}:1:6: note: the folders are those of this file" in checked.err


def test_a_usual_place_may_have_one_too(tmp_path: Path) -> None:
    naf = write_naf(tmp_path, "/srv/data")
    usual = tmp_path / ".config/tui-popretr"
    usual.mkdir(parents=True)
    path = write_configuration(usual / "tui-popretr.xml", client("isp", "127.0.0.1:1", more=MAIL))
    for words in (["info"], ["info", path]):
        assert "var:            /srv/data\n" in run_program(*words, "--naf", naf, environ={"HOME": str(tmp_path)}).out


def test_a_reload_reads_it_again(tmp_path: Path) -> None:
    naf = write_naf(tmp_path, str(tmp_path / "one"))
    box = ServedMaildrop("me", PASSWORD)
    box.add(mail("one"))
    with running_server([box]) as server:
        isp = client("isp", server.address, attributes='freq="100ms"', more=MAIL)
        path = write_configuration(tmp_path / "c.xml", isp, before="<delay_start>0</delay_start><journal>j</journal>")
        with started(path, "--headless", "--naf", naf) as program:
            program.wait_for("isp: 1 message")
            write_naf(tmp_path, str(tmp_path / "two"))
            program.send(signal.SIGHUP)
            program.wait_for("configuration reloaded")
            server.call(lambda: box.add(mail("two")))
            program.wait_for("isp: 1 message")
            program.send(signal.SIGTERM)
            assert program.ended() == 0
    assert [len(list((tmp_path / name / "mail/new").iterdir())) for name in ("one", "two")] == [1, 1]


def test_one_that_is_not_there(tmp_path: Path) -> None:
    path = write_configuration(tmp_path / "c.xml", client("isp", "127.0.0.1:1"))
    done = run_program("check", path, "--naf", str(tmp_path / "none.xml"))
    assert done.code == 78
    assert f"{tmp_path}/none.xml:1:1: error: the framework's file cannot be read: no such file" in done.err

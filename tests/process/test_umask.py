"""The umask of a real process: its own files are private, its commands have the one that it was started with."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.program.process import client, mail, run_program, write_configuration
from tests.support.passwords import PASSWORD
from tests.support.popserver import ServedMaildrop
from tests.support.popserver_thread import running_server


def run_with_umask(mask: int, configuration: str) -> None:
    done = run_program("--headless", "--once", configuration, before=f"os.umask({mask})")
    assert done.code == 0, done.err


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("mask", [0o002, 0o022, 0o077, 0o000])
def test_commands_have_the_umask_of_before(tmp_path: Path, mask: int) -> None:
    (tmp_path / "word").write_text(f"#!/bin/sh\numask >{tmp_path}/asked\necho '{PASSWORD}'\n")
    (tmp_path / "word").chmod(0o700)
    box = ServedMaildrop("me", PASSWORD)
    box.add(mail())
    mda = f"<mda command=\"sh -c 'umask >{tmp_path}/handed; cat >{tmp_path}/mail'\"/>"
    with running_server([box]) as server:
        text = client("isp", server.address, more=mda)
        text = text.replace(f"<password>{PASSWORD}</password>", f'<password command="{tmp_path}/word"/>')
        run_with_umask(mask, write_configuration(tmp_path / "c.xml", text))
    assert {(tmp_path / name).read_text() for name in ("asked", "handed")} == {f"{mask:04o}\n"}
    assert mode(tmp_path / "mail") == 0o666 & ~mask


@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_only_mail_is_shared(tmp_path: Path, mask: int) -> None:
    box = ServedMaildrop("me", PASSWORD)
    box.add(mail())
    logs = "<audit>%DIRLOG%/audit.log</audit><transcript>%DIRLOG%/transcript.log</transcript>"
    with running_server([box]) as server:
        text = client("isp", server.address, more='<maildir filemode="0660" foldermode="02770">shared/mail</maildir>')
        run_with_umask(mask, write_configuration(tmp_path / "c.xml", text, before=logs))
    shared = [tmp_path / "shared", *(tmp_path / "shared").rglob("*")]
    private = [tmp_path / "var", *(tmp_path / "var").rglob("*")]
    assert {(path.is_dir(), mode(path)) for path in shared} == {(True, 0o2770), (False, 0o660)}
    assert {(path.is_dir(), mode(path)) for path in private} == {(True, 0o700), (False, 0o600)}

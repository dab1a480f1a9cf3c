"""The order on which all rests, seen from outside: what survives kill -9 need not have survived a power cut.

Each step must have ended before the next one begins (docs/durability.md).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.crash.calls import Call, Record, heard, recording, said, sync_of, write_to
from tests.crash.cases import Case, Keeping, Kind, Server
from tests.crash.scene import Scene, staged
from tests.program import needs
from tests.program.destination import MEMBERS
from tests.program.steps import Orders
from tui_popretr.faultpoints import Step

COUNT: Final = 12
#: The answer to the end of a message; in LMTP, the last one.
ACCEPTED: Final = {Kind.SMTP: "250 2.0.0 Ok: queued as", Kind.LMTP: f"250 2.0.0 <{MEMBERS[-1]}> has it"}


@pytest.fixture(autouse=True)
def needs_strace() -> None:
    needs.need(needs.tracing)


class Recorded:
    """A run of a scene that was recorded, and the questions to it."""

    def __init__(self, scene: Scene, file: Path) -> None:
        assert scene.site.once(wrapper=recording(file)).code == 0, scene.site.said
        self._record = Record.read(file)
        file.unlink()  # it has seen the password
        self._wal = f"{scene.site.journal}-wal"
        self._audit = str(scene.site.audit_log)
        publications = self._record.all(lambda call: call.name.startswith(("rename", "link")))
        #: The calls that gave messages their final names, by these.
        self.publications = {
            call.strings[-1]: call for call in publications if call.strings[-1].startswith(f"{file.parent}/mail/")
        }

    def check_before(self, publication: Call) -> None:
        """Written < fsynced < its folder fsynced < the record written < fsynced < the final name."""
        unfinished = Path(publication.strings[0])
        *_, written = self._record.all(write_to(str(unfinished)))
        synced = self._record.next(written, sync_of(str(unfinished)), "fsync of the file")
        in_folder = self._record.next(synced, sync_of(str(unfinished.parent)), "fsync of the unfinished file's folder")
        recorded = next(self._record.all(write_to(self._wal, unfinished.name)))
        assert recorded.began > in_folder.ended, "recorded as delivering too early"
        committed = self._record.next(recorded, sync_of(self._wal), "commit of delivering")
        assert publication.began > committed.ended, "published too early"

    def check_after(self, final: Path) -> None:
        """The final name, where it was given in this run < its folder fsynced < the audit line < the commit < DELE."""
        number = _number(final)
        fsync = sync_of(str(final.parent))
        if str(final) in self.publications:
            in_folder = self._record.next(self.publications[str(final)], fsync, "fsync of the final name's folder")
        else:
            in_folder = next(self._record.all(fsync))
        self._check_deleted(in_folder, number)

    def check_sent(self, number: int, kind: Kind) -> None:
        """The record written < fsynced < the message's end sent < accepted < the audit line < the commit < DELE."""
        committed = self._committed(number)
        begun = next(self._record.all(said(f"Message-ID: <{number}@crash.test>")))
        accepted = self._record.next(begun, heard(ACCEPTED[kind]), "answer to the message")
        *_, end = (call for call in self._record.all(said("")) if call.on == begun.on and call.began < accepted.began)
        assert end.began > committed.ended, "the end was sent too early"
        self._check_deleted(accepted, number)

    def check_saved(self, final: Path) -> None:
        """The record written < fsynced < its command begins to save it < has saved it < the audit line, and so on."""
        number = _number(final)
        committed = self._committed(number)
        saved = next(self._record.all(lambda call: call.name.startswith("rename") and call.strings[-1] == final.name))
        begun = next(self._record.all(lambda call: call.name == "openat" and call.strings[0] == saved.strings[-2]))
        assert begun.began > committed.ended, "handed over too early"
        self._check_deleted(saved, number)

    def _committed(self, number: int) -> Call:
        recorded = next(self._record.all(write_to(self._wal, f"MsgID={number}@crash.test;")))
        return self._record.next(recorded, sync_of(self._wal), "commit of delivering")

    def _check_deleted(self, delivered: Call, number: int) -> None:
        audited = next(self._record.all(write_to(self._audit, f"MsgID={number}@crash.test;")))
        assert audited.began > delivered.ended, "the audit line came too early"
        committed = self._record.next(audited, sync_of(self._wal), "commit of delivered")
        deleted = next(self._record.all(said(rf"DELE {number + 1}\r\n")))
        assert deleted.began > committed.ended, "deleted too early"

    def check_folders(self, top: str) -> None:
        """What was made to hold messages and journal was itself durable before the first message got its name."""
        first = min(self.publications.values(), key=lambda call: call.began)

        def makes(call: Call) -> bool:
            if call.name.startswith("mkdir"):
                return call.strings[0].startswith(top)
            return call.name == "openat" and "O_CREAT" in call.arguments and call.strings[0] == self._wal

        made = list(self._record.all(makes))
        assert {self._wal, f"{top}/var", f"{top}/mail"} <= {call.strings[0] for call in made}
        for call in made:
            folder = str(Path(call.strings[0]).parent)
            assert self._record.next(call, sync_of(folder), f"fsync of {folder}").ended < first.began

    def check_folders_that_were_there(self, top: str) -> None:
        """`mail` and `var` were there; each is durable before anything is in it that counts."""
        journal = next(self._record.all(_at("rename", f"{top}/var/")))
        assert next(self._record.all(sync_of(top))).ended < journal.began
        inside = next(self._record.all(_at("mkdir", f"{top}/mail/")))
        assert self._record.next(journal, sync_of(top), f"fsync of {top}").ended < inside.began


def _at(name: str, path: str) -> Callable[[Call], bool]:
    return lambda call: call.name.startswith(name) and call.strings[0].startswith(path)


def _number(final: Path) -> int:
    match = re.search(rb"Message-ID: <(\d+)@", final.read_bytes())
    assert match
    return int(match[1])


def _files(scene: Scene) -> list[Path]:
    return [path for path in (scene.site.top / "mail").rglob("*") if path.is_file() and not path.name.startswith(".")]


@pytest.mark.parametrize("server", [Server.PIPELINING, Server.ONE_BY_ONE])
@pytest.mark.parametrize("kind", [Kind.MAILDIR, Kind.FOLDER])
def test_no_step_begins_before_the_one_before_is_durable(kind: Kind, server: Server, tmp_path: Path) -> None:
    with staged(tmp_path, Case(kind, server, Keeping.NOTHING), COUNT) as (scene, account):
        run = Recorded(scene, tmp_path / "record")
        assert account.remaining() == 0
    files = _files(scene)
    assert {str(path) for path in files} == set(run.publications)
    assert len(files) == COUNT
    for file in files:
        run.check_before(run.publications[str(file)])
        run.check_after(file)
    run.check_folders(str(tmp_path))


@pytest.mark.parametrize("server", [Server.PIPELINING, Server.ONE_BY_ONE])
@pytest.mark.parametrize("kind", ACCEPTED)
def test_a_mail_server_gets_a_message_between_its_two_commits(kind: Kind, server: Server, tmp_path: Path) -> None:
    with staged(tmp_path, Case(kind, server, Keeping.NOTHING), COUNT) as (scene, account):
        run = Recorded(scene, tmp_path / "record")
        assert account.remaining() == 0
    for number in range(COUNT):
        run.check_sent(number, kind)


def test_a_command_gets_a_message_between_its_two_commits(tmp_path: Path) -> None:
    with staged(tmp_path, Case(Kind.COMMAND, Server.PIPELINING, Keeping.NOTHING), COUNT) as (scene, account):
        run = Recorded(scene, tmp_path / "record")
        assert account.remaining() == 0
    files = list((tmp_path / "saved").iterdir())
    assert len(files) == COUNT
    for file in files:
        run.check_saved(file)


def test_what_a_killed_process_has_made_is_durable_before_it_is_used(tmp_path: Path) -> None:
    """It may have been killed between making a folder and fsyncing the one that holds it."""
    with staged(tmp_path, Case(Kind.MAILDIR, Server.PIPELINING, Keeping.NOTHING), 1) as (scene, _):
        for name in ("mail", "var"):
            (tmp_path / name).mkdir(0o700)
        run = Recorded(scene, tmp_path / "record")
    run.check_folders_that_were_there(str(tmp_path))


@pytest.mark.parametrize("step", [Step.DELIVERING, Step.PUBLISHED, Step.AUDITED])
@pytest.mark.parametrize("kind", [Kind.MAILDIR, Kind.FOLDER])
def test_recovery_makes_durable_before_it_deletes(kind: Kind, step: Step, tmp_path: Path) -> None:
    with staged(tmp_path, Case(kind, Server.PIPELINING, Keeping.NOTHING), COUNT) as (scene, account):
        assert scene.killed(Orders(step.name))
        interrupted = [Path(record.final or "") for record in scene.interrupted()]
        arrived = scene.place.look()
        run = Recorded(scene, tmp_path / "record")
        assert account.remaining() == 0
    assert interrupted
    assert bool(arrived) == (step is not Step.DELIVERING)
    for file in interrupted:
        run.check_after(file)

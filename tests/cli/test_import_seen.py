"""`import-seen`: whose memory is found where, what is told, and that what is imported does not come again."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest

from tests.program.process import Done, client, mail, run_program, started, write_configuration
from tests.support.passwords import PASSWORD
from tests.support.popserver import Faults, ServedMaildrop
from tests.support.popserver_thread import running_server
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import MessageState

NEW_ONLY = 'newonly="Y"'
HOST = "pop.example.net"

#: For each program the file in the home folder, and what it says of the messages u1 and u2 of me at a host.
MEMORIES = {
    "fetchmail": (".fetchids", "me@{host} u1\nme@{host} u2\n"),
    "getmail": (".getmail/oldmail-{host}-995-me", "u1\0001700000000\nu2\0001700000000\n"),
    "mpop": (".mpop_uidls/me_at_{host}", "# mpop\n 2 {host} me\nu1\nu2 1700000000\n"),
}


def remembered(home: Path, tool: str, host: str = HOST) -> str:
    """Write a program's memory where it keeps it, and return the path."""
    name, text = MEMORIES[tool]
    path = home / name.format(host=host)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.format(host=host))
    return str(path)


def configured(folder: Path, *clients: str) -> str:
    return write_configuration(folder / "c.xml", *(clients or (client("isp", HOST, attributes=NEW_ONLY),)))


def imported(folder: Path, *arguments: str, config: str | None = None) -> Done:
    """Run import-seen with the folder as home, for the client isp unless another is named."""
    who = [] if "--client" in arguments else ["--client", "isp"]
    words = [config or str(folder / "c.xml"), *who, *arguments]
    return run_program("import-seen", *words, environ={"HOME": str(folder)})


def seen(folder: Path, maildrop: int = 1) -> list[str | None]:
    with closing(Journal.open(str(folder / "var/popretr.sqlite"))) as journal:
        records = journal.records(maildrop)
    assert all(record.state is MessageState.SEEN for record in records)
    return [record.uid for record in records]


@pytest.mark.parametrize("tool", MEMORIES)
def test_the_usual_place_is_found(tmp_path: Path, tool: str) -> None:
    file = remembered(tmp_path, tool)
    configured(tmp_path)
    done = imported(tmp_path, "--from", tool)
    assert (done.code, done.err) == (0, "")
    assert done.out == f"isp: 2 messages of me@{HOST} in {file}: 2 marked as seen\n"
    assert seen(tmp_path) == ["u1", "u2"]
    again = imported(tmp_path, "--from", tool)
    assert again.out == f"isp: 2 messages of me@{HOST} in {file}: 0 marked as seen, 2 were known already\n"


@pytest.mark.parametrize("tool", MEMORIES)
def test_what_was_imported_does_not_come_again_and_stays(tmp_path: Path, tool: str) -> None:
    box = ServedMaildrop("me", PASSWORD, uid_prefix="u")
    for number in range(1, 4):
        box.add(mail(f"number {number}"))
    with running_server([box]) as server:
        remembered(tmp_path, tool, "127.0.0.1")
        path = configured(tmp_path, client("isp", server.address, attributes=NEW_ONLY))
        assert imported(tmp_path, "--from", tool).code == 0
        assert run_program(path, "--headless", "--once").code == 0
    (new,) = (tmp_path / "var/mail/isp/new").iterdir()
    assert new.read_text().endswith("number 3\n")
    assert [message.uid for message in box.messages] == ["u1", "u2"]


@pytest.mark.parametrize("tool", MEMORIES)
def test_files_that_are_named(tmp_path: Path, tool: str) -> None:
    other = tmp_path / "elsewhere"
    file = remembered(other, tool)
    (tmp_path / "more").mkdir()
    more = tmp_path / "more" / os.path.basename(file)
    more.write_text(Path(file).read_text().replace("u2", "u3"))
    configured(tmp_path)
    done = imported(tmp_path, "--from", tool, file, str(more))
    assert (done.code, done.err) == (0, "")
    assert done.out == f"isp: 3 messages of me@{HOST} in {file}, {more}: 3 marked as seen\n"
    assert seen(tmp_path) == ["u1", "u2", "u3"]


def test_a_dry_run_changes_nothing_and_needs_no_lock(tmp_path: Path) -> None:
    file = remembered(tmp_path, "fetchmail", "127.0.0.1")
    with running_server([ServedMaildrop("me", PASSWORD)], faults=Faults(stall={"STAT"})) as server:
        path = configured(tmp_path, client("isp", server.address, attributes=NEW_ONLY))
        done = imported(tmp_path, "--from", "fetchmail", "--dry-run")
        assert not (tmp_path / "var").exists()
        with started(path, "--headless", "--once"):
            server.wait_for_line(b"STAT")
            assert imported(tmp_path, "--from", "fetchmail", "--dry-run").code == 0
            refused = imported(tmp_path, "--from", "fetchmail")
    assert (done.code, done.err) == (0, "")
    assert done.out == f"isp: 2 messages of me@127.0.0.1 in {file}; nothing is marked (--dry-run)\n"
    assert (refused.code, refused.out) == (75, "")
    assert "is in use by another tui-popretr" in refused.err
    assert refused.err.endswith("tui-popretr: another tui-popretr runs with this configuration; stop it first\n")


@pytest.mark.parametrize("tool", MEMORIES)
def test_an_account_that_is_not_there_and_those_that_are(tmp_path: Path, tool: str) -> None:
    file = remembered(tmp_path, tool, "mail.example.org")
    configured(tmp_path)
    done = imported(tmp_path, "--from", tool)
    assert (done.code, done.out) == (64, "")
    assert done.err == (
        f"tui-popretr: client isp: no messages of me@{HOST} in {file}\n"
        "tui-popretr: the accounts there are me@mail.example.org (2 messages); if one of them is the client's, add"
        " --account USER@HOST\n"
    )
    assert not (tmp_path / "var").exists()
    done = imported(tmp_path, "--from", tool, "--account", "me@mail.example.org")
    assert done.out == f"isp: 2 messages of me@mail.example.org in {file}: 2 marked as seen\n"


def test_hosts_are_compared_without_regard_to_case(tmp_path: Path) -> None:
    remembered(tmp_path, "mpop", "POP.Example.NET")
    configured(tmp_path)
    assert imported(tmp_path, "--from", "mpop").code == 0


def test_a_user_whose_name_no_file_can_have(tmp_path: Path) -> None:
    remembered(tmp_path, "getmail")
    (tmp_path / f".getmail/oldmail-{HOST}-110-isp-me").write_text("u7\x001\n")
    configured(tmp_path, client("isp", HOST, user="isp\\me", attributes=NEW_ONLY))
    done = imported(tmp_path, "--from", "getmail")
    assert (done.code, done.err) == (0, "")
    assert seen(tmp_path) == ["u7"]


def test_many_accounts_are_not_all_named(tmp_path: Path) -> None:
    (tmp_path / ".fetchids").write_text("".join(f"user{number}@h u\n" for number in range(100)))
    configured(tmp_path)
    done = imported(tmp_path, "--from", "fetchmail")
    assert done.err.count("user") == 20
    assert "user19@h (1 message), 80 more; if one of them" in done.err


def test_several_clients_or_none(tmp_path: Path) -> None:
    remembered(tmp_path, "getmail")
    remembered(tmp_path, "getmail", "mail.example.org")
    configured(
        tmp_path,
        client("isp", HOST, attributes=NEW_ONLY),
        client("work", "mail.example.org:995", attributes=NEW_ONLY),
        client("home", "home.example", attributes=NEW_ONLY),
    )
    both = ("--client", "isp", "--client", "work", "--from", "getmail")
    done = imported(tmp_path, *both, "--client", "home")
    assert (done.code, done.out) == (64, "")
    assert "client home: no messages of me@home.example" in done.err
    assert not (tmp_path / "var").exists()
    done = imported(tmp_path, *both, "--account", "me@mail.example.org")
    assert (done.code, done.out) == (64, "")
    done = imported(tmp_path, *both)
    assert [line.partition(" in ")[0] for line in done.out.splitlines()] == [
        f"isp: 2 messages of me@{HOST}",
        "work: 2 messages of me@mail.example.org",
    ]
    assert seen(tmp_path, 1) == seen(tmp_path, 2) == ["u1", "u2"]


def test_nothing_where_it_is_usually(tmp_path: Path) -> None:
    configured(tmp_path)
    done = imported(tmp_path, "--from", "mpop")
    assert done.code == 64
    assert done.err == (
        "tui-popretr: no file of mpop in its usual place (the files in ~/.mpop_uidls)\n"
        "tui-popretr: name it: --from mpop FILE\n"
    )


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    configured(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    for name, reason in (("missing", "no such file or directory"), ("pipe", "it is a pipe, not a regular file")):
        done = imported(tmp_path, "--from", "mpop", str(tmp_path / name))
        assert (done.code, done.out) == (64, "")
        assert done.err == f"tui-popretr: {tmp_path}/{name} cannot be read: {reason}\n"


def test_of_the_usual_files_those_that_can_be_read_will_do(tmp_path: Path) -> None:
    remembered(tmp_path, "mpop")
    os.mkfifo(tmp_path / ".mpop_uidls" / "another")
    configured(tmp_path)
    done = imported(tmp_path, "--from", "mpop")
    assert done.code == 0
    assert done.err == (f"{tmp_path}/.mpop_uidls/another: warning: skipped: it is a pipe, not a regular file\n")


def test_bad_lines_are_counted_and_named_and_harmless(tmp_path: Path) -> None:
    bad = "".join(f"\x1b]0;line {number}\x07\n" for number in range(25))
    (tmp_path / ".fetchids").write_text(f"me@{HOST} u1\n{bad}me@{HOST} u2\n")
    configured(tmp_path)
    done = imported(tmp_path, "--from", "fetchmail")
    assert done.code == 0
    assert seen(tmp_path) == ["u1", "u2"]
    lines = done.err.splitlines()
    file = tmp_path / ".fetchids"
    assert lines[0] == f"{file}:2: warning: line skipped, it makes no sense: '\\x1b]0;line 0\\x07'"
    assert lines[9].startswith(f"{file}:11: warning: ")
    assert lines[10:] == [f"{file}: warning: 15 further lines skipped"]


def test_a_file_of_another_kind(tmp_path: Path) -> None:
    configured(tmp_path)
    done = imported(tmp_path, "--from", "fetchmail", str(tmp_path / "c.xml"))
    assert done.code == 64
    assert done.err.splitlines()[-2:] == [
        f"tui-popretr: no account in {tmp_path}/c.xml",
        "tui-popretr: is it a file of fetchmail?",
    ]


def test_a_program_that_nobody_knows(tmp_path: Path) -> None:
    configured(tmp_path)
    done = imported(tmp_path, "--from", "fetchmial")
    assert done.code == 64
    assert done.err == (
        "tui-popretr: import-seen does not know the program 'fetchmial'; did you mean 'fetchmail'?\n"
        "tui-popretr: --from can be fetchmail, getmail, mpop; write the configuration before it\n"
    )


def test_a_configuration_in_the_wrong_place(tmp_path: Path) -> None:
    path = configured(tmp_path)
    done = run_program(
        "import-seen", "--client", "isp", "--from", "mpop", path, environ={"HOME": str(tmp_path), "XDG_CONFIG_HOME": ""}
    )
    assert done.code == 78
    assert done.err.endswith("tui-popretr: write the configuration before --from: a file after --from is one of mpop\n")


@pytest.mark.parametrize("account", ["me", "@h", "me@"])
def test_an_account_that_is_none(tmp_path: Path, account: str) -> None:
    remembered(tmp_path, "mpop")
    configured(tmp_path)
    done = imported(tmp_path, "--from", "mpop", "--account", account)
    assert done.code == 64
    assert f"--account must be USER@HOST, not '{account}'" in done.err


def test_a_client_without_a_username(tmp_path: Path) -> None:
    remembered(tmp_path, "mpop")
    (tmp_path / "me.pem").touch()
    external = (
        f'<client id="isp" recip="me" {NEW_ONLY}><maildir>m</maildir><server address="{HOST}"><authtypes>SASL_EXTERNAL'
        '</authtypes></server><ssl kspath="me.pem"/></client>'
    )
    configured(tmp_path, external)
    done = imported(tmp_path, "--from", "mpop")
    assert (done.code, done.out) == (64, "")
    assert "name the account: --account USER@HOST" in done.err
    assert imported(tmp_path, "--from", "mpop", "--account", f"me@{HOST}").code == 0


def test_without_newonly_it_is_said_that_marks_have_no_effect(tmp_path: Path) -> None:
    remembered(tmp_path, "mpop")
    path = configured(tmp_path, client("isp", HOST))
    done = imported(tmp_path, "--from", "mpop")
    assert done.code == 0
    assert done.err == f'{path}: warning: client isp: marks have no effect until the client has newonly="Y"\n'


def test_without_a_client_the_ids_are_named(tmp_path: Path) -> None:
    path = configured(tmp_path)
    done = run_program("import-seen", path, "--from", "mpop")
    assert done.code == 64
    assert done.err == (
        "tui-popretr: import-seen needs at least one client: --client ID, which may be repeated\n"
        "tui-popretr: the clients are isp\n"
    )

"""Where mail goes: mailbox, Maildir, folder, and what comes later."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from tests.config.helpers import SERVER, client, error_of, errors, load_text, only_client, settings_of, task, warnings
from tui_popretr.config.choices import Eol
from tui_popretr.config.model import (
    CommandDestination,
    Destination,
    FolderDestination,
    MaildirDestination,
    Modes,
    SmtpDestination,
)
from tui_popretr.config.sources import FromFile


def destination(folder: Path, more: str = "", before: str = "") -> Destination:
    loaded = load_text(folder, task(client(more=more), before=before))
    return settings_of(loaded).clients[0].destination


# --- the message store ----------------------------------------------------------------------------------------------


def test_the_default_is_a_mailbox_under_var(tmp_path: Path) -> None:
    assert destination(tmp_path) == MaildirDestination(str(tmp_path / "var/ms/user1/Maildir"), "user1", Eol.NATIVE)


def test_userpath_and_mailpath(tmp_path: Path) -> None:
    store = "<message_store><userpath>/home</userpath><mailpath>mail/in</mailpath><eol>crlf</eol></message_store>"
    assert destination(tmp_path, before=store) == MaildirDestination("/home/user1/mail/in", "user1", Eol.CRLF)
    store = "<message_store><userpath>%DIRTOP%/x</userpath><mailpath>.</mailpath></message_store>"
    assert destination(tmp_path, before=store) == MaildirDestination(str(tmp_path / "x/user1"), "user1")


@pytest.mark.parametrize("path", ["..", "../x", "a/../../x", "/etc"])
def test_mailpath_stays_in_the_users_folder(tmp_path: Path, path: str) -> None:
    before = f"<message_store><mailpath>{path}</mailpath></message_store>"
    assert "must lie in the user's folder" in error_of(tmp_path, task(client(), before=before))


def test_a_client_may_have_its_own_line_ends(tmp_path: Path) -> None:
    assert destination(tmp_path, "<eol>CRLF</eol>") == MaildirDestination(
        str(tmp_path / "var/ms/user1/Maildir"), "user1", Eol.CRLF
    )
    assert "is not one of native, crlf" in error_of(tmp_path, task(client(more="<eol>lf</eol>")))


def test_without_message_store_a_client_needs_a_destination(tmp_path: Path) -> None:
    off = '<message_store enabled="N"/>'
    assert "the client has no destination" in error_of(tmp_path, task(client(), before=off))
    assert destination(tmp_path, "<maildir>m</maildir>", off) == MaildirDestination(str(tmp_path / "m"))


# --- users ----------------------------------------------------------------------------------------------------------


def directory(folder: Path, users: str) -> str:
    (folder / "users").write_text(users)
    return "<directory><users>users</users></directory>"


def test_the_recip_of_a_mailbox_is_one_of_the_users(tmp_path: Path) -> None:
    before = directory(tmp_path, "user2\nuser3\n")
    message = error_of(tmp_path, task(client(), before=before))
    assert message == "recip 'user1' is not in the directory's users; did you mean 'user3'?"
    assert destination(tmp_path, "<maildir>m</maildir>", before)
    assert destination(tmp_path, "<downloads_directory>d</downloads_directory>", before)
    off = before.replace("<directory>", '<directory enabled="N">')
    assert destination(tmp_path, before=off)


def test_a_mailbox_has_the_name_that_the_users_file_gives_it(tmp_path: Path) -> None:
    assert destination(tmp_path, before=directory(tmp_path, "USER1:x\n")) == MaildirDestination(
        str(tmp_path / "var/ms/USER1/Maildir"), "USER1"
    )


def test_the_error_about_a_missing_directory_file_has_its_name(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, task(client(), before="<directory><domains>none</domains></directory>"))
    assert [str(problem) for problem in loaded.problems] == [
        f"{tmp_path}/none:1:1: error: cannot be read: no such file or directory"
    ]


NOT_UTF8 = os.fsdecode(b"caf\xe9")


@pytest.mark.parametrize(
    ("more", "column"),
    [
        ("", 24),  # the message store's default is in the configuration's folder
        ("<maildir>m</maildir>", 141),
        ("<downloads_directory>~/d</downloads_directory>", 141),
    ],
)
def test_a_path_that_the_journal_cannot_hold_is_refused(tmp_path: Path, more: str, column: int) -> None:
    folder = tmp_path / NOT_UTF8
    loaded = load_text(folder, task(client(more=more)), environ={"HOME": str(folder)})
    (problem,) = loaded.problems
    assert problem.message.startswith(f"the path '{tmp_path}/caf\\udce9/")
    assert problem.message.endswith(
        "' is not valid UTF-8, so the journal cannot remember what is delivered there; rename that folder or name"
        " another"
    )
    assert (problem.line, problem.column) == (1, column)
    assert loaded.settings is None


def test_another_destination_helps(tmp_path: Path) -> None:
    loaded = load_text(tmp_path / NOT_UTF8, task(client(more="<maildir>/m</maildir>")))
    assert settings_of(loaded).clients[0].destination == MaildirDestination("/m")


def test_the_socket_of_a_mail_server_likewise(tmp_path: Path) -> None:
    more = "<smtp><sender>x</sender><lmtp>Y</lmtp><address>%DIRVAR%/lmtp</address></smtp>"
    (message,) = errors(load_text(tmp_path / NOT_UTF8, task(client(more=more))))
    assert "is not valid UTF-8" in message


OWNED = "<directory><virtualusers>N</virtualusers></directory>"


def test_real_users_need_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "only root can do that" in error_of(tmp_path, task(client(), before=OWNED))


def test_real_users_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(name: str) -> object:
        raise KeyError(name)

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(pwd, "getpwnam", nobody)
    assert "this machine has no user 'user1'" in error_of(tmp_path, task(client(), before=OWNED))


@pytest.mark.parametrize("more", ["", "<maildir>m</maildir>", "<downloads_directory>d</downloads_directory>"])
def test_real_users_own_their_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: str) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(pwd, "getpwnam", lambda name: name)
    found = destination(tmp_path, more, OWNED)
    assert isinstance(found, MaildirDestination | FolderDestination)
    assert found.owner == "user1"


def test_plainpass_is_accepted(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, task(client(), before="<directory><plainpass>Y</plainpass></directory>"))
    assert settings_of(loaded)
    assert loaded.problems == ()


# --- Maildir and folder ---------------------------------------------------------------------------------------------


def test_maildir(tmp_path: Path) -> None:
    assert destination(tmp_path, "<maildir>%DIRVAR%/m/%U%</maildir>") == MaildirDestination(
        str(tmp_path / "var/m/user1"), None, Eol.NATIVE
    )
    assert destination(tmp_path, "<maildir>m</maildir><eol>crlf</eol>") == MaildirDestination(
        str(tmp_path / "m"), None, Eol.CRLF
    )


def test_folder(tmp_path: Path) -> None:
    assert destination(tmp_path, "<downloads_directory>/d/%U%</downloads_directory>") == FolderDestination(
        "/d/user1", Eol.CRLF
    )
    found = destination(tmp_path, "<downloads_directory>d</downloads_directory><eol>native</eol>")
    assert found == FolderDestination(str(tmp_path / "d"), Eol.NATIVE)


@pytest.mark.parametrize("name", ["maildir", "downloads_directory"])
def test_modes_of_a_client(tmp_path: Path, name: str) -> None:
    found = destination(tmp_path, f'<{name} filemode="0660" foldermode="02770">m</{name}>')
    assert isinstance(found, MaildirDestination | FolderDestination)
    assert found.modes == Modes(0o660, 0o2770)
    found = destination(tmp_path, f'<{name} foldermode="0750">m</{name}>')
    assert isinstance(found, MaildirDestination | FolderDestination)
    assert found.modes == Modes(0o600, 0o750)


def test_modes_of_the_message_store(tmp_path: Path) -> None:
    store = '<message_store filemode="0640" foldermode="0750"/>'
    expected = MaildirDestination(str(tmp_path / "var/ms/user1/Maildir"), "user1", modes=Modes(0o640, 0o750))
    assert destination(tmp_path, before=store) == expected
    assert destination(tmp_path, "<maildir>m</maildir>", store) == MaildirDestination(str(tmp_path / "m"))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ('<maildir filemode="0999">m</maildir>', "filemode: '0999' is not a mode; write it in octal, like 0660"),
        (
            '<downloads_directory foldermode="07777">m</downloads_directory>',
            "foldermode: '07777' has the setuid or the sticky bit; only setgid is allowed, as in 02770",
        ),
    ],
)
def test_wrong_modes(tmp_path: Path, more: str, message: str) -> None:
    assert error_of(tmp_path, task(client(more=more))) == message


def test_both_wrong_modes_are_reported(tmp_path: Path) -> None:
    store = '<message_store filemode="0060" foldermode="0660"/>'
    found = errors(load_text(tmp_path, task(client(), before=store)))
    assert [message.split(":")[0] for message in found] == ["filemode", "foldermode"]


def test_modes_that_let_every_user_write(tmp_path: Path) -> None:
    more = '<maildir filemode="0666" foldermode="0777">m</maildir>'
    assert warnings(load_text(tmp_path, task(client(more=more)))) == [
        "filemode 0666 lets every user of this machine change the mail",
        "foldermode 0777 lets every user of this machine change the mail",
    ]


def test_an_empty_destination_is_none(tmp_path: Path) -> None:
    assert destination(tmp_path, "<maildir/><downloads_directory> </downloads_directory>") == destination(tmp_path)


def test_a_wrong_path_is_one_error(tmp_path: Path) -> None:
    text = task(client(more="<maildir>%DIRVRA%</maildir>"), before='<message_store enabled="N"/>')
    assert "did you mean 'DIRVAR'?" in error_of(tmp_path, text)


def test_two_destinations_are_a_warning_and_the_first_is_used(tmp_path: Path) -> None:
    more = "<downloads_directory>d</downloads_directory><maildir>m</maildir>"
    loaded = load_text(tmp_path, task(client(more=more)))
    assert settings_of(loaded).clients[0].destination == MaildirDestination(str(tmp_path / "m"))
    assert warnings(loaded) == ["several destinations are named: maildir is used, downloads_directory not"]


# --- mail servers and commands ---------------------------------------------------------------------------------------


def test_smtp_that_is_switched_off(tmp_path: Path) -> None:
    assert destination(tmp_path, '<smtp enabled="N"><sender/></smtp>') == destination(tmp_path)


def test_smtp_settings(tmp_path: Path) -> None:
    sender = "<sender>pop3downloader@localhost</sender>"
    assert destination(tmp_path, f"<smtp>{sender}</smtp>") == SmtpDestination("pop3downloader@localhost", ("user1",))
    more = f"""<smtp enabled="Y">{sender}<address>mail.example.net:587</address><starttls>Y</starttls>
      <username>u</username><password file="p"/><timeout>3m</timeout></smtp>"""
    assert destination(tmp_path, more) == SmtpDestination(
        "pop3downloader@localhost",
        ("user1",),
        "mail.example.net",
        587,
        starttls=True,
        username="u",
        password=FromFile(str(tmp_path / "p")),
        timeout=180.0,
    )
    more = f"<smtp>{sender}<address>/run/lmtp</address><lmtp>Y</lmtp></smtp>"
    assert destination(tmp_path, more) == SmtpDestination(
        "pop3downloader@localhost", ("user1",), port=24, socket_path="/run/lmtp", lmtp=True
    )


def test_a_folder_for_refused_messages(tmp_path: Path) -> None:
    found = destination(tmp_path, "<smtp><sender>a</sender><rejected>%DIRVAR%/no/%U%</rejected></smtp>")
    assert isinstance(found, SmtpDestination)
    assert found.rejected == str(tmp_path / "var/no/user1")
    for element in ("", "<rejected/>", "<rejected>-</rejected>"):
        found = destination(tmp_path, f"<smtp><sender>a</sender>{element}</smtp>")
        assert isinstance(found, SmtpDestination)
        assert found.rejected is None
    (message,) = errors(
        load_text(tmp_path, task(client(more="<smtp><sender>a</sender><rejected>%X%</rejected></smtp>")))
    )
    assert message.startswith("<rejected>: ")


def test_a_rejected_folder_whose_path_is_not_utf8_is_an_error(tmp_path: Path) -> None:
    more = "<smtp><sender>x</sender><rejected>r</rejected></smtp>"
    (message,) = errors(load_text(tmp_path / NOT_UTF8, task(client(more=more))))
    assert "/r' is not valid UTF-8" in message


def test_delivered_to_lines_are_dropped_on_request(tmp_path: Path) -> None:
    for attribute, dropped in (("", False), ('dropdelivered="N"', False), ('dropdelivered="Y"', True)):
        found = destination(tmp_path, f"<smtp {attribute}><sender>a</sender></smtp>")
        assert isinstance(found, SmtpDestination)
        assert found.drop_delivered is dropped


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ('<smtp dropdelivered="maybe"><sender>a</sender></smtp>', "dropdelivered: 'maybe' is neither yes nor no"),
        ("<smtp/>", "<sender> is missing in <smtp>"),
        ("<smtp><sender>a b</sender></smtp>", "is not a mail address"),
        ("<smtp><sender>a</sender><address>::1</address></smtp>", "needs brackets"),
        ("<smtp><sender>a</sender><address>/run/x</address></smtp>", "add <lmtp>Y</lmtp>"),
        ("<smtp><sender>a</sender><username>u</username></smtp>", "<username> needs a <password>"),
        ("<smtp><sender>a</sender><timeout>0</timeout></smtp>", "the time must be more than 0"),
        ("<mda/>", "attribute command is missing in <mda>"),
        ('<mda command="x \'"/>', "quoting"),
    ],
)
def test_wrong_smtp_and_mda_settings(tmp_path: Path, more: str, message: str) -> None:
    assert message in error_of(tmp_path, task(client(more=more)))


@pytest.mark.parametrize(
    ("inside", "message"),
    [
        ("", None),
        ("<address>127.0.0.1:465</address>", None),
        ("<password>x</password>", "<password> has no effect without a <username>"),
        ("<address>127.0.0.1:465</address><starttls>Y</starttls>", "has no effect on port 465"),
        ("<username>u</username><password env='HOME'/>", None),
        ("<address>mail.example:465</address><username>u</username><password env='HOME'/>", None),
        ("<address>mail.example</address><username>u</username><password env='HOME'/>", "mail.example in clear"),
        ("<address>mail.example</address><recip/>", "without a domain, 'me', is for mail.example to interpret"),
        ("<address>mail.example</address><recip/><lmtp>Y</lmtp>", None),
        ("<timeout>30</timeout>", "timeout is under 5 s (a bare number is milliseconds)"),
    ],
)
def test_smtp_settings_that_are_probably_not_intended(tmp_path: Path, inside: str, message: str | None) -> None:
    more = f"<smtp><sender>a</sender>{inside.replace('<recip/>', '')}</smtp>"
    text = client(more=more).replace("user1", "me" if "<recip/>" in inside else "me@one.example")
    found = [
        each for each in warnings(load_text(tmp_path, task(text), environ={"HOME": "x"})) if "may read" not in each
    ]
    assert len(found) == (message is not None)
    assert message is None or message in found[0]


def test_an_alias_expands_to_the_recipients(tmp_path: Path) -> None:
    (tmp_path / "domains").write_text("one.example\n")
    (tmp_path / "aliases").write_text("info : a : b@two.example\nnobody : .\n")
    before = "<directory><domains>domains</domains><aliases>aliases</aliases></directory>"
    smtp = "<smtp><sender>me</sender></smtp>"
    text = client(more=smtp).replace("user1", "info@one.example")
    found = settings_of(load_text(tmp_path, task(text, before=before))).clients[0].destination
    assert isinstance(found, SmtpDestination)
    assert found.recipients == ("a@one.example", "b@two.example")
    text = client(more=smtp).replace("user1", "nobody@one.example")
    assert "leads only to the sink" in error_of(tmp_path, task(text, before=before))


def test_a_command(tmp_path: Path) -> None:
    found = destination(tmp_path, "<mda command=\"dovecot-lda -d 'user 1'\"/>")
    assert found == CommandDestination(("dovecot-lda", "-d", "user 1"), 300.0, Eol.NATIVE)
    found = destination(tmp_path, '<mda command="deliver" timeout="90s"/><eol>crlf</eol>')
    assert found == CommandDestination(("deliver",), 90.0, Eol.CRLF)


def test_the_recip_is_never_more_than_a_part_of_a_word(tmp_path: Path) -> None:
    text = client(more='<mda command="lda -d %U% --box=%U%@x"/>').replace("user1", "user 1; &quot;")
    assert only_client(tmp_path, text).destination == CommandDestination(
        ("lda", "-d", 'user 1; "', '--box=user 1; "@x')
    )


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("sendmail -i -f '&lt;>' me", None),
        ("sh -c 'tee /tmp/x | procmail &amp;&amp; true'", None),
        (
            "cat >> mail",
            "no shell runs the command, so '>>' is a plain argument; write sh -c '...' around the command",
        ),
        ("procmail 2>/dev/null", "so '2>/dev/null' is a plain argument"),
        ("|procmail", "so '|procmail' is a plain argument"),
        ("filter | procmail", "so '|' is a plain argument"),
        ("procmail ~/.rc", "so '~/.rc' is a plain argument"),
        ("procmail $rc", "so '$rc' is a plain argument"),
        ("procmail -d %T", "'%T' has no meaning here; %U% is the recip"),
    ],
)
def test_a_command_that_is_probably_not_intended(tmp_path: Path, command: str, message: str | None) -> None:
    found = warnings(load_text(tmp_path, task(client(more=f'<mda command="{command}"/>'))))
    assert len(found) == (message is not None)
    assert message is None or message in found[0]


LDA = "/usr/lib/dovecot/dovecot-lda"


@pytest.mark.parametrize(
    ("command", "warned"),
    [
        ("dovecot-lda", True),
        (f"{LDA} -d %U%", True),
        (f"{LDA} -e -d %U%", False),
        (f"{LDA} -d %U% -e", False),
        (f"{LDA} -ke", False),
        (f"{LDA} -ed me", False),
        (f"{LDA} -kd me -m INBOX -e", False),
        (f"{LDA} -d -e", True),
        (f"{LDA} -dex", True),
        (f"{LDA} -m e -f -e", True),
        (f"{LDA} -o x=-e", True),
        (f"{LDA} -- -e", True),
        ("/opt/dovecot-2.4/libexec/dovecot/dovecot-lda", True),
        ("/usr/lib/dovecot/deliver -d me", True),
        ("/usr/lib/dovecot/deliver -e -d me", False),
        ("/usr/lib/cyrus/bin/deliver -d me", False),
        (f"sudo -u vmail {LDA} -d me", True),
        (f"sudo -u vmail {LDA} -d me -e", False),
        (f"setpriv -e {LDA}", True),
        (f"sh -c 'spamc | {LDA} -d me'", True),
        (f"sh -c 'spamc | {LDA} -e -d me'", False),
        (f"sh -c 'spamc -e|{LDA}; logger -e'", True),
        (f"bash -o pipefail -c 'spamc -e | {LDA} -d me 2>&amp;1 -e'", False),
        (f"sh -c '{LDA} -d me&amp;&amp;touch -e'", True),
        (f"sh -c 'echo &quot;; {LDA}'", False),
        ("mydovecot-lda-wrapper -d me", False),
        ("cat", False),
    ],
)
def test_dovecot_lda_without_e(tmp_path: Path, command: str, warned: bool) -> None:
    loaded = load_text(tmp_path, task(client(more=f'<mda command="{command}"/>')))
    found = [message for message in warnings(loaded) if "dovecot-lda without -e" in message]
    assert len(found) == warned
    if warned:
        assert "over quota" in found[0]
        assert "deleted from the server; add -e" in found[0]
        assert "a message that a Sieve script rejects is never stored" in found[0]


def test_a_timeout_of_a_command_without_a_unit(tmp_path: Path) -> None:
    found = warnings(load_text(tmp_path, task(client(more='<mda command="x" timeout="300"/>'))))
    assert found == ["timeout is under 5 s (a bare number is milliseconds)"]
    assert "timeout" in error_of(tmp_path, task(client(more='<mda command="x" timeout="0"/>')))


def test_smtp_comes_first(tmp_path: Path) -> None:
    more = '<maildir>m</maildir><mda command="x"/><smtp><sender>a</sender></smtp><eol>crlf</eol>'
    loaded = load_text(tmp_path, task(client(more=more, server=SERVER)))
    assert isinstance(settings_of(loaded).clients[0].destination, SmtpDestination)
    assert "several destinations are named: smtp is used, mda and maildir not" in warnings(loaded)
    assert "<eol> has no effect with smtp" in warnings(loaded)

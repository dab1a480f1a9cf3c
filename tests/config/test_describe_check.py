"""The sentences with which `check` describes a client."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.helpers import SERVER, client, only_client
from tui_popretr.config.describe import describe


def test_a_simple_client(tmp_path: Path) -> None:
    assert describe(only_client(tmp_path, client())) == (
        "Every 5 minutes, retrieves all mail from 127.0.0.1:110 without TLS, logging in as me with USERPASS, else"
        f" SASL_PLAIN, and delivers it to the mailbox of user1 ({tmp_path}/var/ms/user1/Maildir)."
        " What was delivered is deleted from the server, except messages that arrive cut short."
    )


def test_a_careful_client(tmp_path: Path) -> None:
    server = (
        '<server address="[::1]"><username>me</username><password command="pass x"/><authtypes>APOP</authtypes>'
        "</server>"
    )
    found = only_client(
        tmp_path,
        client(
            'freq="1h" preserve="Y" newonly="Y" deleteafter="14d" maxsize="25M" maxmessages="100"',
            server=server,
            more='<ssl latent="Y"/><maildir>/m</maildir>',
        ),
    )
    assert describe(found) == (
        "Every hour, retrieves new mail (at most 100 messages at a time) from [::1]:110 over TLS (STLS), logging in as"
        " me with APOP (password from the command pass), and delivers it to the Maildir /m. Each message is retrieved"
        " once, and deleted from the server by the first run after 14 days, unless it arrived cut"
        " short; what mark-seen or import-seen has marked"
        " stays there. Messages larger than 25M are not retrieved and stay on the server."
    )


def test_pipelining_and_capa(tmp_path: Path) -> None:
    words = describe(only_client(tmp_path, client('capa="never" pipelining="N"')))
    assert "without TLS, one command at a time, never asking for its capabilities, logging in" in words


@pytest.mark.parametrize(
    ("attributes", "start"),
    [
        ('freq="0"', "Once,"),
        ('runs="1"', "Once,"),
        ('freq="0" runs="3"', "3 times in succession,"),
        ('freq="0" runs="0"', "Over and over without a pause,"),
        ('freq="1d"', "Every day,"),
        ('freq="90m" runs="4"', "Every 1 hour 30 minutes, 4 times in all,"),
    ],
)
def test_schedules(tmp_path: Path, attributes: str, start: str) -> None:
    assert describe(only_client(tmp_path, client(attributes))).startswith(f"{start} retrieves")


def test_where_passwords_come_from(tmp_path: Path) -> None:
    for element, words in (
        ('<password env="PW"/>', "(password from $PW)"),
        ('<password file="/p"/>', "(password from /p)"),
        ("<password>s3cret</password>", "SASL_PLAIN, and"),
    ):
        server = SERVER.replace("<password>secret</password>", element)
        text = describe(only_client(tmp_path, client(server=server), environ={"PW": "s3cret"}))
        assert words in text
        assert "s3cret" not in text


def test_a_certificate_and_preserve(tmp_path: Path) -> None:
    server = '<server address="localhost"><authtypes>SASL_EXTERNAL</authtypes></server>'
    more = '<ssl kspath="rc.xml"/><downloads_directory>/d</downloads_directory>'
    text = describe(only_client(tmp_path, client('preserve="Y" freq="0"', server=server, more=more)))
    assert "from localhost:995 over TLS, logging in by the client certificate with SASL_EXTERNAL" in text
    assert " saves each message as a file in /d. Everything stays on the server" in text


DELETED = "What was delivered is deleted from the server, except messages that arrive cut short."
DELETED_UNLESS_MARKED = (
    "What was delivered is deleted from the server, except messages that arrive cut short; what"
    " mark-seen or import-seen has marked stays there."
)
KEPT = "Everything stays on the server, and the next run retrieves all of it again."
KEPT_BEGINNING = "Everything stays on the server, and the next run retrieves the same messages again."
KEPT_ONCE = "Everything stays on the server, and each message is retrieved once."
FOR_A_TIME = (
    "What was delivered is deleted from the server by the first run after 14 days, except messages"
    " that arrive cut short; until then each run retrieves it"
    " again."
)
ONCE_FOR_A_TIME = (
    "Each message is retrieved once, and deleted from the server by the first run after 14 days,"
    " unless it arrived cut short; what mark-seen or"
    " import-seen has marked stays there."
)
TOO_LARGE = "Messages larger than 25M are not retrieved and stay on the server."


@pytest.mark.parametrize("larger", [False, True], ids=["", "maxsize"])
@pytest.mark.parametrize(
    ("attributes", "what", "then"),
    [
        ("", "all mail", DELETED),
        ('maxmessages="100"', "all mail (at most 100 messages at a time)", DELETED),
        ('newonly="Y"', "new mail", DELETED_UNLESS_MARKED),
        ('newonly="Y" maxmessages="100"', "new mail (at most 100 messages at a time)", DELETED_UNLESS_MARKED),
        ('preserve="Y"', "all mail", KEPT),
        ('preserve="Y" maxmessages="1"', "all mail (at most 1 message at a time)", KEPT_BEGINNING),
        ('preserve="Y" maxmessages="5" runs="1"', "all mail (at most 5 messages)", KEPT_BEGINNING),
        ('preserve="Y" newonly="Y"', "new mail", KEPT_ONCE),
        ('preserve="Y" newonly="Y" maxmessages="100"', "new mail (at most 100 messages at a time)", KEPT_ONCE),
        ('preserve="Y" deleteafter="14d"', "all mail", FOR_A_TIME),
        (
            'preserve="Y" deleteafter="14d" maxmessages="100"',
            "all mail (at most 100 messages at a time)",
            FOR_A_TIME,
        ),
        ('preserve="Y" newonly="Y" deleteafter="14d"', "new mail", ONCE_FOR_A_TIME),
        (
            'preserve="Y" newonly="Y" deleteafter="14d" maxmessages="100"',
            "new mail (at most 100 messages at a time)",
            ONCE_FOR_A_TIME,
        ),
    ],
)
def test_what_is_retrieved_and_what_stays_on_the_server(
    tmp_path: Path, attributes: str, what: str, then: str, larger: bool
) -> None:
    text = describe(only_client(tmp_path, client(f'{attributes} maxsize="25M"' if larger else attributes)))
    assert f" retrieves {what} from 127.0.0.1:110" in text
    assert text.endswith(f"/Maildir). {then}{' ' + TOO_LARGE if larger else ''}")


def test_a_pinned_certificate(tmp_path: Path) -> None:
    text = describe(only_client(tmp_path, client(more=f'<ssl latent="Y" fingerprint="{"ab" * 32}"/>')))
    assert " from 127.0.0.1:110 over TLS (STLS), its certificate pinned, logging in " in text


def test_an_old_server_and_a_name_in_another_script(tmp_path: Path) -> None:
    server = SERVER.replace("127.0.0.1", "pop.straße.example.")
    text = describe(only_client(tmp_path, client(server=server, more='<ssl legacy="Y"/>')))
    assert " from pop.straße.example.:995 over TLS, outdated TLS included, logging in " in text


def test_mail_servers_and_commands(tmp_path: Path) -> None:
    text = describe(only_client(tmp_path, client(more="<smtp><sender>x</sender></smtp>")))
    assert "sends it by SMTP through localhost:25 to user1." in text
    text = describe(only_client(tmp_path, client(more='<mda command="lda -d x"/>')))
    assert "hands each message to the command lda." in text


def test_modes(tmp_path: Path) -> None:
    text = describe(only_client(tmp_path, client(more='<maildir filemode="0660" foldermode="02770">/m</maildir>')))
    assert " the Maildir /m, with mode 0660 for files and 02770 for new folders. What was" in text
    more = '<downloads_directory filemode="640">/d</downloads_directory>'
    text = describe(only_client(tmp_path, client(more=more)))
    assert " a file in /d, with mode 0640 for files and 0700 for new folders. What was" in text


def test_delivered_to_fields_that_are_removed(tmp_path: Path) -> None:
    more = "<smtp{}><sender>me</sender></smtp>"
    text = describe(only_client(tmp_path, client(more=more.format(' dropdelivered="Y"'))))
    assert " through localhost:25 to user1, without its Delivered-To lines. What" in text
    assert "Delivered-To" not in describe(only_client(tmp_path, client(more=more.format(""))))


def test_a_folder_for_refused_messages(tmp_path: Path) -> None:
    more = "<smtp><sender>me</sender><rejected>/r</rejected></smtp>"
    text = describe(only_client(tmp_path, client(more=more)))
    assert " through localhost:25 to user1; what is refused for good is saved in /r. What" in text

"""docs/differences.md: every row names a test that fails when it is no longer so; what no other file tests is here."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.config.helpers import client as a_client
from tests.config.helpers import load_text, settings_of, task
from tests.program.process import client, run_program, write_configuration
from tests.support.passwords import PASSWORD
from tests.support.popserver import ServedMaildrop
from tests.support.popserver_thread import running_server

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs/differences.md"

#: The first cell of a row: the tests that show it, as FILE::TEST in this folder.
SHOWN_BY = {
    # Configuration
    "unknown or misspelt names": ["config/test_grammar.py::test_unknown_names_in_a_client"],
    "several mistakes": [
        "config/test_reader.py::test_all_mistakes_at_once_each_at_its_place",
        "cli/test_check.py::test_ten_mistakes_are_ten_messages_at_their_places",
    ],
    "`localuser`, `addr`, `rootpath`": [
        "config/test_grammar.py::test_unknown_names_in_a_client",
        "config/test_grammar.py::test_rootpath_is_called_userpath_today",
    ],
    "a boolean that is neither yes nor no": ["config/test_values.py::test_neither_yes_nor_no"],
    "`enabled`": ["test_differences.py::test_enabled_is_honoured_everywhere_in_any_case"],
    "`%DIR...%` in log paths": ["config/test_logfiles.py::test_time_tokens_stay_and_folder_tokens_go"],
    "aliases of aliases": ["config/test_directory.py::test_aliases_of_aliases_in_any_order"],
    "an alias that leads back to itself": ["config/test_directory.py::test_each_loop_is_one_error"],
    "passwords in the users file": [
        "config/test_directory.py::test_names_lose_their_case_and_passwords_keep_everything"
    ],
    "where a password may stand": [
        "config/test_clients.py::test_a_password_from_the_environment",
        "config/test_clients.py::test_a_password_from_a_file",
        "config/test_clients.py::test_a_password_from_a_command",
    ],
    "`naf.xml`": ["config/test_naf.py::test_its_folders_count"],
    "its other programs and their settings": [
        "config/test_grammar.py::test_each_ignored_name_is_noted_once",
        "config/test_samples.py::test_a_mailismus_installation_is_used_as_it_is",
    ],
    # Sessions
    '`freq="0"` with `runs="0"`': ["engine/test_client.py::test_without_freq_sessions_keep_the_minimum_interval"],
    "a client that has done its runs": [
        "engine/test_client.py::test_who_is_done_stays_and_does_not_disturb_the_others",
        "session/test_stop.py::test_a_client_that_ends_disturbs_no_other",
    ],
    "a refused CAPA": ["session/test_dialogue.py::test_a_refused_capa_is_harmless"],
    "-ERR for one message": [
        "session/test_trouble.py::test_a_refused_message_does_not_affect_the_others",
        "dovecot/test_signals.py::test_one_message_that_the_server_cannot_read",
    ],
    "a message that breaks the connection": [
        "session/test_trouble.py::test_a_message_that_breaks_the_connection",
        "session/test_trouble.py::test_after_three_failures_a_message_backs_off",
    ],
    "trouble after messages were delivered": [
        "session/test_twice.py::test_deletions_that_quit_did_not_do_are_made_up_for",
        "session/test_twice.py::test_another_message_under_a_used_uid_is_delivered",
        "dovecot/test_keeping.py::test_a_connection_that_is_cut_before_quit_is_answered",
    ],
    "octets in clear behind STLS's +OK": [
        "session/test_dialogue.py::test_no_credentials_without_tls",
        "pop3/test_machine.py::test_injected_bytes_are_seen_before_and_after_the_handshake",
    ],
    "names in certificates": ["net/test_stream.py::test_wildcards_addresses_and_case"],
    "Java key stores (JKS)": ["config/test_clients.py::test_the_error_about_a_java_key_store_has_the_keytool_command"],
    "many messages": ["session/test_dialogue.py::test_pipelining_where_the_server_has_it"],
    # Messages and logs
    "dot-stuffing in stored messages": ["test_differences.py::test_a_message_arrives_as_it_was_sent"],
    "addresses in stored messages": ["test_differences.py::test_a_message_arrives_as_it_was_sent"],
    "when a message is deleted": ["session/test_dialogue.py::test_a_dele_comes_behind_file_audit_line_and_journal"],
    "passwords in the transcript": [
        "session/test_connection.py::test_echoed_secrets_never_appear_in_the_transcript",
        "dovecot/test_login.py::test_the_transcript_shows_each_step_and_no_secret",
    ],
    "a log that goes quiet": ["engine/test_logfiles.py::test_a_quiet_log_reaches_the_disk_within_its_flush"],
    # Decided here
    "SMTP mode": ["config/test_destinations.py::test_smtp_settings"],
    "the Received header": ["mail/test_received.py::test_where_it_came_from"],
    "EHLO and LHLO": ["delivery/smtp/test_hello.py::test_the_name_in_ehlo"],
    "the root folder": [
        "config/test_paths.py::test_root_is_the_parent_of_a_folder_called_conf",
        "config/test_naf.py::test_one_that_is_named_counts_instead_and_root_begins_there",
    ],
    "the message store": [
        "config/test_destinations.py::test_userpath_and_mailpath",
        "delivery/test_contract.py::test_a_maildir_is_made_whole",
    ],
    "a file in `downloads_directory`": [
        "delivery/test_names.py::test_a_folder_name_is_as_documented",
        "delivery/test_contract.py::test_nothing_is_ever_replaced",
    ],
    "a DTD, entities, external references": ["config/test_reader.py::test_entities_are_refused"],
    "two clients on one account": [
        "engine/test_slots.py::test_sessions_on_one_maildrop_never_overlap",
        "config/test_checks.py::test_two_clients_on_one_maildrop",
    ],
    "a rejected login": ["engine/test_client.py::test_rejected_logins_back_off_until_the_user_polls"],
    "`[IN-USE]` and the server's other reasons": ["session/test_login.py::test_response_codes_end_the_attempt_at_once"],
    "TLS": ["net/test_tls.py::test_the_oldest_version"],
    "`mandatory`, `clientauth`, `cache`, `expiry` and `shake` of `ssl`": [
        "config/test_grammar.py::test_each_ignored_name_is_noted_once"
    ],
}


def rows() -> list[list[str]]:
    """The cells of all tables, without their heads."""
    found = []
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and cells[0] and not set(line) <= set("|-"):
            found.append(cells)
    return found


def test_every_row_has_a_test_and_every_test_a_row() -> None:
    names = [cells[0] for cells in rows()]
    assert len(names) == len(set(names))
    assert set(names) == SHOWN_BY.keys()


def test_every_row_says_why() -> None:
    for cells in rows():
        assert len(cells) in (3, 4), cells
        assert all(cells), cells


@cache
def names_in(path: Path) -> frozenset[str]:
    """The names of the test functions of a file, without importing it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return frozenset(function.name for function in functions)


@pytest.mark.parametrize("shown_by", sorted({test for tests in SHOWN_BY.values() for test in tests}))
def test_the_tests_are_there(shown_by: str) -> None:
    path, _, name = shown_by.partition("::")
    assert name in names_in(ROOT / "tests" / path)


# --- what no other file tests -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("no", ["N", "n", "No", "FALSE", "off", "0"])
def test_enabled_is_honoured_everywhere_in_any_case(no: str, tmp_path: Path) -> None:
    """What is switched off may hold anything: it is as if it were not there."""
    off = f'enabled="{no}"'
    before = (
        f"<directory {off}><users>/nowhere/users</users></directory>"
        f"<message_store {off}><userpath>/nowhere</userpath></message_store>"
        f"<audit {off}>a.log</audit><transcript {off}>t.log</transcript><trace {off}>x.log</trace>"
    )
    more = f'<ssl {off} latent="Y"/><smtp {off}/><downloads_directory>d</downloads_directory>'
    found = settings_of(
        load_text(tmp_path, task(a_client(more=more) + f'<client {off} id="b" recip="x"/>', before=before))
    )
    assert (found.audit, found.transcript, found.trace) == (None, None, None)
    assert found.disabled == ("b",)
    (only,) = found.clients
    assert only.server.tls is None
    assert only.server.port == 110


SENT = (
    b"From: Alice.Example@Sender.EXAMPLE (Alice)\r\nTo: Bob@HOME.Example\r\nMessage-ID: <M1@Sender.EXAMPLE>\r\n"
    b"Subject: MiXeD\r\n\r\n.\r\n..\r\n...three\r\n.one\r\nwrite to Bob@HOME.Example\r\n.\r\n"
)


def test_a_message_arrives_as_it_was_sent(tmp_path: Path) -> None:
    """Its dots without the stuffing, its addresses with their capitals, and nothing added but the Received header."""
    box = ServedMaildrop("me", PASSWORD)
    box.add(SENT)
    with running_server([box]) as server:
        more = "<downloads_directory>%DIRVAR%/mail</downloads_directory>"
        path = write_configuration(
            tmp_path / "c.xml",
            client("isp", server.address, more=more, attributes='preserve="Y"'),
        )
        assert run_program(path, "--headless", "--once").code == 0
    (file,) = (tmp_path / "var/mail").iterdir()
    added = re.match(rb"Received: from [^\r\n]+\r\n(?:\t[^\r\n]+\r\n)+", file.read_bytes())
    assert added is not None
    assert file.read_bytes()[added.end() :] == SENT

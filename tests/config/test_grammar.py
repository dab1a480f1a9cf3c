"""Names: roots, unknown, misspelt, misplaced, stale, repeated and ignored ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.helpers import SERVER, client, error_of, errors, load_text, messages, settings_of, task
from tui_popretr.config.problems import Severity


def test_both_roots(tmp_path: Path) -> None:
    inner = f"<clients>{client()}</clients>"
    whole = f"<mailserver><pop3download>{inner}</pop3download></mailserver>"
    assert [each.id for each in settings_of(load_text(tmp_path, whole)).clients] == ["a"]
    assert [each.id for each in settings_of(load_text(tmp_path, task(client()))).clients] == ["a"]


def test_the_shared_sections_may_stand_in_a_bare_root(tmp_path: Path) -> None:
    before = "<dirpaths><var>v</var></dirpaths><application/><directory/><message_store/>"
    assert settings_of(load_text(tmp_path, task(client(), before=before))).paths.var == str(tmp_path / "v")


def test_the_shared_sections_belong_to_the_root(tmp_path: Path) -> None:
    text = f"<mailserver>{task(client(), before='<dirpaths/>')}</mailserver>"
    assert error_of(tmp_path, text) == "unknown <dirpaths> in <pop3download>; it belongs in <mailserver>"


def test_another_root(tmp_path: Path) -> None:
    message = "the root element is 'html', but a configuration begins with <mailserver> or <pop3download>"
    assert error_of(tmp_path, "<html/>") == message
    message = message.replace("html", "naf") + "; name the mailserver.xml that goes with this file"
    assert error_of(tmp_path, "<naf><dirpaths/></naf>") == message


def test_a_mailserver_without_retriever(tmp_path: Path) -> None:
    assert "<pop3download> is missing" in error_of(tmp_path, "<mailserver><mta/></mailserver>")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (client('frq="5m"'), "unknown attribute frq in <client>; did you mean 'freq'?"),
        (client('Preserve="Y"'), "unknown attribute Preserve in <client>; did you mean 'preserve'?"),
        (client('qqqqqq="Y"'), "unknown attribute qqqqqq in <client>"),
        (client(more="<download_directory>x</download_directory>"), "did you mean 'downloads_directory'?"),
        (client(more="<freq>5m</freq>"), 'unknown <freq> in <client>; it is an attribute: <client freq="...">'),
        (client('ssl="Y"'), "unknown attribute ssl in <client>; it is an element: <ssl>...</ssl>"),
        (client('tspath="x"'), "unknown attribute tspath in <client>; it belongs in <ssl>"),
        (client(more="<authtypes>APOP</authtypes>"), "unknown <authtypes> in <client>; it belongs in <server>"),
        (client(more="<eols>crlf</eols>"), "did you mean 'eol'?"),
        (client('maildirs="x"'), "did you mean 'maildir', which is an element?"),
        (client(more=SERVER), "<server> occurs a second time in <client>; see line 1"),
        (client(more="<folder>x</folder>"), "unknown <folder> in <client>; did you mean 'downloads_directory'?"),
        (client(more="<smtp>secret<sender>a@b</sender></smtp>"), "the recipient is the client's recip"),
        (client(more="secret"), "<client> contains text, but only elements are expected in it"),
        ('<client id="a" localuser="b">' + SERVER + "</client>", "it is called recip today"),
        (client(server=SERVER.replace("address", "addr")), "it is called address today"),
    ],
)
def test_unknown_names_in_a_client(tmp_path: Path, text: str, message: str) -> None:
    found = error_of(tmp_path, task(text))
    assert message in found
    assert "secret" not in found


def test_rootpath_is_called_userpath_today(tmp_path: Path) -> None:
    text = task(client(), before="<message_store><rootpath>x</rootpath></message_store>")
    assert "it is called userpath today" in error_of(tmp_path, text)


def test_a_misspelt_mandatory_name_is_one_mistake(tmp_path: Path) -> None:
    text = '<client idd="a" recp="b"><servr address="x"/></client>'
    assert [message.split(";")[0] for message in errors(load_text(tmp_path, task(text)))] == [
        "unknown attribute idd in <client>",
        "unknown attribute recp in <client>",
        "unknown <servr> in <client>",
    ]


def test_names_are_checked_in_disabled_clients_too(tmp_path: Path) -> None:
    assert "did you mean 'freq'?" in error_of(tmp_path, task(client() + '<client enabled="N" frq="1"/>'))


IGNORED = (
    "<database> | attribute class | <dotstuffing> | <exclusive> | <filename_colon> | <chmod_dir> | <mta> | <imap>"
    " | <pop3server> | attribute nosmtp | <niobuffers> | <rcvbufsiz> | <delay_close> | attribute pid | attribute tid"
    " | attribute tname | attribute delta | attribute clientauth | attribute cache | attribute expiry | attribute shake"
)


def test_each_ignored_name_is_noted_once(tmp_path: Path) -> None:
    text = f"""<mailserver>
 <application><database enabled="Y"><connurl>x</connurl></database></application>
 <message_store class="x"><dotstuffing>N</dotstuffing><exclusive>N</exclusive><filename_colon>:</filename_colon>
  <chmod_dir>700</chmod_dir></message_store>
 <mta><anything at="all"/></mta><imap/><pop3server/>
 <pop3download nosmtp="Y">
  <niobuffers/><rcvbufsiz>1</rcvbufsiz><delay_close>1s</delay_close>
  <audit pid="Y" tid="Y" tname="Y" delta="Y" class="x">a.log</audit>
  <clients>
   {client(more='<ssl mandatory="Y" clientauth="0" cache="0" expiry="1h" shake="0"/>')}
   <client id="b" recip="b"><server address="localhost"><username>b</username><password>b</password></server>
    <ssl mandatory="Y"/></client>
  </clients>
 </pop3download>
</mailserver>"""
    loaded = load_text(tmp_path, text)
    assert not errors(loaded)
    notes = messages(loaded, Severity.NOTE)
    for name in IGNORED.split(" | "):
        assert f"{name} has no effect here and is ignored" in notes
    assert "attribute mandatory has no effect here and is ignored (and 1 more time in this file)" in notes
    assert len(notes) == len(set(notes)) + 1  # class stands in two sections

"""The commands: on the wire, in logs, and what cannot be sent."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.imap.dialogue import INBOX
from tui_popretr.imap import (
    MAX_NUMBER,
    AddLabels,
    Append,
    Authenticate,
    Authentication,
    Capabilities,
    Code,
    Command,
    Condition,
    Continuation,
    Create,
    Examine,
    FetchData,
    FolderListed,
    FolderStatus,
    ListFolders,
    LocalProtocolError,
    Login,
    Message,
    Response,
    SaslCancel,
    SaslResponse,
    Search,
    SearchHeader,
    Status,
    StatusOf,
    Text,
    UidSet,
    folder_name,
    uid_set,
    utf7,
)
from tui_popretr.imap.codes import split
from tui_popretr.imap.parsing import parse_data
from tui_popretr.imap.sending import Sending
from tui_popretr.imap.values import Atom, NotAValue, parse
from tui_popretr.sasl import Response as SaslText
from tui_popretr.sasl import begin
from tui_popretr.secret import Secret

SECRET = SaslText(Secret("geheim"))
UMLAUTS = folder_name("Entwürfe", utf8=False)
DATED = Message(12, ("\\Seen", "$Label1"), " 7-Feb-2026 22:30:00 +0100", binary=True)


@pytest.mark.parametrize(
    ("command", "wire", "shown"),
    [
        (Login("me", Secret('a"b\\')), b'LOGIN "me" "a\\"b\\\\"', 'LOGIN "me" ****'),
        (Login("mé", Secret("ü")), b"LOGIN {3+}\r\nm\xc3\xa9 {2+}\r\n\xc3\xbc", 'LOGIN "mé" ****'),
        (Login("me", Secret("\udcff")), b'LOGIN "me" {1+}\r\n\xff', 'LOGIN "me" ****'),
        (Login("me", Secret("a\r\nb")), b'LOGIN "me" {4+}\r\na\r\nb', 'LOGIN "me" ****'),
        (Authenticate("PLAIN"), b"AUTHENTICATE PLAIN", "AUTHENTICATE PLAIN"),
        (Authenticate("PLAIN", SECRET), b"AUTHENTICATE PLAIN Z2VoZWlt", "AUTHENTICATE PLAIN ****"),
        (Authenticate("EXTERNAL", SaslText(Secret(""))), b"AUTHENTICATE EXTERNAL =", "AUTHENTICATE EXTERNAL ****"),
        (Create(UMLAUTS), b'CREATE "Entw&APw-rfe"', 'CREATE "Entw&APw-rfe"'),
        (Create(folder_name("Entwürfe", utf8=True)), 'CREATE "Entwürfe"'.encode(), 'CREATE "Entwürfe"'),
        (Examine(Text(b"a" * 801)), b"EXAMINE {801+}\r\n" + b"a" * 801, f'EXAMINE "{"a" * 801}"'),
        (
            StatusOf(INBOX),
            b'STATUS "INBOX" (MESSAGES UIDNEXT UIDVALIDITY)',
            'STATUS "INBOX" (MESSAGES UIDNEXT UIDVALIDITY)',
        ),
        (ListFolders(INBOX), b'LIST "" "INBOX"', 'LIST "" "INBOX"'),
        (
            SearchHeader("Message-ID", b"<a\"b@c>", 7),
            b'UID SEARCH UID 7:* HEADER Message-ID "<a\\"b@c>"',
            'UID SEARCH UID 7:* HEADER Message-ID "<a\\"b@c>"',
        ),
        (
            SearchHeader("Subject", b"\xc3\xbc"),
            b"UID SEARCH CHARSET UTF-8 UID 1:* HEADER Subject {2+}\r\n\xc3\xbc",
            'UID SEARCH CHARSET UTF-8 UID 1:* HEADER Subject "ü"',
        ),
        (FetchData((9, 7, 8, 3), ("UID", "X")), b"UID FETCH 3,7:9 (UID X)", "UID FETCH 3,7:9 (UID X)"),
        (
            AddLabels((7,), (Text(b"a b"), UMLAUTS)),
            b'UID STORE 7 +X-GM-LABELS.SILENT ("a b" "Entw&APw-rfe")',
            'UID STORE 7 +X-GM-LABELS.SILENT ("a b" "Entw&APw-rfe")',
        ),
    ],
)  # fmt: skip
def test_the_two_forms(command: Command, wire: bytes, shown: str) -> None:
    assert Sending(command, b"a1", None).next() == b"a1 " + wire + b"\r\n"
    assert command.shown() == shown
    assert "geheim" not in repr(command)


def test_append_names_flags_and_date() -> None:
    command = Append(INBOX, (DATED, Message(5)))
    sending = Sending(command, b"a1", None)
    head = b'(\\Seen $Label1) " 7-Feb-2026 22:30:00 +0100" ~{12+}'
    assert sending.next() == b'a1 APPEND "INBOX" ' + head + b"\r\n"
    assert command.shown() == 'APPEND "INBOX" (\\Seen $Label1) " 7-Feb-2026 22:30:00 +0100" ~{12} {5}'


def test_responses_have_no_tag() -> None:
    assert Sending(SaslResponse(SECRET), b"a1", 0).next() == b"Z2VoZWlt\r\n"
    assert Sending(SaslCancel(), b"a1", 0).next() == b"*\r\n"


@pytest.mark.parametrize(
    "make",
    [
        lambda: Login("a\0", Secret("")),
        lambda: Login("a", Secret("\0")),
        lambda: Login("a", Secret("\ud800")).parts(),
        lambda: Authenticate("PLAIN X"),
        lambda: folder_name("a\r\nb", utf8=False),
        lambda: folder_name("a\0", utf8=True),
        lambda: folder_name("\ud800", utf8=False),
        lambda: folder_name("\ud800", utf8=True),
        lambda: SearchHeader("A:B", b"x"),
        lambda: SearchHeader("A", b"\0"),
        lambda: SearchHeader("A", b"x", 0),
        lambda: SearchHeader("A", b"x", MAX_NUMBER + 1),
        lambda: FetchData((), ("UID",)),
        lambda: FetchData((0,), ("UID",)),
        lambda: AddLabels((MAX_NUMBER + 1,), ()),
        lambda: Append(INBOX, ()),
        lambda: Message(0),
        lambda: Message(MAX_NUMBER + 1),
        lambda: Message(1, ("a b",)),
        lambda: Message(1, ("\\",)),
        lambda: Message(1, ("ü",)),
        lambda: Message(1, (), 'x" {9}'),
    ],
)
def test_what_cannot_be_sent(make: Callable[[], object]) -> None:
    with pytest.raises(LocalProtocolError):
        make()


def test_an_error_does_not_repeat_the_password() -> None:
    with pytest.raises(LocalProtocolError) as caught:
        Login("a", Secret("geheim\ud800")).parts()
    assert "geheim" not in repr(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("name", "coded"),
    [
        ("INBOX", b"INBOX"),
        ("a&b", b"a&-b"),
        ("Entwürfe", b"Entw&APw-rfe"),
        ("台北", b"&U,BTFw-"),
        ("~peter/mail/台北/日本語", b"~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
        ("\U0001f600", b"&2D3eAA-"),
        ("a\tb", b"a&AAk-b"),
    ],
)
def test_modified_utf7(name: str, coded: bytes) -> None:
    assert utf7.encode(name) == coded
    assert utf7.decode(coded) == name


@pytest.mark.parametrize("coded", [b"&", b"&AGE-", b"&U,BTFw", b"a\xff", b"&U/BTFw-", b"&2D0-", b"&A-", b"&APw-&APw-"])
def test_what_is_not_modified_utf7(coded: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        utf7.decode(coded)


# --- capabilities, codes, values --------------------------------------------------------------------------------------


def test_capabilities() -> None:
    found = Capabilities.parse(
        b"imap4REV1 LITERAL+ MULTIAPPEND UIDPLUS BINARY AUTH=plain AUTH= AUTH=X STARTTLS SASL-IR"
    )
    assert found.imap
    assert found.multiappend
    assert found.uidplus
    assert found.binary
    assert found.starttls
    assert found.initial_response
    assert (found.mechanisms, found.literal_limit, found.append_limit) == (("PLAIN", "X"), None, None)
    assert not any((found.utf8_names, found.login_disabled, found.gmail, found.unselect))


def test_capabilities_of_rev2_alone() -> None:
    found = Capabilities.parse(b"IMAP4rev2 LOGINDISABLED")
    assert found.utf8_names
    assert (found.literal_limit, found.login_disabled, found.imap) == (4096, True, True)
    assert found.uidplus
    assert found.unselect
    assert found.initial_response
    assert not Capabilities.parse(b"IMAP4rev1 IMAP4rev2").utf8_names
    assert not Capabilities.parse(b"IMAP4 X").imap
    assert Capabilities.parse(b"IMAP4rev1").literal_limit == 0


@pytest.mark.parametrize(
    ("words", "limit"),
    [
        (b"APPENDLIMIT=1000", 1000),
        (b"APPENDLIMIT", None),
        (b"APPENDLIMIT=x", None),
        (b"APPENDLIMIT=" + b"9" * 19, None),
        (b"APPENDLIMIT=\xd9\xa1", None),
    ],
)
def test_the_limit_of_append(words: bytes, limit: int | None) -> None:
    assert Capabilities.parse(words).append_limit == limit


@pytest.mark.parametrize(
    ("text", "code", "rest"),
    [
        (b"[UIDNEXT 7] hi", Code("UIDNEXT", b"7"), b"hi"),
        (b"[trycreate]", Code("TRYCREATE"), b""),
        (b"[A] [B] x", Code("A"), b"[B] x"),
        (b"[A b", None, b"[A b"),
        (b"[] x", None, b"[] x"),
        (b"hi [A]", None, b"hi [A]"),
        (b"[A (\\Seen \\*)] x", Code("A", b"(\\Seen \\*)"), b"x"),
    ],
)
def test_response_codes(text: bytes, code: Code | None, rest: bytes) -> None:
    assert split(text) == (code, rest)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (b"7 9", (7, [9])),
        (b"7 9,3:4", (7, [9, 3, 4])),
        (b"7 4:3", (7, [3, 4])),
        (b"0 9", None),
        (b"7 0", None),
        (b"7 4294967296", None),
        (b"7 *", None),
        (b"7", None),
        (b"7 9 x", None),
        (b"", None),
    ],
)
def test_the_place_of_an_append(arguments: bytes, expected: tuple[int, list[int]] | None) -> None:
    found = Code("APPENDUID", arguments).appended
    assert (None if found is None else (found.validity, list(found.uids))) == expected
    assert Code("COPYUID", arguments).appended is None


def test_sets_of_uids() -> None:
    assert uid_set([5, 1, 2, 3, 9, 2]) == "1:3,5,9"
    whole = UidSet.parse(b"1:4294967295")
    assert whole is not None
    assert whole.count == MAX_NUMBER


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"SEARCH", Search(UidSet.of())),
        (b"SEARCH 4 2", Search(UidSet.of(4, 2))),
        (b"SEARCH 4 (MODSEQ 5)", Search(UidSet.of(4))),
        (b'ESEARCH (TAG "a1") UID ALL 4:5,9', Search(UidSet(((4, 5), (9, 9))))),
        (b'ESEARCH (TAG "a1") UID', Search(UidSet.of())),
        (b"ESEARCH UID COUNT 3 ALL 7", Search(UidSet.of(7))),
        (b'LIST (\\HasNoChildren) "/" INBOX', FolderListed(("\\hasnochildren",), "/", b"INBOX")),
        (b'LIST () NIL "a\\"b"', FolderListed((), None, b'a"b')),
        (b'LIST () "." 12 (X ())', FolderListed((), ".", b"12")),
        (b'STATUS "a b" (UIDNEXT 4 MESSAGES 0 X NIL)', FolderStatus(b"a b", {"UIDNEXT": 4, "MESSAGES": 0})),
    ],
)
def test_untagged_data(data: bytes, expected: Response) -> None:
    assert parse_data([data]) == expected


@pytest.mark.parametrize(
    ("octets", "values"),
    [
        (b"", ()),
        (b' a  "b c" NIL (1 (2)) BODY[HEADER (A B)] ', (b"a", b"b c", None, (b"1", (b"2",)), b"BODY[HEADER (A B)]")),
        (b'"\\\\\\""', (b'\\"',)),
        (b"\\Seen", (b"\\Seen",)),
    ],
)
def test_values(octets: bytes, values: tuple[object, ...]) -> None:
    assert parse((octets,)) == values


@pytest.mark.parametrize("octets", [b"(", b")", b'"a', b"a[b", b"\x01", b"(" * 17 + b")" * 17, b'"\\'])
def test_invalid_values(octets: bytes) -> None:
    with pytest.raises(NotAValue):
        parse((octets,))


def test_a_string_is_no_atom() -> None:
    quoted, atom, literal = parse((b'"NIL" 7 ', b"7", b""))
    assert (quoted, atom, literal) == (b"NIL", b"7", b"7")
    assert [isinstance(each, Atom) for each in (quoted, atom, literal)] == [False, True, False]


def test_a_status_is_shown_on_one_bounded_line() -> None:
    status = Status(Condition.NO, b"\x1b[2J" + b"x" * 1000, Code("ALERT", b"secret"))
    assert str(status).startswith("NO [ALERT] \\x1b[2Jxxx")
    assert len(str(status)) == 301


# --- SASL -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("at_once", "wire"), [(True, b"AUTHENTICATE PLAIN AG1lAHg="), (False, b"AUTHENTICATE PLAIN")])
def test_the_initial_response(at_once: bool, wire: bytes) -> None:
    authentication = Authentication(begin("PLAIN", "me", Secret("x")), initial_response=at_once)
    assert authentication.start().parts() == (wire,)
    if not at_once:
        assert authentication.answer(Continuation(b"")).parts() == (b"AG1lAHg=",)


def test_a_challenge_that_is_not_base64_is_cancelled() -> None:
    authentication = Authentication(begin("CRAM-MD5", "me", Secret("x")), initial_response=True)
    assert authentication.start().initial is None
    assert isinstance(authentication.answer(Continuation(b"PDE+")), SaslResponse)
    assert authentication.answer(Continuation(b"?")) == SaslCancel()
    assert authentication.exchange.problem

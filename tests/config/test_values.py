"""The value types: tables of what is accepted and refused, and properties."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_popretr.config import values
from tui_popretr.config.addresses import mail_address, server_address
from tui_popretr.config.values import InvalidValueError
from tui_popretr.config.variables import expand


@pytest.mark.parametrize("text", ["Y", "yes", "T", "True", "ON", "1", "y"])
def test_yes(text: str) -> None:
    assert values.boolean(text) is True


@pytest.mark.parametrize("text", ["N", "no", "F", "False", "off", "0", "n"])
def test_no(text: str) -> None:
    assert values.boolean(text) is False


@pytest.mark.parametrize("text", ["", "maybe", "2", "YN", "tru", "０"])
def test_neither_yes_nor_no(text: str) -> None:
    with pytest.raises(InvalidValueError, match="neither yes nor no"):
        values.boolean(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("4m", 240),
        ("1h30m", 5400),
        ("500", 0.5),
        ("0", 0),
        ("1d2h3m4s5ms", 86400 + 7200 + 180 + 4.005),
        ("5ms", 0.005),
        ("10s", 10),
        ("90m", 5400),
        ("2D", 172800),
    ],
)
def test_duration(text: str, seconds: float) -> None:
    assert values.duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "4x", "m", "30m1h", "1m1m", "-5s", "1.5h", "1h 30m", "4mm", "٤m"])
def test_not_a_duration(text: str) -> None:
    with pytest.raises(InvalidValueError, match="is not a time"):
        values.duration(text)


@pytest.mark.parametrize("text", ["9" * 16, "9" * 5000, "4000d", "9" * 5000 + "d"])
def test_too_long_a_duration(text: str) -> None:
    with pytest.raises(InvalidValueError, match="too long"):
        values.duration(text)


def test_a_duration_that_must_not_be_zero() -> None:
    assert values.positive_duration("1") == 0.001
    with pytest.raises(InvalidValueError, match="more than 0"):
        values.positive_duration("0s")


@pytest.mark.parametrize(
    ("text", "octets"),
    [("0", 0), ("512", 512), ("7B", 7), ("8k", 8192), ("25M", 25 * 1024**2), ("2g", 2 * 1024**3)],
)
def test_size(text: str, octets: int) -> None:
    assert values.size(text) == octets


@pytest.mark.parametrize("text", ["", "M", "10KB", "1.5M", "-1", "10 M", "5T"])
def test_not_a_size(text: str) -> None:
    with pytest.raises(InvalidValueError, match="is not a size"):
        values.size(text)


@pytest.mark.parametrize("text", ["9" * 30, "9" * 5000 + "G", "9999999999G"])
def test_too_large_a_size(text: str) -> None:
    with pytest.raises(InvalidValueError, match="too large"):
        values.size(text)


def test_count() -> None:
    assert values.count()("0") == 0
    assert values.count(1)("64") == 64
    for text in ("", "x", "-1", "1.0", "²"):
        with pytest.raises(InvalidValueError, match="not a whole number"):
            values.count()(text)
    with pytest.raises(InvalidValueError, match="at least 1"):
        values.count(1)("0")
    with pytest.raises(InvalidValueError, match="too large"):
        values.count()("9" * 5000)


@pytest.mark.parametrize(
    ("text", "mode"),
    [("0600", 0o600), ("600", 0o600), ("0660", 0o660), ("640", 0o640), ("0644", 0o644), ("0666", 0o666)],
)
def test_file_mode(text: str, mode: int) -> None:
    assert values.file_mode(text) == mode


@pytest.mark.parametrize(
    ("text", "mode"),
    [("0700", 0o700), ("770", 0o770), ("0755", 0o755), ("02770", 0o2770), ("2770", 0o2770), ("02700", 0o2700)],
)
def test_folder_mode(text: str, mode: int) -> None:
    assert values.folder_mode(text) == mode


NO_MODES = ["0999", "0680", "", "0", "66", "066000", "-660", "0o660", "0x1b0", "rw-rw----", "u=rw", "0660 ", "٠٦٦٠"]


@pytest.mark.parametrize("text", NO_MODES)
@pytest.mark.parametrize("parse", [values.file_mode, values.folder_mode])
def test_not_a_mode(parse: Callable[[str], int], text: str) -> None:
    with pytest.raises(InvalidValueError, match="is not a mode; write it in octal, like 0"):
        parse(text)


@pytest.mark.parametrize(
    ("parse", "text", "words"),
    [
        (values.file_mode, "0060", "does not let the owner read and write"),
        (values.file_mode, "0400", "does not let the owner read and write"),
        (values.file_mode, "0260", "does not let the owner read and write"),
        (values.file_mode, "0700", "sets bits other than read and write"),
        (values.file_mode, "02660", "sets bits other than read and write"),
        (values.file_mode, "07777", "sets bits other than read and write"),
        (values.folder_mode, "0660", "does not give the owner all rights"),
        (values.folder_mode, "02570", "does not give the owner all rights"),
        (values.folder_mode, "0070", "does not give the owner all rights"),
        (values.folder_mode, "07777", "only setgid is allowed"),
        (values.folder_mode, "01777", "only setgid is allowed"),
        (values.folder_mode, "04700", "only setgid is allowed"),
    ],
)
def test_modes_that_are_refused(parse: Callable[[str], int], text: str, words: str) -> None:
    with pytest.raises(InvalidValueError, match=words):
        parse(text)


def test_list() -> None:
    assert values.items("a") == ("a",)
    assert values.items(" a |b| c ") == ("a", "b", "c")
    for text in ("a||b", "|a", "a|"):
        with pytest.raises(InvalidValueError, match="empty"):
            values.items(text)


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("plain", "plain"),
        ("${HOST}", "pop.example.net"),
        ("${HOST}:110", "pop.example.net:110"),
        ("${UNSET:default}", "default"),
        ("${UNSET:a:b}", "a:b"),
        ("${UNSET:}", ""),
        ("${HOST:default}", "pop.example.net"),
        ("${EMPTY:default}", ""),
        ("pa${$}word", "pa${word"),
        ("${$}HOST}", "${HOST}"),
        ("${TRICK}", "${HOST}"),
        ("$HOST }{", "$HOST }{"),
    ],
)
def test_environment_variables(text: str, expanded: str) -> None:
    assert expand(text, {"HOST": "pop.example.net", "EMPTY": "", "TRICK": "${HOST}"}) == expanded


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${UNSET}", "UNSET is not set"),
        ("${HOST", "not closed"),
        ("a ${HOST} ${", "not closed"),
        ("${}", "does not hold the name"),
        ("${1A}", "does not hold the name"),
        ("${A B}", "does not hold the name"),
        ("${UNSET:${HOST}}", "inside another"),
        ("${LATIN}", "not valid UTF-8"),
    ],
)
def test_wrong_environment_variables(text: str, message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        expand(text, {"HOST": "x", "LATIN": "caf\udce9"})


@pytest.mark.parametrize("text", ["user1", "user@example.net", "üser", "a b", "...", "-"])
def test_file_name(text: str) -> None:
    assert values.file_name(128)(text) == text


@pytest.mark.parametrize("text", ["a/b", "/", ".", "..", "a\nb", "a\x00", "\x7f", "a\x85b", "ü" * 65])
def test_not_a_file_name(text: str) -> None:
    with pytest.raises(InvalidValueError):
        values.file_name(128)(text)


@pytest.mark.parametrize("text", ["s3cret\rx", "s3cret\nx", "s3cret\x00"])
def test_line_breaks_are_refused_without_showing_the_text(text: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        values.one_line(text)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("text", ["AA:" * 31 + "aa", "aa" * 32, "sha256:" + "AA" * 32, "SHA-256=" + "aA" * 32])
def test_fingerprint(text: str) -> None:
    assert values.fingerprint(text) == "aa" * 32


@pytest.mark.parametrize("text", ["aa" * 31, "gg" * 32, "aa" * 20, ""])
def test_not_a_fingerprint(text: str) -> None:
    with pytest.raises(InvalidValueError):
        values.fingerprint(text)


def test_words_of_the_received_header() -> None:
    assert values.header_word("host.example") == "host.example"
    assert values.header_comment("tui-popretr 1.0") == "tui-popretr 1.0"
    for text in ("two words", "a\r\nb", "hôst"):
        with pytest.raises(InvalidValueError):
            values.header_word(text)
    for text in ("a(b", "a)b", "a\\", "a\r\nb"):
        with pytest.raises(InvalidValueError):
            values.header_comment(text)


def test_suggestions() -> None:
    assert values.did_you_mean("frq", {"freq", "runs"}) == "; did you mean 'freq'?"
    assert values.did_you_mean("FREQ", {"freq", "runs"}) == "; did you mean 'freq'?"
    assert values.did_you_mean("zzz", {"freq", "runs"}) == ""


_PARSERS = [
    values.boolean,
    values.duration,
    values.positive_duration,
    values.size,
    values.positive_size,
    values.count(1),
    values.items,
    values.one_line,
    values.file_name(20),
    server_address,
    mail_address,
    values.fingerprint,
    values.header_word,
    values.header_comment,
    values.choice({"never": 1, "daily": 2}),
]


@given(st.text(max_size=40), st.sampled_from(_PARSERS))
@settings(max_examples=150)
def test_any_text_gives_a_value_or_an_invalid_value(text: str, parse: object) -> None:
    assert callable(parse)
    try:
        parse(text)
    except InvalidValueError as error:
        message = str(error)
    else:
        return
    assert message


@given(st.text(alphabet="${}:A$b ", max_size=20))
@settings(max_examples=150)
def test_any_text_expands_or_is_an_invalid_value(text: str) -> None:
    try:
        expanded = expand(text, {"A": "x"})
    except InvalidValueError:
        return
    assert "${" not in text or expanded != text


@given(st.integers(0, 3000), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
@settings(max_examples=50)
def test_durations_add_up(d: int, h: int, m: int, s: int, ms: int) -> None:
    assert values.duration(f"{d}d{h}h{m}m{s}s{ms}ms") == pytest.approx(((d * 24 + h) * 60 + m) * 60 + s + ms / 1000)


@given(st.text(max_size=30).filter(lambda text: "${" not in text), st.text(max_size=30))
@settings(max_examples=50)
def test_the_escape_makes_any_text_literal(before: str, after: str) -> None:
    wanted = f"{before}${{{after}"
    assert expand(wanted.replace("${", "${$}"), {}) == wanted

"""Line ends on their way to the destination."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from tui_popretr.config.choices import Eol
from tui_popretr.mail.line_ends import CrlfConverter, EolConverter

chunks = st.lists(st.text(alphabet="\r\nab", max_size=6).map(str.encode), max_size=8)


def is_canonical(chunk: bytes) -> bool:
    return chunk.count(b"\r") == chunk.count(b"\r\n")


@given(chunks)
@settings(max_examples=300)
def test_native_is_the_same_however_it_is_cut(parts: list[bytes]) -> None:
    converter = EolConverter(Eol.NATIVE)
    converted = b"".join([converter.feed(part, is_canonical(part)) for part in parts]) + converter.finish()
    assert converted == b"".join(parts).replace(b"\r\n", b"\n")


@given(chunks)
def test_crlf_passes_through(parts: list[bytes]) -> None:
    converter = EolConverter(Eol.CRLF)
    assert [converter.feed(part, is_canonical(part)) for part in parts] == parts
    assert converter.finish() == b""


def test_bare_ones_stay() -> None:
    assert EolConverter(Eol.NATIVE).feed(b"a\rb\nc\r\nd\r\r\ne\n\r\n") == b"a\rb\nc\nd\r\ne\n\n"


def test_an_end_of_line_across_chunks() -> None:
    converter = EolConverter(Eol.NATIVE)
    assert [converter.feed(b"a\r"), converter.feed(b"\nb\r"), converter.feed(b"c")] == [b"a", b"\nb", b"\rc"]


@given(chunks)
@settings(max_examples=300)
def test_each_line_end_becomes_crlf_however_it_is_cut(parts: list[bytes]) -> None:
    converter = CrlfConverter()
    converted = b"".join([converter.feed(part) for part in parts]) + converter.finish()
    assert converted == re.sub(rb"\r\n|\r|\n", b"\r\n", b"".join(parts))


def test_two_carriage_returns_are_two_line_ends() -> None:
    assert CrlfConverter().feed(b"a\r\r\nb") == b"a\r\n\r\nb"

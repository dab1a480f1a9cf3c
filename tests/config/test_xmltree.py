"""The XML tree: places of elements and attributes, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_popretr.config.problems import Position
from tui_popretr.config.xmltree import MalformedXmlError, Node, parse


def at(node_or_attribute: object) -> tuple[int, int]:
    place = getattr(node_or_attribute, "place")  # noqa: B009
    assert isinstance(place, Position)
    return place.line, place.column


def test_places_of_elements_and_attributes() -> None:
    root = parse(
        b'<a>\n  <b x="1"\n\ty=\'2\'   z = "&lt;/b"/><c>\n text </c>\r\n<d\r\n q="1"/></a>',
        "f.xml",
    )
    b, c, d = root.children
    assert at(root) == (1, 1)
    assert at(b) == (2, 3)
    assert [(name, found.text, at(found)) for name, found in b.attributes.items()] == [
        ("x", "1", (2, 6)),
        ("y", "2", (3, 2)),
        ("z", "</b", (3, 10)),
    ]
    assert at(c) == (3, 24)
    assert (c.end.line, c.end.column) == (4, 7)
    assert c.text == "\n text "
    assert at(d.attributes["q"]) == (6, 2)


def test_columns_count_characters_not_octets() -> None:
    root = parse('<a>ü<b ü="é" x="1"/></a>'.encode(), "f.xml")
    assert at(root.children[0]) == (1, 5)
    assert at(root.children[0].attributes["ü"]) == (1, 8)
    assert at(root.children[0].attributes["x"]) == (1, 14)


def test_other_encodings() -> None:
    latin = parse('<?xml version="1.0" encoding="ISO-8859-1"?>\n<a x="ü">é</a>'.encode("latin-1"), "f.xml")
    assert (latin.text, latin.attributes["x"].text) == ("é", "ü")
    assert at(latin.attributes["x"]) == (2, 4)
    utf16 = parse('<a><b x="ü"/></a>'.encode("utf-16"), "f.xml")
    assert utf16.children[0].attributes["x"].text == "ü"
    assert parse(b"\xef\xbb\xbf<a/>", "f.xml").name == "a"


def test_comments_and_cdata() -> None:
    root = parse(b"<a>1<!-- <b/> -->2<![CDATA[<3>]]><?pi?></a>", "f.xml")
    assert root.text == "12<3>"
    assert root.children == []


@pytest.mark.parametrize(
    ("data", "place", "message"),
    [
        (b"", (1, 1), "no element found"),
        (b"<a>\n <b>\n</a>", (3, 3), "mismatched tag; <b> of line 2 is still open"),
        (b"<a>\n <b>", (2, 5), "the file ends too early; <b> of line 2 is still open"),
        (b"<a>x & y</a>", (1, 7), "&amp;"),
        (b"<a>&nbsp;</a>", (1, 4), "&amp;"),
        (b"<a/>\n<b/>", (2, 1), "junk after document element"),
        (b'<a x="1" x="2"/>', (1, 10), "duplicate attribute"),
        (b"<a>\xff</a>", (1, 4), "not well-formed"),
        (b"<x:a/>", (1, 1), "unbound prefix"),
        (b'<?xml version="1.0" encoding="no-such"?><a/>', (1, 1), "unknown encoding"),
        (b"<!-- x -->\n <!DOCTYPE a>\n<a/>", (2, 2), "a DTD"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', (1, 1), "a DTD"),
        (b'<!DOCTYPE a SYSTEM "http://192.0.2.1/x.dtd"><a/>', (1, 1), "a DTD"),
        (b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>', (1, 1), "not allowed"),
    ],
)
def test_refused(data: bytes, place: tuple[int, int], message: str) -> None:
    with pytest.raises(MalformedXmlError, match=message) as caught:
        parse(data, "f.xml")
    assert (caught.value.place.line, caught.value.place.column) == place


def test_an_encoding_python_cannot_use_is_refused() -> None:
    with pytest.raises(MalformedXmlError, match="encoding"):
        parse(b'<?xml version="1.0" encoding="utf-7"?><a/>', "f.xml")


def test_deep_nesting_is_harmless() -> None:
    root = parse(b"<a>" * 50_000 + b"</a>" * 50_000, "f.xml")
    assert root.name == "a"


_NAMES = st.sampled_from(["a", "bb", "c-d", "é"])
_TEXT = st.text(alphabet="ab é\n\"'>=", max_size=8)


@given(st.lists(st.tuples(_NAMES, st.dictionaries(_NAMES, _TEXT, max_size=3), _TEXT), max_size=4))
@settings(max_examples=60)
def test_every_place_points_at_the_name(elements: list[tuple[str, dict[str, str], str]]) -> None:
    def quoted(text: str) -> str:
        return text.replace('"', "&quot;").replace("<", "&lt;")

    inner = ""
    for name, attributes, text in elements:
        written = "".join(f'\n {key} = "{quoted(value)}"' for key, value in attributes.items())
        inner += f"<{name}{written}>{quoted(text)}</{name}>"
    source = f"<root>{inner}</root>"
    lines = source.split("\n")
    root: Node = parse(source.encode(), "f.xml")
    assert len(root.children) == len(elements)
    for node in root.children:
        line, column = at(node)
        assert lines[line - 1][column - 1 :].startswith(f"<{node.name}")
        for name, attribute in node.attributes.items():
            line, column = at(attribute)
            assert lines[line - 1][column - 1 :].startswith(f"{name} =")


def test_an_element_is_kept_empty() -> None:
    data = b'<a><b x="1">text<c><d/>more</c></b><e>after</e></a>'
    b, e = parse(data, "f.xml", empty="b").children
    assert (b.name, b.attributes["x"].text, b.children, b.text) == ("b", "1", [], "text")
    assert (b.end.column, e.text) == (data.index(b"</b>") + 1, "after")
    with pytest.raises(MalformedXmlError):
        parse(b"<a><b><c></b></a>", "f.xml", empty="b")

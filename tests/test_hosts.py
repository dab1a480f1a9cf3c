"""Host names in their one form: IDNA 2008, and the trailing dot."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tui_popretr.config.account import Server
from tui_popretr.config.model import SmtpDestination
from tui_popretr.hosts import InvalidHostName, ascii_host, host_key, is_host_name, is_loopback, look_up_name

NAMES = [
    # where IDNA 2003 makes another domain (RFC 5894 §7.2)
    ("straße.example", "xn--strae-oqa.example"),
    ("STRAßE.example", "xn--strae-oqa.example"),
    ("faß.de", "xn--fa-hia.de"),
    ("βόλος.com", "xn--nxasmm1c.com"),
    ("نامه\u200cای.com", "xn--mgba3gch31f060k.com"),
    ("ශ්\u200dරී.com", "xn--10cl1a0b660p.com"),
    # where both agree
    ("bücher.example.net", "xn--bcher-kva.example.net"),
    ("BÜCHER.Example.NET", "xn--bcher-kva.example.net"),
    ("bu\u0308cher.example", "xn--bcher-kva.example"),
    ("пример.испытание", "xn--e1afmkfd.xn--80akhbyknj4f"),
    ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
    # dots, widths, and labels that IDNA leaves alone
    ("bücher。example．net｡", "xn--bcher-kva.example.net"),
    ("ＰＯＰ.example.net", "pop.example.net"),
    ("１２７.０.０.１", "127.0.0.1"),
    ("my_host.bücher.example", "my_host.xn--bcher-kva.example"),
    ("r3---sn.bücher.example", "r3---sn.xn--bcher-kva.example"),
    ("xn--strae-oqa.bücher.example", "xn--strae-oqa.xn--bcher-kva.example"),
    # what is in ASCII stays as it is, but for the dot
    ("pop.example.net", "pop.example.net"),
    ("Pop.Example.NET", "Pop.Example.NET"),
    ("pop.example.net.", "pop.example.net"),
    ("xn--strae-oqa.example", "xn--strae-oqa.example"),
    ("192.0.2.7", "192.0.2.7"),
    ("2001:db8::1", "2001:db8::1"),
    ("fe80::1%eth0", "fe80::1%eth0"),
    ("localhost.", "localhost"),
    (".", "."),
    ("", ""),
]


@pytest.mark.parametrize(("written", "name"), NAMES)
def test_ascii_host(written: str, name: str) -> None:
    assert ascii_host(written) == name
    assert ascii_host(name) == name
    assert host_key(written) == name.lower()


@pytest.mark.parametrize(
    "text",
    [
        "💩.example",  # not in IDNA 2008
        "\u0308bücher.example",  # a mark without a letter
        "a\u200db.example",  # a joiner that joins nothing
        "אb.example",  # two directions
        "ü-.example",
        "-ü.example",
        "ü..example",
        ".ü.example",
        "ü" * 60 + ".example",
        ".".join(["ü" * 40] * 8),
        "bücher.ex：995",
        "bücher.℀",
        "bü cher.example",
        "bücher\u2028.example",
        "xn--zz--.bücher.example",
        "bücher.\udcfc",
        "。",
    ],
)
def test_what_is_no_host_name(text: str) -> None:
    with pytest.raises(InvalidHostName):
        ascii_host(text)
    assert host_key(text) == text.lower()


@given(st.text() | st.text(alphabet="aß.。üς\u200d-x_1\u0308"))
@example("ǅ.ü")
def test_any_text_is_a_name_in_ascii_or_refused(text: str) -> None:
    try:
        name = ascii_host(text)
    except InvalidHostName:
        assert not text.isascii()
        return
    assert name.isascii()
    assert text.isascii() or is_host_name(name)
    assert ascii_host(name) == name or name.endswith(".")


@pytest.mark.parametrize(
    ("written", "looked_up"),
    [
        ("pop.example.net", "pop.example.net"),
        ("pop.example.net.", "pop.example.net."),
        ("pop.straße.example", "pop.xn--strae-oqa.example"),
        ("pop.straße.example。", "pop.xn--strae-oqa.example."),
    ],
)
def test_the_final_dot_is_only_for_the_resolver(written: str, looked_up: str) -> None:
    assert look_up_name(ascii_host(written), written) == looked_up
    server = Server(written, 995, "me", None, (), False, None)
    for made in (server, SmtpDestination("a@b.example", ("c@d.example",), written, 995)):
        assert made.host == looked_up.removesuffix(".")
        assert made.look_up_name == looked_up
        assert made.address == f"{written}:995"


def test_a_name_in_ascii_loads_no_tables() -> None:
    script = "import sys; from tui_popretr.hosts import ascii_host; ascii_host('Pop.example.net.'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "tui_popretr.hosts" in done.stdout
    assert "idna" not in done.stdout


@pytest.mark.parametrize(
    "host", ["localhost", "LocalHost.", "ＬocalHost。", "a.localhost", "127.0.0.1", "127.9.9.9", "::1"]
)
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["localhost.example", "128.0.0.1", "pop.example.net", "::2", "mylocalhost"])
def test_not_loopback(host: str) -> None:
    assert not is_loopback(host)

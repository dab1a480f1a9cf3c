"""Addresses of servers and of mail."""

from __future__ import annotations

import pytest

from tui_popretr.config.addresses import mail_address, server_address
from tui_popretr.config.values import InvalidValueError


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("pop.example.net", "pop.example.net", None),
        ("pop.example.net:110", "pop.example.net", 110),
        ("192.0.2.7", "192.0.2.7", None),
        ("192.0.2.7:65535", "192.0.2.7", 65535),
        ("[2001:db8::1]", "2001:db8::1", None),
        ("[2001:db8::1]:995", "2001:db8::1", 995),
        ("[fe80::1%eth0]:1", "fe80::1%eth0", 1),
        ("my_host", "my_host", None),
        ("pop.example.net.", "pop.example.net.", None),
        ("Pop.Example.NET", "Pop.Example.NET", None),
        ("post.müller.example", "post.müller.example", None),
        ("post.straße.example.:995", "post.straße.example.", 995),
        ("１２７.0.0.1", "１２７.0.0.1", None),
        ("3com.example", "3com.example", None),
    ],
)
def test_address(text: str, host: str, port: int | None) -> None:
    assert server_address(text) == (host, port)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pop.example.net:0", "not a port"),
        ("pop.example.net:65536", "not a port"),
        ("pop.example.net:", "not a port"),
        ("pop.example.net:pop3", "not a port"),
        ("[::1]:", "not a port"),
        ("::1", r"needs brackets: write \[::1\]:995"),
        ("2001:db8::1:995", "needs brackets"),
        ("a:b:c", "needs brackets"),
        ("[::1", "no address"),
        ("[::1]110", "no address"),
        ("[pop.example.net]", "not an IPv6 address"),
        ("[192.0.2.7]", "not an IPv6 address"),
        ("192.0.2.256", "not an IPv4 address"),
        ("192.0.2", "not an IPv4 address"),
        ("pop3://pop.example.net", "is a URL"),
        ("pop..example", "not a host name"),
        ("-pop.example", "not a host name"),
        ("pop example", "not a host name"),
        ("a/b", "not a host name"),
        ("a" * 64 + ".example", "not a host name"),
        ("ü" * 300, "not a host name"),
        ("💩.example", r"not a host name \(IDNA 2008\); if it has an ASCII form \(xn--...\), write that"),
        ("pop.example：995", "not a host name"),
        ("ü..example", "not a host name"),
        (":110", "not a host name"),
    ],
)
def test_not_an_address(text: str, message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        server_address(text)


@pytest.mark.parametrize("text", ["a@b", "user1", "pop3downloader@localhost"])
def test_mail_address(text: str) -> None:
    assert mail_address(text) == text


@pytest.mark.parametrize("text", ["<a@b>", "a b@c", "@b", "a@", "a\r\nRCPT"])
def test_not_a_mail_address(text: str) -> None:
    with pytest.raises(InvalidValueError):
        mail_address(text)

"""The arguments of `login`. Imports little, because the parser of every command uses this module."""

from __future__ import annotations

import argparse
from typing import Final

DESCRIPTION: Final = (
    "Logs in at the provider of a client with <oauth>: the user allows the access in a browser, on any machine. The"
    " program then gets access tokens, and renews them itself."
)
USAGE: Final = (
    "[CONFIG] --client ID [--for USE] [--flow FLOW] [--port N]\n       tui-popretr login [CONFIG] --client ID --logout"
)
EPILOG: Final = """\
examples:
  tui-popretr login --client gmail               log in, and test whether a session works
  tui-popretr login mail.xml --client work --for smtp
                                                 log in again for sending, although there is a token
  tui-popretr login mail.xml --client work --logout
                                                 revoke the access and forget the tokens

flows:
  device    shows an address and a code, to be typed in a browser on any device
            (the default if the provider has it, except Google)
  browser   opens a browser on this machine (the default otherwise)
  paste     shows an address to open in a browser on any machine, and asks for
            the address at the end (in place of browser over SSH)

docs/oauth.md explains how to register a client id with Google and Microsoft.
A program that runs with the same configuration needs no restart."""

#: What a token is for (config.oauth.Use, which takes longer to load).
USES: Final = ("server", "smtp", "imap", "gmail")
#: The flows (oauth.choice.Flow).
FLOWS: Final = ("device", "browser", "paste")


def port(text: str) -> int:
    """Return the number of a port."""
    if text.isascii() and text.isdigit() and 0 < int(text) < 65536:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no port: a number from 1 to 65535 is expected")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `login`."""
    parser.add_argument("--client", required=True, metavar="ID", help="the client to log in")
    parser.add_argument(
        "--for",
        dest="use",
        choices=USES,
        metavar="USE",
        help="log in for this element: server, smtp, imap or gmail (default: for each without a valid token)",
    )
    parser.add_argument("--flow", choices=FLOWS, metavar="FLOW", help="device, browser or paste")
    parser.add_argument(
        "--port", type=port, metavar="N", help="browser, paste: redirect to this port of 127.0.0.1 (default: any)"
    )
    parser.add_argument("--logout", action="store_true", help="revoke the access, and forget the tokens")

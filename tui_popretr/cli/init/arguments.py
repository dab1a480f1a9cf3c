"""The arguments of `init`; the parser of every command passes through this module, so that it loads nothing."""

from __future__ import annotations

import argparse
from typing import Final

DESCRIPTION: Final = (
    "Makes a configuration for one account: asks what it needs to know, looks at the server, tries the login."
)

EPILOG: Final = """\
examples:
  tui-popretr init                               asks for everything
  tui-popretr init --user me@example.net --address pop.example.net --maildir ~/Maildir
                                                 asks for the rest
  tui-popretr init mail.xml --user me --address pop.example.net --maildir ~/Maildir \\
      --password-command "pass show mail/isp"    asks for nothing, as in scripts

The server is looked at on port 995 (TLS from the first byte), then on 110 (STLS). No password is sent before TLS is up
and the certificate verified, unless you agree; a server on this machine needs no TLS. What is typed as a password is
not shown, and is kept only where you say. Nothing is retrieved, nothing deleted, and nothing written unless all went
well."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `init`."""
    parser.add_argument(
        "config",
        metavar="CONFIG",
        nargs="?",
        help="the file to write; when left out, where the other commands look for it in your configuration folder",
    )
    parser.add_argument("--force", action="store_true", help="replace the file if it is there already")

    account = parser.add_argument_group("the account")
    account.add_argument("--user", metavar="NAME", help="user name at the server, often the whole mail address")
    account.add_argument(
        "--address", metavar="HOST[:PORT]", help="the POP3 server; without a port, what it offers is found out"
    )
    trust = account.add_mutually_exclusive_group()
    trust.add_argument("--tspath", metavar="FILE", help="the certificates to trust (PEM), instead of the system's")
    trust.add_argument(
        "--fingerprint",
        metavar="SHA256",
        help="accept the server's certificate by its fingerprint alone, as where it is self-signed",
    )
    account.add_argument(
        "--clear-text",
        action="store_true",
        help="go on where there is no TLS and the password can be read by everybody on the way",
    )
    account.add_argument("--no-login", action="store_true", help="look at the server, but do not try the login")
    account.add_argument(
        "--offline",
        action="store_true",
        help="do not look at the server: TLS from the first byte is taken for granted, at port 110 STLS",
    )

    password = parser.add_argument_group("the password").add_mutually_exclusive_group()
    password.add_argument(
        "--password-file",
        metavar="FILE",
        help="its first line is the password; a file that is not there is made, with what you type",
    )
    password.add_argument("--password-command", metavar="COMMAND", help="the first line that it prints is the password")
    password.add_argument("--password-env", metavar="NAME", help="a variable of the environment holds it")

    where = parser.add_argument_group("the mail")
    target = where.add_mutually_exclusive_group()
    target.add_argument("--maildir", metavar="DIR", help="deliver into this Maildir")
    target.add_argument("--folder", metavar="DIR", help="save each message as a file in this folder")
    target.add_argument("--smtp", metavar="ADDRESS", help="send it on to this mail address")
    where.add_argument("--smtp-server", metavar="HOST[:PORT]", help="with --smtp: through it; otherwise localhost:25")
    where.add_argument(
        "--sender", metavar="ADDRESS", help="with --smtp: the envelope sender; otherwise pop3downloader@localhost"
    )
    fate = where.add_mutually_exclusive_group()
    fate.add_argument("--keep", action="store_true", help="leave the mail on the server; the default")
    fate.add_argument("--delete", action="store_true", help="delete it there as soon as it is safe here")
    where.add_argument("--freq", metavar="TIME", help="from one session to the next; otherwise 5m")
    where.add_argument("--id", metavar="ID", help="the client's id; otherwise made from the server's name")
    where.add_argument("--recip", metavar="NAME", help="the local user it is for; otherwise you")

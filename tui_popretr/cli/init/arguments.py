"""The arguments of `init`. Imports little, because the parser of every command uses this module."""

from __future__ import annotations

import argparse
from typing import Final

from tui_popretr.cli.argparse_private import Container

DESCRIPTION: Final = (
    "Makes a configuration for one account, or adds a client to an existing one: asks for what it needs, tests the"
    " server and the login, writes the file."
)

EPILOG: Final = """\
examples:
  tui-popretr init                               ask for everything, beginning with the mail address
  tui-popretr init --user me@example.net --address pop.example.net --maildir ~/Maildir
                                                 ask for the rest
  tui-popretr init mail.xml --add                add a client to mail.xml
  tui-popretr init mail.xml --user me --address pop.example.net --maildir ~/Maildir \\
      --password-command "pass show mail/isp"    ask for nothing, for scripts

init knows the servers of large providers (docs/providers.md). The server of another mail domain is looked up: if you
agree, or without a terminal unless --no-lookup is given. The name server is asked for SRV records, then the domain's
web servers for its autoconfiguration; they do not learn the mail address.

init tries port 995 (TLS from the first byte), then port 110 (STLS). It sends no password before TLS is established
and the certificate is verified, unless you agree; a server on this machine needs no TLS. A password that you type is
not shown, and is stored only in the file that you choose. init retrieves and deletes no mail, and writes nothing
unless every step succeeds."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `init`."""
    parser.add_argument(
        "config",
        metavar="CONFIG",
        nargs="?",
        help="the file to write (default: the configuration file in your configuration folder)",
    )
    present = parser.add_mutually_exclusive_group()
    present.add_argument("--add", action="store_true", help="if the file exists, add a client to it")
    present.add_argument("--force", action="store_true", help="if the file exists, replace it")
    _add_account(parser.add_argument_group("account"))
    password = parser.add_argument_group("password")
    _add_password(password.add_mutually_exclusive_group())
    _add_oauth(password)
    _add_mail(parser.add_argument_group("mail"))


def _add_account(account: Container) -> None:
    account.add_argument(
        "--mail",
        metavar="ADDRESS",
        help="mail address of the account, from which server and user name are found",
    )
    account.add_argument("--no-lookup", action="store_true", help="do not look up the server of the mail address")
    account.add_argument(
        "--user", metavar="NAME", help="user name at the server (default: asked for, or the mail address)"
    )
    account.add_argument(
        "--address", metavar="HOST[:PORT]", help="the POP3 server; without a port, 995 and 110 are tried"
    )
    trust = account.add_mutually_exclusive_group()
    trust.add_argument("--tspath", metavar="FILE", help="the certificates to trust (PEM), instead of the system's")
    trust.add_argument(
        "--fingerprint",
        metavar="SHA256",
        help="accept only the server certificate with this fingerprint, for example a self-signed one",
    )
    account.add_argument(
        "--clear-text",
        action="store_true",
        help="without TLS, also use logins that send the password unencrypted",
    )
    account.add_argument("--no-login", action="store_true", help="test the server, but not the login")
    account.add_argument(
        "--offline",
        action="store_true",
        help="do not connect: assume TLS from the first byte, or STLS at port 110",
    )


def _add_password(password: Container) -> None:
    password.add_argument(
        "--password-file",
        metavar="FILE",
        help="its first line is the password; if it does not exist, it is created with the password that you type",
    )
    password.add_argument("--password-command", metavar="COMMAND", help="a command that prints the password")
    password.add_argument("--password-env", metavar="NAME", help="an environment variable that holds the password")
    password.add_argument(
        "--client-id",
        metavar="ID",
        help="instead of a password, log in by OAuth with this client id (Gmail and Outlook; docs/oauth.md)",
    )


def _add_oauth(oauth: Container) -> None:
    oauth.add_argument(
        "--client-secret-file",
        metavar="FILE",
        help="with --client-id: its first line is the client secret, which Google requires",
    )
    oauth.add_argument(
        "--tenant", metavar="NAME", help="with --client-id: the directory, at Microsoft (default: common)"
    )


def _add_imap(mail: Container) -> None:
    mail.add_argument("--imap-user", metavar="NAME", help="with --imap: user name at the IMAP server")
    password = mail.add_mutually_exclusive_group()
    password.add_argument("--imap-password-file", metavar="FILE", help="with --imap: as --password-file")
    password.add_argument("--imap-password-command", metavar="COMMAND", help="with --imap: as --password-command")
    password.add_argument("--imap-password-env", metavar="NAME", help="with --imap: as --password-env")
    mail.add_argument("--imap-folder", metavar="NAME", help="with --imap: the folder (default: INBOX)")
    trust = mail.add_mutually_exclusive_group()
    trust.add_argument("--imap-tspath", metavar="FILE", help="with --imap: as --tspath, for the IMAP server")
    trust.add_argument(
        "--imap-fingerprint", metavar="SHA256", help="with --imap: as --fingerprint, for the IMAP server"
    )


def _add_gmail(mail: Container) -> None:
    mail.add_argument("--gmail-client-id", metavar="ID", help="with --gmail: the client id (docs/gmail.md)")
    mail.add_argument(
        "--gmail-client-secret-file", metavar="FILE", help="with --gmail: its first line is the client secret"
    )
    mail.add_argument("--gmail-labels", metavar="LABELS", help="with --gmail: labels, separated by |")


def _add_mail(mail: Container) -> None:
    destination = mail.add_mutually_exclusive_group()
    destination.add_argument("--maildir", metavar="DIR", help="deliver into this Maildir")
    destination.add_argument("--folder", metavar="DIR", help="save each message as a file in this folder")
    destination.add_argument("--smtp", metavar="ADDRESS", help="send the mail to this mail address")
    destination.add_argument("--imap", metavar="HOST[:PORT]", help="put the mail into a folder of this IMAP server")
    destination.add_argument("--gmail", metavar="ADDRESS", help="import the mail into this Gmail account")
    mail.add_argument(
        "--smtp-server", metavar="HOST[:PORT]", help="with --smtp: the mail server (default: localhost:25)"
    )
    mail.add_argument(
        "--sender", metavar="ADDRESS", help="with --smtp: the envelope sender (default: pop3downloader@localhost)"
    )
    _add_imap(mail)
    _add_gmail(mail)
    kept = mail.add_mutually_exclusive_group()
    kept.add_argument("--keep", action="store_true", help="leave the mail on the server (default)")
    kept.add_argument("--delete", action="store_true", help="delete it from the server as soon as it is stored here")
    mail.add_argument("--freq", metavar="TIME", help="time from one session to the next (default: 5m)")
    mail.add_argument("--id", metavar="ID", help="id of the client (default: made from the server's name)")
    mail.add_argument("--recip", metavar="NAME", help="local user who receives the mail (default: you)")

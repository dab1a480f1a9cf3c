"""What a mail address says about its account: the server, the user name, and what the provider requires."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass

from tui_popretr.cli.init.console import Console, required
from tui_popretr.cli.init.lookup import FoundServer, Report, explain, look_up
from tui_popretr.cli.init.providers import Provider, provider_of, server_of
from tui_popretr.config.addresses import mail_address, server_address
from tui_popretr.config.choices import AuthType
from tui_popretr.config.login import TOKENS
from tui_popretr.config.values import InvalidValueError
from tui_popretr.errors import HostNotFound, UsageError
from tui_popretr.hosts import POP3S_PORT, ascii_host, is_host_name, with_port
from tui_popretr.text import visible

#: Returns the POP3 server for a mail address. Reports each question and its result.
LookUp = Callable[[str, Report], FoundServer | None]


@dataclass(frozen=True, slots=True)
class Account:
    """An account, before its server has been tried."""

    username: str
    #: the server; "": it has to be asked for
    address: str = ""
    #: the default of that question
    suggestion: str = ""
    #: the user name is the mail address, and was not given as something else
    by_mail: bool = False
    #: the login methods: those of access tokens, if the domain's autoconfiguration says that only they are accepted
    logins: tuple[AuthType, ...] = ()


def find_account(arguments: Namespace, console: Console, looked_up: LookUp = look_up) -> Account:
    """Return the account of the arguments, or of the mail address that the user is asked for.

    Looks up nothing on the network without the user's consent. Raises HostNotFound and UsageError if there is no
    terminal, and the server is not found.
    """
    user: str | None = arguments.user
    mail: str = arguments.mail or ""
    if not mail and user is None:
        console.say()
        text = console.ask("Your mail address (or the user name, if there is none)", check=_mail_or_user)
        mail, user = (text, None) if "@" in text else ("", text)
    elif not mail and _has_domain(user or ""):
        mail = user or ""
    if arguments.address:
        return Account(user or mail, arguments.address, by_mail=user is None)
    if not mail:
        return Account(user or "")
    if known := server_of(mail):
        return Account(user or mail, with_port(known, POP3S_PORT), by_mail=user is None)
    domain = ascii_host(mail.rpartition("@")[2])
    asks_nothing = arguments.offline or arguments.no_lookup or "." not in domain
    if not console.interactive:
        if asks_nothing:
            raise UsageError(
                f"the POP3 server of {visible(domain)} is not known, and nothing is looked up", advice="add --address"
            )
        return _found(_say_and_look_up(mail, domain, console, looked_up), domain, user)
    guess = Account(user or mail, suggestion=f"pop.{domain}")
    if asks_nothing or not _agrees(domain, console):
        return guess
    found = _say_and_look_up(mail, domain, console, looked_up)
    if found is None:
        console.say("No POP3 server was found.")
        return guess
    if not found.trusted:
        console.say(
            f"{found.address} is not in {domain}, and an answer of a name server can be forged. Accept it only if this"
            " is your provider's server."
        )
    return Account(user or found.username, suggestion=found.address, logins=_logins(found))


def _agrees(domain: str, console: Console) -> bool:
    console.say(f"\n{domain} is not one of the providers that this program knows. To find its server, it can ask")
    for sentence in explain(domain):
        console.say(f"  {sentence}")
    return console.confirm("Ask them?", default=True)


def _say_and_look_up(mail: str, domain: str, console: Console, looked_up: LookUp) -> FoundServer | None:
    console.say(f"\nLooking up the server of {domain} ...")
    return looked_up(mail, console.report)


def _found(found: FoundServer | None, domain: str, user: str | None) -> Account:
    """Return the account without asking."""
    if found is None:
        raise HostNotFound(f"{visible(domain)} names no POP3 server", advice="add --address")
    if not found.trusted:
        raise HostNotFound(
            f"the name server names {visible(found.address)}, which is not in {visible(domain)}; this can be forged",
            advice=f"if it is your provider's server, add --address {visible(found.address)}",
        )
    return Account(user or found.username, found.address, logins=_logins(found))


def _logins(found: FoundServer) -> tuple[AuthType, ...]:
    return TOKENS if found.tokens_only else ()


def requirements(address: str, username: str, console: Console) -> Provider | None:
    """Say what the provider with this server requires; return the provider if it is known."""
    provider = provider_of(server_address(address)[0])
    if provider is not None:
        console.say(f"\n{provider.name}: {address}, as {visible(username)}")
        for step in provider.steps:
            console.say(f"  {step}")
    return provider


def whole_mail_address(text: str) -> None:
    """Raise InvalidValueError for a text that is not a mail address with a domain."""
    mail_address(text)
    if not _has_domain(text):
        raise InvalidValueError("a mail address with a domain is expected, such as me@example.net")


def _mail_or_user(text: str) -> None:
    required(text)
    if "@" in text:
        whole_mail_address(text)


def _has_domain(text: str) -> bool:
    local, at, domain = text.rpartition("@")
    try:
        return bool(local and at) and is_host_name(ascii_host(domain))
    except ValueError:
        return False

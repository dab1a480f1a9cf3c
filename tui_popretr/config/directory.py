"""The local directory: files of domains, users and aliases, and the expansion of aliases."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from tui_popretr.config import values
from tui_popretr.config.problems import Position, Report
from tui_popretr.config.setting import setting
from tui_popretr.config.values import did_you_mean, quote
from tui_popretr.errors import describe_os_error
from tui_popretr.fs.reading import read_whole
from tui_popretr.hosts import InvalidHostName, ascii_host, host_key
from tui_popretr.secret import Secret

SINK = "."
_MAX_SIZE = 64 * 1024**2
_HINTS = 20  # the number of unknown members that get a suggestion
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


class LocalUser(NamedTuple):
    """A local user: the name as in the file, and the unchanged password."""

    name: str
    password: Secret | None


@dataclass(frozen=True, slots=True)
class DirectorySettings:
    """The element <directory>. Paths are absolute."""

    domains: str | None = setting("<domains>", values.path)
    users: str | None = setting("<users>", values.path)
    aliases: str | None = setting("<aliases>", values.path)
    #: False: delivered files are given to the system user with the name of `recip`
    virtual_users: bool = setting("<virtualusers>", values.boolean, "Y")
    plain_passwords: bool = setting("<plainpass>", values.boolean, "N")  # without effect


@dataclass(frozen=True, slots=True)
class Directory:
    """Local domains, users and aliases. Names are compared without regard to case."""

    domains: frozenset[str] = frozenset()
    users: Mapping[str, LocalUser] | None = None  # by lower-case name; None: no users file, any recip is accepted
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by lower-case name or address

    def user(self, name: str) -> LocalUser | None:
        """Return the user of that name. Without a users file every name is a user."""
        if self.users is None:
            return LocalUser(name, None)
        return self.users.get(name.lower())

    def expand(self, recip: str) -> tuple[str, ...]:
        """Return the addresses that a recip stands for, each once, in the order of the aliases file.

        Only a recip in one of the local domains is expanded, by the most specific alias: the full address, then the
        part before the @. A member without a domain gets the domain of the expanded address. The result is empty if
        the recip leads only to the sink.
        """
        found: dict[str, str] = {}
        reached: set[str] = set()
        waiting = [(recip, "")]
        while waiting:
            address, parent = waiting.pop()
            alias = self.alias_of(address, parent)
            if alias is None:
                found.setdefault(address.lower(), address)
            elif address.lower() not in reached:
                reached.add(address.lower())
                waiting += [(member, alias) for member in reversed(self.members(alias, address))]
        return tuple(found.values())

    def alias_of(self, address: str, parent: str = "") -> str | None:
        """Return the key of the alias that applies to an address; None if no alias does.

        `parent` is the alias that contains the address: a user in the alias of the same name is the user's mailbox.
        """
        local, at, domain = _parts(address)
        if not at or domain not in self.domains:
            return None
        if parent and local == parent.partition("@")[0] and self.users is not None and local in self.users:
            return None
        return next((key for key in (f"{local}@{domain}", local) if key in self.aliases), None)

    def lacks(self, address: str) -> bool:
        """Whether an address in a local domain is neither a user nor an alias; False without a users file."""
        local, _, domain = _parts(address)
        if self.users is None or domain not in self.domains:
            return False
        return local not in self.users and self.alias_of(address) is None

    def members(self, alias: str, address: str) -> list[str]:
        """Return the members of an alias as addresses, without the sink."""
        domain = address.rpartition("@")[2]
        return [member if "@" in member else f"{member}@{domain}" for member in self.aliases[alias] if member != SINK]


def read_directory(domains: str | None, users: str | None, aliases: str | None, report: Report) -> Directory:
    """Read the files (absolute paths; None: no such file) and report their mistakes.

    A file that cannot be read is an error at its line 1. Consequences of an error are not reported: after an error in
    `users` every name is accepted as a user, and after an error in `aliases` or `domains` no alias is checked.
    """
    known_users = None if users is None else _users(users, report)
    known_domains = _domains(domains, report) if domains else frozenset()
    entries = _aliases(aliases, report) if aliases else {}
    if users and _failed(users, report):
        known_users = None
    if aliases and _failed(aliases, report):
        known_domains = frozenset()
    directory = Directory(known_domains, known_users, {key: members for key, (members, _) in entries.items()})
    if not any(path and _failed(path, report) for path in (domains, aliases)):
        _check_aliases(directory, {key: place for key, (_, place) in entries.items()}, report)
    return directory


def _failed(path: str, report: Report) -> bool:
    """Whether a file has an error."""
    return report.has_error_between(Position(path), Position(path, sys.maxsize))


def _domains(path: str, report: Report) -> frozenset[str]:
    domains: set[str] = set()
    for place, line in _entries(path, report):
        name = line.strip()
        if re.search(r"[\s@/:]", name) or not _has_ascii_form(name):
            report.error(place, f"{quote(name)} is not a domain; one domain a line is expected")
        domains.add(host_key(name))
    return frozenset(domains)


def _users(path: str, report: Report) -> dict[str, LocalUser]:
    users: dict[str, LocalUser] = {}
    for place, line in _entries(path, report):
        name, colon, password = line.partition(":")
        name = name.strip()
        if not name or "/" in name or name in {".", ".."} or _CONTROL.search(name):
            report.error(place, "a user name is expected, without / and control characters")
        elif name.lower() in users:
            report.warning(place, f"the user {quote(name)} is named a second time; the first counts")
        else:
            users[name.lower()] = LocalUser(name, Secret(password) if colon and password else None)
    return users


def _aliases(path: str, report: Report) -> dict[str, tuple[tuple[str, ...], Position]]:
    aliases: dict[str, tuple[tuple[str, ...], Position]] = {}
    for place, line in _entries(path, report):
        name, colon, rest = (part.strip() for part in line.partition(":"))
        members = tuple(member.strip() for member in rest.split(":"))
        bad = [text for text in (name, *members) if not _is_recipient(text)]
        if not colon or not all((name, *members)):
            report.error(place, "an alias is expected: alias : member : member")
        elif name == SINK or bad:
            report.error(place, f"{quote(bad[0] if bad else name)} is neither a name nor an address")
        elif SINK in members and len(members) > 1:
            report.error(place, "the sink . cannot be combined with other members of an alias")
        elif (key := _key(name)) in aliases:
            earlier = aliases[key][1].line
            report.error(place, f"the alias {quote(name)} is defined a second time; see line {earlier}")
        else:
            aliases[key] = (members, place)
    return aliases


def _is_recipient(text: str) -> bool:
    local, at, domain = text.rpartition("@")
    if re.search(r"[\s<>/]", text) or _CONTROL.search(text):
        return False
    return not at or bool(local and domain and _has_ascii_form(domain))


def _has_ascii_form(domain: str) -> bool:
    try:
        ascii_host(domain)
    except InvalidHostName:
        return False
    return True


def _parts(address: str) -> tuple[str, str, str]:
    """Return the local part, the @ if there is one, and the domain, in the form for comparison."""
    local, at, domain = address.rpartition("@")
    return (local.lower(), at, host_key(domain)) if at else ("", "", address.lower())


def _key(name: str) -> str:
    return "".join(_parts(name))


def _entries(path: str, report: Report) -> Iterator[tuple[Position, str]]:
    """Yield the lines that are neither blank nor a comment, without their line ends."""
    try:
        data = read_whole(path, _MAX_SIZE).data
    except (OSError, ValueError) as error:
        reason = describe_os_error(error) if isinstance(error, OSError) else "not a path"
        report.error(Position(path), f"cannot be read: {reason}")
        return
    for number, raw in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        place = Position(path, number)
        try:
            line = raw.removesuffix(b"\r").decode()
        except UnicodeDecodeError:
            report.error(place, "the line is not UTF-8")
            continue
        if line.strip() and not line.lstrip().startswith("#"):
            yield place, line


def _check_aliases(directory: Directory, places: Mapping[str, Position], report: Report) -> None:
    """Report loops, aliases without effect and unknown members, each at its alias."""
    if places and not directory.domains:
        first = min(places.values(), key=lambda place: place.line)
        report.warning(first, "aliases apply only to addresses in local domains, and no domain is given")
        return
    representatives = _representatives(directory)
    finder = _LoopFinder(directory)
    unknown: dict[tuple[Position, str], None] = {}
    for key, place in places.items():
        local, at, own = key.rpartition("@")
        if at and own not in directory.domains:
            hint = did_you_mean(own, directory.domains)
            report.warning(place, f"{quote(own)} is no local domain, so the alias has no effect{hint}")
            continue
        for domain in [own] if at else representatives:
            finder.follow(f"{local or key}@{domain}")
            for member in directory.aliases[key]:
                if member != SINK and directory.lacks(member if "@" in member else f"{member}@{domain}"):
                    unknown[place, member] = None
    for loop in finder.loops.values():
        start = loop.index(min(loop, key=lambda alias: places[alias].line))
        path = [*loop[start:], *loop[: start + 1]]
        report.error(places[path[0]], f"the alias leads back to itself: {' -> '.join(path)}")
    for number, (place, member) in enumerate(unknown):
        # A search for similar names is slow with many users.
        hint = did_you_mean(member.partition("@")[0], directory.users or ()) if number < _HINTS else ""
        report.warning(place, f"{quote(member)} is neither a local user nor an alias{hint}")


def _representatives(directory: Directory) -> list[str]:
    """Return one local domain without aliases of full addresses, or all domains if there is none.

    All such domains have the same loops and members. Differences in the others begin at an alias of a full address.
    """
    special = {key.partition("@")[2] for key in directory.aliases}
    return sorted(directory.domains - special)[:1] or sorted(directory.domains)


class _LoopFinder:
    """Follows all paths through the aliases; an alias that occurs twice on a path is a loop."""

    def __init__(self, directory: Directory) -> None:
        self.loops: dict[frozenset[str], list[str]] = {}  # by its aliases, so that each loop is found once
        self._directory = directory
        self._finished: set[str] = set()
        self._trail: dict[str, tuple[str, Iterator[str]]] = {}  # by address: its alias and the members that are left

    def follow(self, address: str) -> None:
        self._enter(address.lower(), "")
        while self._trail:
            address, (alias, members) = next(reversed(self._trail.items()))
            member = next(members, None)
            if member is None:
                self._finished.add(address)
                del self._trail[address]
            else:
                self._enter(member.lower(), alias)

    def _enter(self, address: str, parent: str) -> None:
        alias = self._directory.alias_of(address, parent)
        if alias is None or address in self._finished:
            return
        if address in self._trail:
            addresses = list(self._trail)
            loop = [self._trail[step][0] for step in addresses[addresses.index(address) :]]
            self.loops.setdefault(frozenset(loop), loop)
        else:
            self._trail[address] = (alias, iter(self._directory.members(alias, address)))

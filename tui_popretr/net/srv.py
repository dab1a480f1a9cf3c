"""The POP3 servers that a domain names in its SRV records (RFC 2782, RFC 6186)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tui_popretr.errors import HostNotFound
from tui_popretr.hosts import is_host_name
from tui_popretr.text import visible

if TYPE_CHECKING:
    from dns.asyncresolver import Resolver


class Service(NamedTuple):
    """A server of a domain. `host` has no trailing dot."""

    host: str
    port: int


async def find_services(name: str, *, timeout: float, resolver: Resolver | None = None) -> list[Service]:
    """Return the servers that an SRV name such as `_pop3s._tcp.example.net` has, in their order.

    None of them: the domain has no such record, or says that it has no such server. `timeout` is in seconds. Raises
    HostNotFound if the name server does not answer. The answer is not authenticated (RFC 6186 §6).
    """
    from dns.asyncbackend import get_backend
    from dns.asyncresolver import get_default_resolver
    from dns.exception import DNSException
    from dns.resolver import NXDOMAIN, NoAnswer

    try:
        asked = resolver or get_default_resolver()
        answer = await asked.resolve(f"{name}.", "SRV", lifetime=timeout, backend=get_backend("trio"))
    except (NXDOMAIN, NoAnswer):
        return []
    except (DNSException, OSError) as problem:
        raise HostNotFound(f"the name server does not answer: {visible(str(problem), 200)}") from problem
    # The weight is for sharing load between many clients; here the heaviest is as good as any.
    rows = sorted(answer, key=lambda row: (row.priority, -row.weight))
    hosts = [(row.target.to_text(omit_final_dot=True), row.port) for row in rows]
    return [Service(host, port) for host, port in hosts if is_host_name(host) and port]  # "." is no host: no service

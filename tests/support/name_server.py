"""A name server on this machine, which knows some SRV records."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import dns.asyncresolver
import dns.message
import dns.rcode
import dns.rrset

LOOPBACK: Final = "127.0.0.1"
#: In place of records: the question gets no answer.
SILENT: Final = ("silent",)

#: The SRV records by name, such as `0 0 995 pop.example.net.`; a name without records exists, other names do not.
Records = Mapping[str, Sequence[str]]


@contextlib.contextmanager
def name_server(records: Records) -> Iterator[int]:
    """Serve these records by UDP; the value is the port."""
    with socket.socket(type=socket.SOCK_DGRAM) as udp:
        udp.bind((LOOPBACK, 0))
        port = udp.getsockname()[1]
        thread = threading.Thread(target=_serve, args=(udp, records))
        thread.start()
        try:
            yield port
        finally:
            udp.sendto(b"", (LOOPBACK, port))  # ends the thread
            thread.join()


def _serve(udp: socket.socket, records: Records) -> None:
    while True:
        data, asker = udp.recvfrom(4096)
        if not data:
            return
        question = dns.message.from_wire(data)
        name = question.question[0].name.to_text(omit_final_dot=True)
        rows = records.get(name)
        if rows is SILENT:
            continue
        answer = dns.message.make_response(question)
        if rows is None:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif rows:
            answer.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", "SRV", *rows))
        udp.sendto(answer.to_wire(), asker)


def resolver_at(port: int) -> dns.asyncresolver.Resolver:
    """A resolver that asks only this name server."""
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = [LOOPBACK], port
    return resolver

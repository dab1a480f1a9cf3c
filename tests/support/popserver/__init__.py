"""The POP3 server of the tests: the demo's server, with all login mechanisms, policies, and faults on demand."""

from tests.support.popserver.faults import Faults, PipelineFault, QuitFault, SaslFault
from tests.support.popserver.maildrop import ServedMaildrop, generated_message
from tests.support.popserver.policy import ALL, CRAM, SSLONLY, STD, Mechanism, ServerPolicy, Utf8Support
from tests.support.popserver.server import PopServer, ServerLine
from tui_popretr.popserver import Message

__all__ = [
    "ALL",
    "CRAM",
    "SSLONLY",
    "STD",
    "Faults",
    "Mechanism",
    "Message",
    "PipelineFault",
    "PopServer",
    "QuitFault",
    "SaslFault",
    "ServedMaildrop",
    "ServerLine",
    "ServerPolicy",
    "Utf8Support",
    "generated_message",
]

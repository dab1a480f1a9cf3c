"""A real, small POP3 server on trio, for the demo and for tests. It is not meant for the network."""

from tui_popretr.popserver.faults import Faults, PipelineFault, QuitFault, SaslFault
from tui_popretr.popserver.maildrop import Maildrop, Message
from tui_popretr.popserver.policy import CRAM, SSLONLY, STD, Mechanism, Policy, Utf8
from tui_popretr.popserver.server import PopServer

__all__ = [
    "CRAM",
    "SSLONLY",
    "STD",
    "Faults",
    "Maildrop",
    "Mechanism",
    "Message",
    "PipelineFault",
    "Policy",
    "PopServer",
    "QuitFault",
    "SaslFault",
    "Utf8",
]

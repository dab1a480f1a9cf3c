"""A real, small POP3 server on trio, for the demo and for tests. It is not meant for the network."""

from tui_popretr.popserver.faults import Faults, PipelineFault, QuitFault, SaslFault
from tui_popretr.popserver.maildrop import Message, ServedMaildrop
from tui_popretr.popserver.policy import CRAM, SSLONLY, STD, Mechanism, ServerPolicy, Utf8Support
from tui_popretr.popserver.server import PopServer

__all__ = [
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
    "ServerPolicy",
    "Utf8Support",
]

"""A small POP3 server on trio, for the demo and as the base of the tests' server. It is not meant for the network."""

from tui_popretr.popserver.maildrop import Message, ServedMaildrop
from tui_popretr.popserver.server import PopServer

__all__ = ["Message", "PopServer", "ServedMaildrop"]

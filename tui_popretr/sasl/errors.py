"""How an exchange fails before it starts, and while it runs."""


class MechanismUnusable(Exception):
    """The mechanism is not known here, or cannot be used with these credentials; str(error) says why.

    The text never repeats a credential.
    """


class Cancelled(Exception):
    """The client cannot continue: send the protocol's cancel (RFC 4422 §3.5). str(error) says why."""

"""The flow by which a user logs in. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from tui_popretr.config.oauth import OAuth, Provider
from tui_popretr.errors import UsageError


class Flow(Enum):
    """The flows, by their names on the command line."""

    #: a code to be typed into a page, on any device (RFC 8628)
    DEVICE = "device"
    #: a browser on this machine, which is redirected to a loopback address (RFC 8252 §7.3)
    BROWSER = "browser"
    #: a browser on any machine; the user pastes the address that it was redirected to
    PASTE = "paste"


def choose_flow(oauth: OAuth, wanted: Flow | None, environ: Mapping[str, str]) -> Flow:
    """Return the flow that is wanted, or else the one that fits. Raises UsageError if the provider has no such flow.

    Google has a device flow, but not for mail.
    """
    device, browser = oauth.endpoints.device is not None, oauth.endpoints.auth is not None
    if wanted is Flow.DEVICE and not device:
        raise UsageError(f"{oauth.name} has no device flow here: <deviceurl> is missing", advice="use --flow browser")
    if wanted in (Flow.BROWSER, Flow.PASTE) and not browser:
        raise UsageError(
            f"{oauth.name} has only the device flow here: <authurl> is missing", advice="use --flow device"
        )
    if wanted is not None:
        return wanted
    if device and (oauth.provider is not Provider.GOOGLE or not browser):
        return Flow.DEVICE
    return Flow.PASTE if environ.get("SSH_CONNECTION") else Flow.BROWSER

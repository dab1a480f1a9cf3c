"""The flow that is used, by provider, option and environment."""

from __future__ import annotations

import pytest

from tui_popretr.config.oauth import Endpoints, OAuth, Provider
from tui_popretr.errors import UsageError
from tui_popretr.oauth.choice import Flow, choose_flow

BOTH = Endpoints(auth="https://p.test/a", token="https://p.test/t", device="https://p.test/d")
NO_DEVICE = Endpoints(auth="https://p.test/a", token="https://p.test/t")
ONLY_DEVICE = Endpoints(token="https://p.test/t", device="https://p.test/d")
SSH = {"SSH_CONNECTION": "192.0.2.1 50000 192.0.2.2 22"}


def oauth(provider: Provider, endpoints: Endpoints) -> OAuth:
    return OAuth(provider, "client", "me@example.test", endpoints)


@pytest.mark.parametrize(
    ("provider", "endpoints", "environ", "flow"),
    [
        (Provider.GOOGLE, BOTH, {}, Flow.BROWSER),
        (Provider.GOOGLE, BOTH, SSH, Flow.PASTE),
        (Provider.MICROSOFT, BOTH, {}, Flow.DEVICE),
        (Provider.MICROSOFT, BOTH, SSH, Flow.DEVICE),
        (Provider.CUSTOM, BOTH, {}, Flow.DEVICE),
        (Provider.CUSTOM, NO_DEVICE, {}, Flow.BROWSER),
        (Provider.CUSTOM, NO_DEVICE, SSH, Flow.PASTE),
        (Provider.CUSTOM, NO_DEVICE, {"SSH_CONNECTION": ""}, Flow.BROWSER),
        (Provider.CUSTOM, ONLY_DEVICE, SSH, Flow.DEVICE),
    ],
)
def test_the_default(provider: Provider, endpoints: Endpoints, environ: dict[str, str], flow: Flow) -> None:
    assert choose_flow(oauth(provider, endpoints), None, environ) is flow


@pytest.mark.parametrize("flow", Flow)
def test_what_is_wanted_counts(flow: Flow) -> None:
    assert choose_flow(oauth(Provider.GOOGLE, BOTH), flow, SSH) is flow


@pytest.mark.parametrize(
    ("endpoints", "flow", "missing", "other"),
    [
        (NO_DEVICE, Flow.DEVICE, "<deviceurl>", "--flow browser"),
        (ONLY_DEVICE, Flow.BROWSER, "<authurl>", "--flow device"),
        (ONLY_DEVICE, Flow.PASTE, "<authurl>", "--flow device"),
    ],
)
def test_a_flow_that_the_provider_does_not_have(endpoints: Endpoints, flow: Flow, missing: str, other: str) -> None:
    with pytest.raises(UsageError) as caught:
        choose_flow(oauth(Provider.CUSTOM, endpoints), flow, {})
    assert missing in str(caught.value)
    assert other in caught.value.advice

"""docs/control.schema.json is the schema of this version's messages."""

from __future__ import annotations

import json

import jsonschema
import pytest

from scripts.control_schema import SCHEMA, schema, text
from tests.control.serving import check_request, check_server_message


def test_it_is_current() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == text(), "run: make schema"


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    assert json.loads(text()) == schema()


@pytest.mark.parametrize("message", [{}, {"id": 1}, {"gap": -1}, {"n": 0, "event": "client_paused", "client": "a"}])
def test_invalid_messages_of_the_server(message: object) -> None:
    with pytest.raises(jsonschema.ValidationError):
        check_server_message(message)


@pytest.mark.parametrize(
    "request_", [{}, {"id": 1, "request": "poll"}, {"id": 1, "request": "x"}, {"id": 1, "request": "history"}]
)
def test_invalid_requests(request_: object) -> None:
    with pytest.raises(jsonschema.ValidationError):
        check_request(request_)

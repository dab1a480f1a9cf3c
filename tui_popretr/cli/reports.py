"""The reports of `check`, `info`, `waiting` and `run --once` as JSON; docs/command-line.md describes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from tui_popretr.answers import WaitingMail
from tui_popretr.cli.config_path import ConfigurationFile
from tui_popretr.config.model import ClientSettings, oauth_of
from tui_popretr.config.oauth import Use
from tui_popretr.config.problems import Problem
from tui_popretr.control.codec import to_json
from tui_popretr.errors import ExitCode
from tui_popretr.facts import SessionResult
from tui_popretr.session.exploration import Findings
from tui_popretr.text import json_text

#: The version of the reports. It grows only if a reader of the version before would misunderstand something.
VERSION: Final = 1

Json = dict[str, Any]


def print_report(report: Json) -> None:
    """Print a report with its version."""
    print(json_text({"version": VERSION, **report}), flush=True)


def check_report(
    file: ConfigurationFile,
    code: ExitCode,
    problems: Sequence[Problem],
    clients: Iterable[Json],
    disabled: Iterable[str],
    program: Iterable[str] = (),
) -> Json:
    """Return the report of `check`."""
    return {
        "config": file.path,
        "exit_code": code.value,
        "problems": [problem_report(each) for each in problems],
        "clients": list(clients),
        "disabled": list(disabled),
        "program": list(program),
    }


def problem_report(problem: Problem) -> Json:
    """Return a problem of a configuration."""
    return {
        "file": problem.path,
        "line": problem.line,
        "column": problem.column,
        "severity": problem.severity.value,
        "message": problem.message,
    }


def probe_report(client: ClientSettings, found: Findings) -> Json:
    """Return what `check --connect` found at a client's server."""
    problem = found.problem
    oauth = oauth_of(client.destination)

    def destination_token(use: Use) -> Json | None:
        token = found.destination_token
        return None if token is None or oauth is None or oauth.use is not use else to_json(token)

    return {
        "id": client.id,
        "server": str(client.server.address),
        "exit_code": 0 if problem is None else problem.exit_code.value,
        "error": "" if problem is None else str(problem),
        "advice": "" if problem is None else problem.advice,
        "remote": found.remote,
        "tls": None if found.tls is None else to_json(found.tls),
        "login": found.mechanism,
        "token": None if found.token is None else to_json(found.token),
        "smtp_token": destination_token(Use.SMTP),
        "imap_token": destination_token(Use.IMAP),
        "gmail_token": destination_token(Use.GMAIL),
        "destination": dict(found.destination),
        "capabilities": list(found.capabilities.lines) if found.mechanism and found.capabilities else None,
        "messages": found.messages,
        "octets": found.octets,
        "warnings": list(found.warnings),
    }


def run_report(code: int, results: Mapping[str, SessionResult]) -> Json:
    """Return the report of `run --once`."""
    clients = [{"id": client, **to_json(result)} for client, result in results.items()]
    return {"exit_code": int(code), "clients": clients}


def waiting_report(mail: WaitingMail) -> Json:
    """Return what `waiting` has found."""
    messages = [
        {
            "number": each.number,
            "uid": each.uid,
            "size": each.size,
            "from": each.name or each.sender,
            "address": each.sender,
            "subject": each.subject,
            "date": each.date,
            "reason": each.reason.value,
            "text": each.text,
        }
        for each in mail.messages
    ]
    return {
        "client": mail.client,
        "count": mail.count,
        "octets": mail.octets,
        "remark": mail.remark,
        "messages": messages,
    }

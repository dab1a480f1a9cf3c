"""Warnings about the command of <mda>: shell syntax, placeholders of fetchmail, dovecot-lda without -e."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Sequence
from typing import Final

from tui_popretr.config.values import quote

# Pipes, lists, redirections, variables, home folders. Not `<`, which may begin an address.
_SHELL_SYNTAX: Final = re.compile(r"[|;&$]|[0-9]*>|~/")
_FETCHMAIL_PLACEHOLDERS: Final = ("%T", "%F")
_LDA: Final = "dovecot-lda"
_LDA_OPTIONS_WITH_ARGUMENT: Final = frozenset("acdfimopr")
# In a shell script. Redirections (2>&1, &>file) do not match.
_END_OF_COMMAND: Final = re.compile(r"[|;()\n]|&(?!>)")


def command_warnings(argv: Sequence[str]) -> Iterator[str]:
    """Yield the warnings about a command."""
    for word in argv:
        if _SHELL_SYNTAX.match(word):
            yield (
                f"no shell runs the command, so {quote(word)} is a plain argument; write sh -c '...' around the command"
            )
        elif word in _FETCHMAIL_PLACEHOLDERS:
            yield f"{quote(word)} has no meaning here; %U% is the recip"
    if _loses_mail(argv):
        yield (
            f"{_LDA} without -e bounces or drops a message that is over quota and ends with exit code 0, so the message"
            " is deleted from the server; add -e: it then ends with 77, and the message stays (a message that a Sieve"
            " script rejects is never stored and is deleted from the server, with -e too)"
        )


def words_of_place(argv: Sequence[str]) -> tuple[str, ...]:
    """Return the words that identify the destination: all but the -e of dovecot-lda.

    Otherwise adding -e, as the warning advises, would retrieve all mail again that preserve has left on the server.
    """
    return tuple(word for word in argv if word != "-e") if any(map(_is_lda, argv)) else tuple(argv)


def _loses_mail(argv: Sequence[str]) -> bool:
    """Whether the words, or a shell script in one of them, call dovecot-lda without -e."""
    for number, word in enumerate(argv):
        if _is_lda(word):
            if not _has_e(argv[number + 1 :]):
                return True
        elif _LDA in word or "/deliver" in word:
            words = _script(word)
            if len(words) > 1 and _loses_mail(words):
                return True
    return False


def _is_lda(word: str) -> bool:
    """Whether a word is dovecot-lda with any path, or its old name on Debian: /usr/lib/dovecot/deliver."""
    if len(word.split()) != 1:  # a script, not a path
        return False
    name = os.path.basename(word)
    return name == _LDA or (name == "deliver" and "dovecot" in os.path.dirname(word))


def _has_e(words: Sequence[str]) -> bool:
    """Whether -e is an option, alone or in a cluster (-ke), and not the argument of an option."""
    rest = iter(words)
    for word in rest:
        if word == "--" or _END_OF_COMMAND.match(word):
            return False
        if not word.startswith("-"):
            continue
        for index, letter in enumerate(word[1:], 1):
            if letter == "e":
                return True
            if letter in _LDA_OPTIONS_WITH_ARGUMENT:
                if index == len(word) - 1:
                    next(rest, None)
                break
    return False


def _script(word: str) -> list[str]:
    """Return the words of a shell script, including the separators of commands."""
    lexer = shlex.shlex(word, posix=True, punctuation_chars="|;&()<>\n")
    lexer.whitespace = " \t\r"
    lexer.whitespace_split = True
    try:
        return list(lexer)
    except ValueError:
        return []

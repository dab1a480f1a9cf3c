"""Probable mistakes in the command of <mda>: shell syntax, placeholders of fetchmail, dovecot-lda without -e."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Sequence
from typing import Final

from tui_popretr.config.values import quote

# Shell syntax: pipes, lists, redirections, variables, home folders. Not `<`, which may begin an address.
_OF_A_SHELL: Final = re.compile(r"[|;&$]|[0-9]*>|~/")
_OF_FETCHMAIL: Final = ("%T", "%F")
_LDA: Final = "dovecot-lda"
_LDA_OPTIONS_WITH_ARGUMENT: Final = frozenset("acdfimopr")
# In a shell script; not a redirection (2>&1, &>file).
_END_OF_COMMAND: Final = re.compile(r"[|;()\n]|&(?!>)")


def doubts(argv: Sequence[str]) -> Iterator[str]:
    """Yield the warnings about a command."""
    for word in argv:
        if _OF_A_SHELL.match(word):
            yield f"no shell runs the command, so {quote(word)} is taken as it stands; write sh -c '...' around it all"
        elif word in _OF_FETCHMAIL:
            yield f"{quote(word)} stands for nothing here; %U% is the recip"
    if _loses_mail(argv):
        yield (
            f"{_LDA} without -e bounces or drops a message that is over quota and ends with exit code 0, so the message"
            " is deleted from the server; add -e: it then ends with 77, and the message stays (a message that a Sieve"
            " script rejects is never stored and is deleted from the server, with -e too)"
        )


def words_of_place(argv: Sequence[str]) -> tuple[str, ...]:
    """Return the words that identify the destination: all but the -e of dovecot-lda.

    Otherwise a user who adds -e, as advised, would get all mail again that preserve has left on the server.
    """
    return tuple(word for word in argv if word != "-e") if any(map(_is_lda, argv)) else tuple(argv)


def _loses_mail(argv: Sequence[str]) -> bool:
    """Whether the words, or a shell script among them, call dovecot-lda without -e."""
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
    """Dovecot-lda by any path, or by its old name as Debian has it: /usr/lib/dovecot/deliver."""
    if len(word.split()) != 1:  # a script, not a path
        return False
    name = os.path.basename(word)
    return name == _LDA or (name == "deliver" and "dovecot" in os.path.dirname(word))


def _has_e(words: Sequence[str]) -> bool:
    """Whether -e is among the options, alone or in a cluster (-ke), and not the argument of an option."""
    rest = iter(words)
    for word in rest:
        if word == "--" or _END_OF_COMMAND.match(word):
            return False
        if not word.startswith("-"):
            continue
        for place, letter in enumerate(word[1:], 1):
            if letter == "e":
                return True
            if letter in _LDA_OPTIONS_WITH_ARGUMENT:
                if place == len(word) - 1:
                    next(rest, None)
                break
    return False


def _script(word: str) -> list[str]:
    """Return the words of a shell script; separators of commands are words, too."""
    lexer = shlex.shlex(word, posix=True, punctuation_chars="|;&()<>\n")
    lexer.whitespace = " \t\r"
    lexer.whitespace_split = True
    try:
        return list(lexer)
    except ValueError:
        return []

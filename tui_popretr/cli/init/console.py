"""Questions on a terminal, and their answers."""

from __future__ import annotations

import contextlib
import getpass
import sys
import textwrap
import warnings
from collections.abc import Callable, Sequence

from tui_popretr.config.values import InvalidValueError, is_unicode
from tui_popretr.errors import PopretrError, UsageError
from tui_popretr.process.terminal_size import terminal_size
from tui_popretr.secret import Secret
from tui_popretr.text import visible


def has_terminal() -> bool:
    """Whether somebody can be asked."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))


def folded(text: str) -> str:
    """Return text with lines that a terminal would break in the middle of a word broken between words.

    What follows on an indented line begins two columns further right. Where no terminal shows it, it stays as it is.
    """
    if not sys.stdout.isatty():
        return text
    width = max(terminal_size(sys.stdout.fileno())[0], 40)
    return "\n".join(_fold(line, width) for line in text.split("\n"))


def _fold(line: str, width: int) -> str:
    depth = len(line) - len(line.lstrip())
    indent = " " * (depth + 2 if depth else 0)
    return textwrap.fill(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


class Dialogue:
    """Asks until an answer can be used. Every method raises UsageError where the answers end (ctrl+d)."""

    def __init__(self) -> None:
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401 - arrow keys, in input()

    def ask(self, question: str, default: str = "", *, check: Callable[[str], object] = str) -> str:
        """Return an answer that `check` does not refuse with InvalidValueError; `default` where it was empty."""
        prompt = f"{question} [{default}]: " if default else f"{question}: "
        while True:
            try:
                return plain(_read(lambda: input(prompt)).strip() or default, check)
            except InvalidValueError as problem:
                print(f"  {problem}")

    def choose(self, question: str, options: Sequence[str], default: int = 1) -> int:
        """Return the number of one of the options, which count from 1."""
        print(question)
        for number, option in enumerate(options, start=1):
            print(f"  {number}  {option}")

        def check(text: str) -> None:
            if text not in {str(number) for number in range(1, len(options) + 1)}:
                raise InvalidValueError(f"a number from 1 to {len(options)} is expected")

        return int(self.ask("Number", str(default), check=check))

    def agree(self, question: str, *, default: bool = False) -> bool:
        """Return whether the answer is yes; `default` where it was empty."""

        def check(text: str) -> None:
            if text.lower() not in {"y", "yes", "n", "no"}:
                raise InvalidValueError("y or n is expected")

        return self.ask(f"{question} (y/n)", "y" if default else "n", check=check).lower().startswith("y")

    def ask_secret(self, question: str) -> Secret:
        """Return what is typed and not shown; it is something."""
        with warnings.catch_warnings():
            # It would go on with echo.
            warnings.simplefilter("error", getpass.GetPassWarning)
            while True:
                try:
                    return Secret(plain(_read(lambda: getpass.getpass(f"{question} (not shown): ")), needed))
                except InvalidValueError as problem:
                    print(f"  {problem}")
                except getpass.GetPassWarning:
                    raise UsageError(
                        "this terminal would show the password, so it is not asked for",
                        advice="use --password-command, --password-file or --password-env",
                    ) from None


class Talk:
    """What is said to the user and asked; `dialogue` is None where nobody can be asked."""

    def __init__(self, dialogue: Dialogue | None, *, quiet: bool) -> None:
        self._dialogue = dialogue
        self._quiet = quiet
        self._told: set[str] = set()

    @property
    def silent(self) -> bool:
        """Whether nobody can be asked."""
        return self._dialogue is None

    @property
    def asker(self) -> Dialogue:
        """Whom to ask. Raises AssertionError where that is nobody: what is needed was to be seen to before."""
        assert self._dialogue is not None
        return self._dialogue

    def say(self, text: str = "") -> None:
        if not self._quiet:
            print(folded(text), flush=True)

    def tell(self, what: str, outcome: str) -> None:
        """Say what came of something."""
        self.say(f"  {what}: {visible(outcome, 4096)}")
        if not self._quiet:
            self._told.add(outcome)

    def shorten(self, problem: PopretrError) -> None:
        """Take out of an error what the user, who is looking on, has been told before."""
        if not self.silent and str(problem) in self._told:
            problem.args = ("nothing was written, for the reason above",)
            if problem.advice in self._told:
                problem.advice = ""

    def again(self, advice: str, question: str) -> bool:
        """Whether the user wants to try again what failed; False where there is nobody to ask."""
        if self._dialogue is None:
            return False
        if advice:
            self._told.add(advice)
            print(folded(f"  what to do: {advice}"))
        return self._dialogue.agree(question, default=True)

    def agrees(self, problem: PopretrError, question: str) -> bool:
        """Whether the user goes on in spite of a problem; False where there is nobody to ask."""
        if self._dialogue is None:
            return False
        text = str(problem)
        print(folded(f"\n{text[:1].upper()}{text[1:]}."))
        return self._dialogue.agree(question)


def plain(text: str, check: Callable[[str], object] = str) -> str:
    """Return text that can stand in a configuration. Raises InvalidValueError, which does not show it, or check's."""
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in text) or not is_unicode(text):
        raise InvalidValueError("there is a character in it that cannot be part of it")
    check(text)
    return text


def needed(text: str) -> None:
    """Raise InvalidValueError where there is no text."""
    if not text.strip():
        raise InvalidValueError("an answer is needed")


def _read(read: Callable[[], str]) -> str:
    try:
        return read()
    except EOFError:
        print()
        raise UsageError("the answers ended too early; nothing was written") from None
    except UnicodeDecodeError:
        raise InvalidValueError("these are no characters in this terminal's encoding") from None

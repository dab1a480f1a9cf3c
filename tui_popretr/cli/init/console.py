"""Output on a terminal, questions and their answers."""

from __future__ import annotations

import contextlib
import getpass
import sys
import warnings
from collections.abc import Callable, Sequence

from tui_popretr.cli.folding import folded
from tui_popretr.config.values import InvalidValueError, is_unicode
from tui_popretr.errors import PopretrError, UsageError
from tui_popretr.secret import Secret
from tui_popretr.text import visible
from tui_popretr.wording import fingerprint, sentence


def has_terminal() -> bool:
    """Whether questions can be asked."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))


class Console:
    """Prints and asks. The methods that ask raise UsageError at the end of input (ctrl+d).

    `interactive`: questions can be asked. `quiet`: print only questions and what they need.
    """

    def __init__(self, *, interactive: bool, quiet: bool) -> None:
        self.interactive = interactive
        self._quiet = quiet
        self._reported: set[str] = set()
        if interactive:
            with contextlib.suppress(ImportError):
                import readline  # noqa: F401 - arrow keys, in input()

    # --- output -------------------------------------------------------------------------------------------------------

    def say(self, text: str = "") -> None:
        """Print a text, unless quiet."""
        if not self._quiet:
            print(folded(text), flush=True)

    def report(self, what: str, result: str) -> None:
        """Print the result of a step, unless quiet."""
        self.say(f"  {what}: {visible(result, 4096)}")
        if not self._quiet:
            self._reported.add(result)

    def shorten(self, problem: PopretrError) -> None:
        """Remove the text from an error that the user has just read."""
        if self.interactive and str(problem) in self._reported:
            problem.args = ("nothing was written, for the reason above",)
            if problem.advice in self._reported:
                problem.advice = ""

    # --- questions ----------------------------------------------------------------------------------------------------

    def ask(self, question: str, default: str = "", *, check: Callable[[str], object] = str) -> str:
        """Return an answer, `default` if it is empty; ask again while `check` raises InvalidValueError."""
        self._assert_interactive()
        prompt = f"{question} [{default}]: " if default else f"{question}: "
        while True:
            try:
                return plain(_read(lambda: input(prompt)).strip() or default, check)
            except InvalidValueError as problem:
                print(f"  {problem}")

    def choose(self, question: str, options: Sequence[str], default: int = 1) -> int:
        """Return the number of the option chosen, from 1."""
        self._assert_interactive()
        print(question)
        for number, option in enumerate(options, start=1):
            print(folded(f"  {number}  {option}"))

        def check(text: str) -> None:
            if text not in {str(number) for number in range(1, len(options) + 1)}:
                raise InvalidValueError(f"a number from 1 to {len(options)} is expected")

        return int(self.ask("Number", str(default), check=check))

    def confirm(self, question: str, *, default: bool = False) -> bool:
        """Return whether the answer is yes, `default` if it is empty."""

        def check(text: str) -> None:
            if text.lower() not in {"y", "yes", "n", "no"}:
                raise InvalidValueError("y or n is expected")

        return self.ask(f"{question} (y/n)", "y" if default else "n", check=check).lower().startswith("y")

    def ask_secret(self, question: str) -> Secret:
        """Return what is typed, without echo; never empty. Raises UsageError if the terminal cannot hide it."""
        self._assert_interactive()
        with warnings.catch_warnings():
            warnings.simplefilter("error", getpass.GetPassWarning)  # getpass would go on with echo
            while True:
                try:
                    return Secret(plain(_read(lambda: getpass.getpass(f"{question} (not shown): ")), required))
                except InvalidValueError as problem:
                    print(f"  {problem}")
                except getpass.GetPassWarning:
                    raise UsageError(
                        "this terminal would show the password, so it is not asked for",
                        advice="use --password-command, --password-file or --password-env",
                    ) from None

    def offer_retry(self, advice: str, question: str) -> bool:
        """Whether the user wants to try again after a failure; False without a terminal."""
        if not self.interactive:
            return False
        if advice:
            self._reported.add(advice)
            print(folded(f"  what to do: {advice}"))
        return self.confirm(question, default=True)

    def accepts_certificate(self, digest: str, mismatch: str = "") -> bool:
        """Whether the user has compared the fingerprint of a certificate and wants to pin it.

        `digest`: its SHA-256, "" if it is not known. `mismatch`: the reason if the certificate is for another name.
        """
        if not self.interactive or not digest:
            return False
        if mismatch:
            print(folded(f"\n{sentence(mismatch)} Check the address first: this may be another server."))
        shown = fingerprint(digest)
        half = len(shown) // 2 + 1
        print(f"\nThe server's certificate has the SHA-256 fingerprint\n\n  {shown[:half]}\n  {shown[half:]}\n")
        print(
            folded(
                "Compare it with the one that the server's operator publishes: an attacker between you and the server"
                " would also present a certificate. If it is the same, only this certificate is accepted from now on,"
                f"{' whatever name it is for,' * bool(mismatch)} and a new one has to be compared again."
            )
        )
        return self.ask("Type yes if you have compared and it is the same").lower() == "yes"

    def accepts(self, problem: PopretrError, question: str) -> bool:
        """Whether the user goes on in spite of a problem; False without a terminal."""
        if not self.interactive:
            return False
        print(folded(f"\n{sentence(str(problem))}"))
        return self.confirm(question)

    def _assert_interactive(self) -> None:
        assert self.interactive, "without a terminal the arguments have to hold every answer"


def plain(text: str, check: Callable[[str], object] = str) -> str:
    """Return text if a configuration can hold it. Raises InvalidValueError, which does not show it, or check's."""
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in text) or not is_unicode(text):
        raise InvalidValueError("it contains a character that is not allowed there")
    check(text)
    return text


def required(text: str) -> None:
    """Raise InvalidValueError for an empty text."""
    if not text.strip():
        raise InvalidValueError("an answer is needed")


def _read(read: Callable[[], str]) -> str:
    try:
        return read()
    except EOFError:
        print()
        raise UsageError("the input ended before the last answer; nothing was written") from None
    except UnicodeDecodeError:
        raise InvalidValueError("it is not valid in this terminal's encoding") from None

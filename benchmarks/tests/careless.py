"""A retriever that makes a mistake at its second message: `careless.py MISTAKE PORT ACCOUNT PASSWORD MAILDIR`."""

import poplib
import sys
from pathlib import Path


def main(mistake: str, port: str, account: str, password: str, maildir: str) -> None:
    """Retrieve everything but for the mistake."""
    new = Path(maildir) / "new"
    server = poplib.POP3("127.0.0.1", int(port), timeout=60)
    server.user(account)
    server.pass_(password)
    count, _ = server.stat()
    for number in range(1, count + 1):
        message = b"\n".join(server.retr(number)[1]) + b"\n"
        chosen = number == 2
        if chosen and mistake == "alters":
            message = message.replace(b"words", b"sword", 1)
        if not (chosen and mistake == "loses"):
            (new / f"{number}").write_bytes(message)
        if chosen and mistake == "doubles":
            (new / f"{number}-again").write_bytes(message)
        if not (chosen and mistake == "leaves"):
            server.dele(number)
    server.quit()
    sys.exit(mistake == "complains")


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Messages that a parser of mail, or what draws them, may fail at: what follows their first header field."""

from __future__ import annotations


def _multiparts(depth: int) -> bytes:
    return b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (each, each) for each in range(depth)
    )


#: So deep that the email package gives up.
TOO_DEEP: dict[str, bytes] = {
    "1,500 messages in each other": b"Content-Type: message/rfc822\r\n\r\n" * 1500,
    "1,100 multiparts in each other": _multiparts(1100),
}
NASTY: dict[str, bytes] = {
    **TOO_DEEP,
    "300 multiparts in each other": _multiparts(300),
    "300 messages in each other": b"Content-Type: message/rfc822\r\n\r\n" * 300 + b"\r\ntext",
    "unknown charset": b"Content-Type: text/plain; charset=x-unknown\r\n\r\n\xff text",
    "charset that is no text's": b"Content-Type: text/plain; charset=hex\r\n\r\n\xff text",
    "charset with a NUL": b'Content-Type: text/plain; charset="a\x00b"\r\n\r\n\xff text',
    "charset in pieces": b"Content-Type: text/plain; charset*0*=x''%ff; charset*1=%\r\n\r\n\xff text",
    "broken base64": b"Content-Transfer-Encoding: base64\r\n\r\n====A\xff\x00=",
    "broken uuencode": b"Content-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 x\r\n\xff\x00\r\nend\r\n",
    "a header of 1 MB": b"X-Long: " + b"x" * 1_000_000 + b"\r\n\r\ntext",
    "a header of 1 MB in encoded words": b"X-Long: " + b"=?utf-8?q?x?= " * 70_000 + b"\r\n\r\ntext",
    "50,000 header fields": b"a:\r\n" * 50_000 + b"\r\ntext",
    "10,000 parameters": b"Content-Type: text/plain" + b"; a=b" * 10_000 + b"\r\n\r\ntext",
    "boundary that is empty": b"Content-Type: multipart/mixed; boundary=\r\n\r\n--\r\n--\r\n",
    "a line of 1 MB": b"\r\n" + b"x" * 1_000_000,
    "60,000 tabs": b"\r\n" + b"\t" * 60_000,
    "300,000 empty lines": b"\r\n" + b"\r\n" * 300_000,
    "no text at all": b"",
    "octets": bytes(range(256)) * 100,
    "combining characters": b"\r\n" + ("e" + "\u0301" * 5000).encode(),
}

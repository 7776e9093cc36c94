"""Two hundred texts that are no HTTP request, or more than one, made by hand (T-A8)."""

from __future__ import annotations

HOST = b"Host: localhost"
JSON = b"Content-Type: application/json"
BODY = b'{"id":1,"method":"get_chain_id"}'
NO_TOKEN = b'()<>@,;:\\"/[]?={} \t\x00\x7f\xe9'
"""Bytes that no name of a field has."""


def request(*lines: bytes, start: bytes = b"POST / HTTP/1.1", body: bytes = BODY) -> bytes:
    """A head of these lines, and a body."""
    return b"\r\n".join([start, *lines, b"", b""]) + body


def _starts() -> list[bytes]:
    words = [b"POST", b"POST /", b"POST  / HTTP/1.1", b"POST / HTTP/1.1 x", b" POST / HTTP/1.1"]
    versions = [
        b"1",
        b"1.",
        b".1",
        b"1.10",
        b"01.1",
        b"1.1.1",
        b"2.0",
        b"0.9",
        b"3",
        b"-1.1",
        b"x.y",
    ]
    schemes = [b"http/1.1", b"HTTPS/1.1", b"HTTP 1.1", b"HTTP/ 1.1", b"XTTP/1.1", b""]
    words += [b"POST / HTTP/" + version for version in versions]
    words += [b"POST / " + scheme for scheme in schemes]
    words += [bytes((one,)) + b"OST / HTTP/1.1" for one in NO_TOKEN]
    words += [
        b"POST /\x00 HTTP/1.1",
        b"POST /\x7f HTTP/1.1",
        b"POST /a b HTTP/1.1",
        b"\x16\x03\x01",
    ]
    words += [b"POST / HTTP/1.1\rX: y", b"POST /" + b"a" * 20_000 + b" HTTP/1.1", b"A" * 20_000]
    return [request(HOST, JSON, b"Content-Length: 32", start=word) for word in words]


def _hosts() -> list[bytes]:
    hosts: list[tuple[bytes, ...]] = [
        (),
        (HOST, HOST),
        (HOST, b"Host: evil.example"),
        (b"Host:",),
        (b"Host: evil.example",),
        (b"Host: localhost, evil.example",),
        (b"Host: localhost evil.example",),
        (b"Host: user@localhost",),
        (b"Host: localhost/",),
        (b"Host: localhost#",),
        (b"Host: local\x00host",),
        (b"Host : localhost",),
        (b" Host: localhost",),
        (b"Host\t: localhost",),
        (b"Host localhost",),
    ]
    return [request(*lines, JSON, b"Content-Length: 32") for lines in hosts]


def _lengths() -> list[bytes]:
    values = [
        *(
            b"-1",
            b"+32",
            b"0x20",
            b"32.0",
            b"3e1",
            b"32 32",
            b"32;32",
            b"32, 31",
            b"31,32",
            b"",
            b" ",
        ),
        *(
            b"thirty",
            b"\xb23\xb2",
            b"32\x0b",
            b"32\x00",
            b"9" * 19,
            b"9" * 40,
            b"9" * 4_000,
            b"1" * 20,
        ),
        *(
            b"'32'",
            b'"32"',
            b"32,",
            b",32",
            b"32, ",
            b"0 32",
            b"32 0",
            b"--32",
            b"0b100000",
            b"3_2",
        ),
    ]
    found = [request(HOST, JSON, b"Content-Length: " + value) for value in values]
    pairs = [
        (b"32", b"31"),
        (b"31", b"32"),
        (b"32", b"0"),
        (b"0", b"32"),
        (b"32", b"-1"),
        (b"32", b""),
    ]
    for first, second in pairs:
        lines = (b"Content-Length: " + first, b"Content-Length: " + second)
        found.append(request(HOST, JSON, *lines))
    return found


def _codings() -> list[bytes]:
    values = [
        *(
            b"gzip",
            b"identity",
            b"chunked, gzip",
            b"gzip, chunked",
            b"chunked, chunked",
            b"xchunked",
        ),
        *(
            b"chunked, identity",
            b"chunkedx",
            b"chunked;q=1",
            b"\x0bchunked",
            b"chunked\x00",
            b"",
            b"cow",
        ),
        *(b'"chunked"', b"chunked,", b", chunked", b"deflate", b"compress", b"br", b"trailers"),
    ]
    chunks = b"20\r\n" + BODY + b"\r\n0\r\n\r\n"
    found = [request(HOST, JSON, b"Transfer-Encoding: " + one, body=chunks) for one in values]
    for lines in (
        (b"Content-Length: 32", b"Transfer-Encoding: chunked"),
        (b"Transfer-Encoding: chunked", b"Content-Length: 32"),
        (b"Transfer-Encoding: chunked", b"Content-Length: 0"),
        (b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
        (b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip"),
        (b"Transfer-Encoding : chunked",),
        (b"Transfer-Encoding\x00: chunked",),
    ):
        found += [request(HOST, JSON, *lines, body=chunks)]
    found.append(
        request(HOST, JSON, b"Transfer-Encoding: chunked", body=chunks).replace(b"/1.1", b"/1.0")
    )
    return found


def _chunks() -> list[bytes]:
    sizes = [
        *(b"-20", b"+20", b"0x20", b"g", b"", b" ", b"20 20", b"2 0", b"\x00", b"20\x00", b"20,20"),
        *(b"F" * 400, b"20;" + b"x" * 70_000, b"'20'", b"20.0", b"2_0"),
    ]
    lines = (HOST, JSON, b"Transfer-Encoding: chunked")
    found = [request(*lines, body=one + b"\r\n" + BODY + b"\r\n0\r\n\r\n") for one in sizes]
    for body in (
        b"20\r\n" + BODY + b"0\r\n\r\n",
        b"20\r\n" + BODY + b"xx0\r\n\r\n",
        b"1f\r\n" + BODY + b"\r\n0\r\n\r\n",
        b"20\r" + BODY + b"\r\n0\r\n\r\n",
    ):
        found += [request(*lines, body=body)]
    return found


def _fields() -> list[bytes]:
    lines = [
        *(b"X" + bytes((one,)) + b"Y: z" for one in NO_TOKEN if one != ord(":")),
        *(bytes((one,)) + b": z" for one in NO_TOKEN),
        *(b"X: a\x00b", b"X: a\rb", b"X: a\r\r\nY: b", b"X", b": y", b"\xff: y", b"X\r\n Y: z"),
        *(
            b" folded",
            b"\tfolded",
            b"X: \x0cy",
            b"X y: z",
        ),
        *(b"X: " + b"y" * 20_000, b"X" * 20_000 + b": y"),
    ]
    found = [request(HOST, line, JSON, b"Content-Length: 32") for line in lines]
    many = tuple(b"X-%d: y" % n for n in range(101))
    return [*found, request(HOST, *many), request(HOST, *many * 10), request(HOST, *many * 100)]


def bad_requests() -> list[bytes]:
    """All of them."""
    return [*_starts(), *_hosts(), *_lengths(), *_codings(), *_chunks(), *_fields()]

"""All that was ever answered to an OTLP request over HTTP, and some of what may be one day."""

from __future__ import annotations

import gzip
import json
from typing import Final

from tests.support.receivers.zoo.behaviour import Behaviour, not_taking, taking, taking_some
from tests.support.receivers.zoo.http_answers import (
    PROTOBUF,
    after_request,
    answering,
    break_within_request,
    close_half_after_answer,
    close_half_before_answer,
    dripping,
    gzip_bomb,
    head,
    partial_success,
    pouring,
    read_slowly,
    sending,
    taking_up_to,
)
from tests.support.receivers.zoo.tcp_zoo import Visit

_HTML: Final = "text/html; charset=utf-8"
_LOGIN: Final = b"<!DOCTYPE html><title>Sign in</title><form action=/login></form>"
_SOME_NOT: Final = json.dumps(
    {"partialSuccess": {"rejectedSpans": "1", "errorMessage": "span too old"}}
).encode()
_OK: Final = head("200 OK", f"Content-Type: {PROTOBUF}")
_OK_CHUNKED: Final = head("200 OK", f"Content-Type: {PROTOBUF}", "Transfer-Encoding: chunked")
_OK_EMPTY: Final = head("200 OK", f"Content-Type: {PROTOBUF}", "Content-Length: 0")
_TO_LOGIN: Final = "Location: https://user:s3cret@login.example/login?token=s3cret"
_BOMB: Final = gzip_bomb(200)
_BUSY: Final = "503 Service Unavailable"
_BROKEN: Final = "ConnectionError|ProtocolError|IncompleteRead"
_TOO_LATE: Final = "[Tt]ime"
_ENDED: Final = f"too long|longer than|{_BROKEN}|{_TOO_LATE}"

_TAKING: Final = (
    taking("takes it", answering("200 OK")),
    taking("accepts it", answering("202 Accepted")),
    taking("has no content", sending(head("204 No Content"))),
    taking("says ok in plain text", answering("200 OK", b"ok", "text/plain")),
    taking("answers in JSON", answering("200 OK", b"{}", "application/json")),
    taking("answers what is no message", answering("200 OK", b"\xff\xff\xff")),
    taking("nests its JSON deeply", answering("200 OK", b"[" * 60_000, "application/json")),
    taking("says 100 before", sending(head("100 Continue") * 3, _OK_EMPTY)),
    taking("closes its half after the answer", close_half_after_answer),
    taking("has a length below zero", sending(head("200 OK", "Content-Length: -5"))),
    taking("takes small requests only", taking_up_to(1500)),
    taking("rejects less than nothing", answering("200 OK", partial_success(-5))),
    taking_some("takes all but one", answering("200 OK", partial_success(1)), "span too old"),
    taking_some("rejects more than all", answering("200 OK", partial_success(1 << 62)), "too old"),
    taking_some(
        "takes all but one, in JSON", answering("200 OK", _SOME_NOT, "application/json"), "too old"
    ),
    taking_some(
        "packs its answer",
        answering("200 OK", gzip.compress(partial_success(1)), PROTOBUF, "Content-Encoding: gzip"),
        "span too old",
    ),
)
_REFUSING: Final = (
    *(
        not_taking(
            f"redirects with {status[:3]}",
            answering(status, b"", PROTOBUF, _TO_LOGIN),
            rf"{status}: it leads to https://login\.example/login\b",
        )
        for status in (
            "301 Moved Permanently",
            "302 Found",
            "303 See Other",
            "307 Temporary Redirect",
            "308 Permanent Redirect",
        )
    ),
    not_taking("has choices", answering("300 Multiple Choices"), "300 Multiple Choices"),
    not_taking("was not changed", sending(head("304 Not Modified")), "304 Not Modified"),
    not_taking("shows a login page", answering("200 OK", _LOGIN, _HTML), "200 OK: a web page"),
    not_taking("wants a login", answering("401 Unauthorized", _LOGIN, _HTML), "401 Unauthorized"),
    not_taking("is another server", answering("404 Not Found", b"what?", "text/plain"), "what"),
    not_taking("takes no POST", answering("405 Method Not Allowed"), "405 Method Not Allowed"),
    not_taking("takes no protobuf", answering("415 Unsupported Media Type"), "415 Unsupported"),
    not_taking("finds it invalid", answering("400 Bad Request", b"no", "text/plain"), "400 .*no"),
    not_taking("finds all too large", answering("413 Too Large"), "takes none of the spans: 413"),
    not_taking("has an error", answering("500 Internal Server Error"), "500 Internal Server"),
    not_taking("has an unknown status", answering("999 Whatever"), "999 Whatever"),
    not_taking("has an interim status", sending(head("103 Early Hints")), "103 Early Hints"),
    *(
        not_taking(
            f"wants to be left alone {name}",
            answering(status, b"", PROTOBUF, f"Retry-After: {value}"),
            f"{status[:3]}|timeout",  # the exporter may begin again when its time is just over
        )
        for name, value, status in (
            ("for a second", "1", _BUSY),
            ("for ever", "9" * 400, _BUSY),
            ("until yesterday", "Sun, 06 Nov 1994 08:49:37 GMT", "429 Too Many Requests"),
            ("soon", "soon", "429 Too Many Requests"),
            ("for less than nothing", "-5", _BUSY),
            ("until the end of time", "1e308", _BUSY),
            ("for a number of another script", "\xb2", _BUSY),
        )
    ),
)
_BREAKING: Final = (
    not_taking("hangs up at once", Visit.reset, _BROKEN),
    not_taking("hangs up within the request", break_within_request, _BROKEN),
    not_taking("hangs up after the request", after_request(Visit.reset), _BROKEN),
    not_taking("hangs up within the answer", sending(head("200 OK", "Content-Length: 9")), _BROKEN),
    not_taking("closes its half before the answer", close_half_before_answer, _BROKEN),
    not_taking("says nothing", after_request(Visit.wait), _TOO_LATE),
    not_taking("reads nothing", Visit.wait, _TOO_LATE),
    not_taking("reads slowly", read_slowly, _TOO_LATE),
    not_taking("is a mail server", sending(b"220 mail.example ESMTP\r\n"), "220 mail|BadStatus"),
    not_taking("sends noise", sending(bytes(range(256)) * 40), _BROKEN),
    not_taking("has bad chunks", sending(_OK_CHUNKED, b"zz\r\nxx"), _BROKEN),
    not_taking("ends within a chunk", sending(_OK_CHUNKED, b"ff\r\nxx"), _BROKEN),
)
_ENDLESS: Final = (
    not_taking("never ends its answer", pouring(_OK, bytes(65536)), _ENDED),
    not_taking("never ends its chunks", pouring(_OK_CHUNKED, b"1\r\nx\r\n" * 9999), _ENDED),
    not_taking("never ends its headers", pouring(b"HTTP/1.1 200 OK\r\n", b"X: 1\r\n"), _ENDED),
    not_taking("never ends a header", pouring(b"HTTP/1.1 200 OK\r\nX: ", b"x" * 999), _ENDED),
    not_taking("never ends its status", pouring(b"HTTP/1.1 200 ", b"x" * 999), _ENDED),
    not_taking("says 100 for ever", pouring(b"", head("100 Continue")), _ENDED),
    not_taking("drips its answer", dripping(_OK, b"x"), _ENDED),
    not_taking("drips its chunks", dripping(_OK_CHUNKED, b"1\r\nx\r\n"), _ENDED),
    not_taking("drips its headers", dripping(b"HTTP/1.1 200 OK\r\nX: ", b"x"), _ENDED),
    not_taking("drips its status", dripping(b"HTTP/1.1 200 ", b"x"), _ENDED),
    not_taking("drips 100", dripping(b"", head("100 Continue")), _ENDED),
    not_taking("drips a chunk's size", dripping(_OK_CHUNKED + b"1;", b"x"), _ENDED),
    not_taking("drips its trailers", dripping(_OK_CHUNKED + b"0\r\n", b"X: 1\r\n"), _ENDED),
    not_taking(
        "sends a bomb",
        answering("200 OK", _BOMB, PROTOBUF, "Content-Encoding: gzip"),
        _ENDED,
    ),
    not_taking(
        "sends a bomb as an error",
        answering("400 Bad Request", _BOMB, "text/plain", "Content-Encoding: gzip"),
        "400 Bad Request",
    ),
    not_taking("has a long error", answering("400 Bad Request", b"x" * 999_999), "400 Bad Request"),
)
HTTP_ZOO: Final[tuple[Behaviour[Visit], ...]] = (*_TAKING, *_REFUSING, *_BREAKING, *_ENDLESS)

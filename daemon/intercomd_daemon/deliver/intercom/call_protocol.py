"""One connection to Intercom: sends a request and reads its response with aiohttp's parser.

aiohttp's own protocol passes the head of a response on through a queue, and its body through a stream. Here one future
gets both, so that an envelope takes a tenth less processor time.
"""

import asyncio

import msgspec
from aiohttp import ClientOSError, ClientPayloadError, ServerDisconnectedError, StreamReader
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import HttpResponseParser, RawResponseMessage
from aiohttp.http_exceptions import BadStatusLine, HttpProcessingError
from aiohttp.http_parser import HttpParser, HttpResponseParserPy
from aiohttp.streams import EMPTY_PAYLOAD
from multidict import CIMultiDictProxy

from intercomd_daemon.errors import IntercomdError

# The status line decides before anything else is read: large headers do not undo a 202.
HEADER_BYTES_MAX = 64 * 1024
HEADERS_MAX = 1_000
# The parser's readers pause a connection above twice this size. They are emptied before, see `pause_reading`.
_READER_BYTES = 64 * 1024
_HEAD_END = b"\r\n\r\n"
_SWITCHING_PROTOCOLS = 101
_CONTINUE, _OK = 100, 200


class ParserMissing(IntercomdError):
    """aiohttp has no parser in C here."""


def check_parser() -> None:
    """Checks that aiohttp parses in C: its parser in Python takes and returns bytes in another way.

    Raises:
        ParserMissing: it does not.
    """
    if HttpResponseParser is HttpResponseParserPy:
        fix = "unset AIOHTTP_NO_EXTENSIONS, or install one of aiohttp's wheels for this platform"
        raise ParserMissing(f"aiohttp has no HTTP parser in C here, which intercomd needs: {fix}")


class RawResponse(msgspec.Struct, frozen=True):
    """A response as it arrived."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes
    complete: bool
    """Whether the body arrived as a whole, or up to the bytes that were wanted; else it broke off."""


class CallProtocol(ResponseHandler):
    """A connection, which makes one call at a time.

    aiohttp's connector also uses it without a call: it opens a tunnel through a proxy with the methods that it
    inherits. Bytes that arrive before the first call are kept by these methods too, and make it `should_close`.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._response: asyncio.Future[RawResponse] | None = None
        """The response to the call in progress."""
        self._body_bytes_max = 0
        self._must_end = False
        self._head: RawResponseMessage | None = None
        self._reader = EMPTY_PAYLOAD
        """What aiohttp's parser writes the body into."""
        self._body = bytearray()

    def call(self, request: bytes, body_bytes_max: int, *, must_end: bool) -> asyncio.Future[RawResponse]:
        """Sends a request; the future gets the response, with its body up to a limit.

        `must_end`: a body that breaks off is a failure, too. The result of a write is known from its status alone.

        Raises, as the future does: ClientError, HttpProcessingError, OSError.
        """
        if self.transport is None:
            raise ServerDisconnectedError
        self._body_bytes_max, self._must_end = body_bytes_max, must_end
        self._head, self._body = None, bytearray()
        # A new parser for each call: what it has read of another response must not become a part of this one.
        self._parser = HttpResponseParser(
            self,
            self._loop,
            _READER_BYTES,
            payload_exception=ClientPayloadError,
            read_until_eof=True,
            # A body in an encoding that was not requested does not undo a 202: it is decoded later, where possible.
            auto_decompress=False,
            max_line_size=HEADER_BYTES_MAX,
            max_field_size=HEADER_BYTES_MAX,
            max_headers=HEADERS_MAX,
        )
        self._response = self._loop.create_future()
        self.transport.write(request)
        return self._response

    def data_received(self, data: bytes) -> None:
        """Reads on; before the first call as aiohttp does."""
        if self._response is None or self._parser is None:
            super().data_received(data)
            if self._head is not None and self.transport is not None:
                # Bytes after a response. aiohttp's pool does not give out a connection that is closing.
                self.transport.abort()
            return
        try:
            self._parse(self._parser, data)
        except Exception as error:  # noqa: BLE001 - as aiohttp does: none may end the daemon
            self._should_close = True
            # The body may have ended before the malformed bytes.
            self._read_body()
            self.fail(error if isinstance(error, HttpProcessingError) else HttpProcessingError())
        else:
            self._read_body()

    def _parse(self, parser: HttpParser[RawResponseMessage], data: bytes) -> None:
        """Has the parser read each head by itself: of bytes with a malformed part, it passes on nothing."""
        end = len(data) - len(data.lstrip(b"\r\n"))  # The last bytes of a head may arrive apart.
        self._feed(parser, data[:end])
        while self._head is None and (found := data.find(_HEAD_END, end)) >= 0:
            start, end = end, found + len(_HEAD_END)
            self._feed(parser, data[start:end])
        self._feed(parser, data[end:])

    def _feed(self, parser: HttpParser[RawResponseMessage], data: bytes) -> None:
        if not data:
            return
        messages, self._upgraded, _ = parser.feed_data(data)
        for head, reader in messages:
            self._on_head(head, reader)

    def _on_head(self, head: RawResponseMessage, reader: StreamReader) -> None:
        if head.should_close or self._head is not None:
            # Of two responses the first counts, and the second may show that others follow.
            self._should_close = True
        if self._head is None and _is_final(head):
            self._head, self._reader = head, reader

    def _read_body(self) -> None:
        if self._head is None:
            return
        self._body += self._reader.read_nowait()
        if self._reader.is_eof() or len(self._body) >= self._body_bytes_max:
            self._should_close = self._should_close or not self._reader.is_eof()
            self._end(self._head, self._body, complete=True)

    def pause_reading(self) -> None:
        """Does nothing in a call: after each piece of data the reader is emptied, and it holds no more than that."""
        if self._response is None:
            super().pause_reading()

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Does nothing in a call, in which reading never pauses. A reader calls it whenever it is read."""
        if self._response is None:
            super().resume_reading(resume_parser)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Ends the call, if one is in progress."""
        if self._response is not None:
            self._on_lost(exc)
        super().connection_lost(exc)

    def _on_lost(self, error: BaseException | None) -> None:
        if self._head is None or self._parser is None or error is not None:
            # RFC 9112, 8: a body without a length is complete "unless an error was indicated by the underlying
            # connection".
            self.fail(ClientOSError(*error.args) if isinstance(error, OSError) else ServerDisconnectedError())
            return
        try:
            # This ends a body without a length.
            self._parser.feed_eof()
            self._read_body()
        except HttpProcessingError as broken_off:
            self.fail(ClientPayloadError(str(broken_off)))

    def fail(self, error: Exception) -> None:
        """Ends the call in progress. If the status of a write has arrived, that is its response, else this error."""
        self._should_close = True
        if self._head is not None and not self._must_end:
            self._end(self._head, self._body, complete=False)
        elif self._response is not None:
            response, self._response, self._parser = self._response, None, None
            if not response.done():
                response.set_exception(error)

    def _end(self, head: RawResponseMessage, body: bytes | bytearray, *, complete: bool) -> None:
        response, self._response, self._parser = self._response, None, None
        if response is not None and not response.done():
            response.set_result(RawResponse(head.code, head.headers, bytes(body[: self._body_bytes_max]), complete))


def _is_final(head: RawResponseMessage) -> bool:
    """Returns whether no other response to the request follows. Raises BadStatusLine: the status is invalid."""
    if head.code < _CONTINUE:  # RFC 9110, 15: "a three-digit integer code", of which "100 - 599" are valid
        raise BadStatusLine(f"HTTP {head.code:03}")
    return head.code >= _OK or head.code == _SWITCHING_PROTOCOLS

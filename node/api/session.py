"""One connection: its numbered APIs, its calls, its subscriptions, and what waits to be sent."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Final, TypeVar, cast

import msgspec

from node.api.answer_room import AnswerRoom, AnswerShare
from node.api.call import Call, Later, Listing, Outcome, Services, Stepwise
from node.api.durability import Durability
from node.api.errors import (
    ApiError,
    InternalError,
    InvalidRequest,
    InvalidValue,
    MethodNotFound,
    NotPossible,
    ParseError,
)
from node.api.json_text import Text, read_json, write_json, written
from node.api.methods.login import check_access
from node.api.methods.tables import APIS, DATABASE, LOGIN, invoke
from node.api.news import BlockNews
from node.api.outbox import Outbox
from node.api.rpc import (
    BATCH_MAX,
    Envelope,
    Request,
    code_of,
    failure,
    notice,
    read_envelope,
    read_request,
    success,
)
from node.api.subscriptions import Subscriptions
from node.api.words import core_words
from node.state.errors import InvariantViolated
from protocol.errors import PegboardError
from protocol.json_form import JsonValue
from protocol.schema import Mutable

T = TypeVar("T")

FIRST_APIS: Final = {0: DATABASE, 1: LOGIN}
"""Numbers that need no handshake."""
WAITING_MAX = 100
"""Calls of one connection that may wait for a block."""
ANSWER_BYTES_MAX = 16 << 20
"""Of all answers to one text. The longest block that a chain allows is less."""
Work = Generator[None, None, T]
"""Work that gives way to others at every yield."""


class Exchange(Mutable):
    """A request text whose answers are not all there yet."""

    is_batch: bool
    answers: list[bytes] = msgspec.field(default_factory=list)
    size: int = 0
    """Bytes of the answers."""
    missing: int = 0
    is_served: bool = False
    """Whether every call of it was made."""

    @property
    def is_complete(self) -> bool:
        """Whether there is nothing more to come."""
        return self.is_served and self.missing == 0

    def put(self, place: int, text: bytes) -> None:
        """Put an answer in its place."""
        self.answers[place] = text
        self.size += len(text)

    def text(self) -> Text:
        """All answers; empty if none was asked for."""
        if not (self.is_batch and self.answers):
            return self.answers
        pieces = [b","] * (2 * len(self.answers) + 1)
        pieces[1::2] = self.answers
        pieces[0], pieces[-1] = b"[", b"]"
        return pieces


class ApiSession:
    """The API as one connection sees it; synchronous, and without a socket."""

    def __init__(
        self,
        services: Services,
        backend_call: Callable[[ApiSession], Call],
        durability: Durability,
        room: AnswerRoom,
        *,
        can_push: bool,
        wake: Callable[[], None] | None = None,
    ) -> None:
        self.services = services
        self.wake = wake or _ignore
        self.call = backend_call(self)
        self.share = AnswerShare(room)
        self.outbox = Outbox(durability, self.share)
        self.subscriptions = Subscriptions(self.push, can_push=can_push)
        self.apis: dict[int, str] = dict(FIRST_APIS)
        self.is_logged_in = True
        self.ready_bytes = 0
        """Of the answers that `serve` gave and that are not sent yet."""
        self.waiting = 0
        self.is_changing = False
        """Whether a call changes the chain step by step and is not through."""
        self.worst_code = 0
        self.is_closed = False

    def receive(self, data: str | bytes) -> list[Text]:
        """Serve one text without giving way to others; see `serve`."""
        work = self.serve(data)
        while True:
            try:
                next(work)
            except StopIteration as end:
                self.sent()
                return cast(list[Text], end.value)

    def serve(self, data: str | bytes) -> Work[list[Text]]:
        """Serve one text: a request or a batch. The answers that are ready, as texts.

        They take room until they are `sent`. What must wait for a block comes through
        `take_outgoing`, notices too. Only a violated invariant of the chain is raised.
        """
        try:
            body = yield from read_json(data.encode() if isinstance(data, str) else data)
            if isinstance(body, list):
                _check_batch(body)
        except (ApiError, UnicodeError) as error:
            refusal = error if isinstance(error, ApiError) else ParseError("not UTF-8")
            envelope = read_envelope(error.identity if isinstance(error, InvalidValue) else None)
            return [self.refuse(refusal, envelope)]
        exchange = Exchange(isinstance(body, list))
        for item in body if isinstance(body, list) else [body]:
            yield
            yield from self._serve(item, exchange)
        exchange.is_served = True
        if not (exchange.is_complete and exchange.answers):
            return []
        self.ready_bytes += exchange.size
        return [exchange.text()]

    @property
    def is_answering(self) -> bool:
        """Whether answers that `serve` gave are not sent yet; what is outgoing follows them."""
        return self.ready_bytes > 0

    @property
    def owes_answer(self) -> bool:
        """Whether a call has no answer yet, or one that `take_outgoing` has still to give."""
        return self.waiting > 0 or self.outbox.holds_answer

    def sent(self) -> None:
        """The answers that `serve` gave have been sent, or will never be."""
        self.share.shrink(self.ready_bytes)
        self.ready_bytes = 0

    def refuse(self, error: PegboardError, envelope: Envelope | None = None) -> Text:
        """The answer to a text none of whose calls can be told apart; it is to be `sent`, too."""
        text = self._failure(envelope or Envelope(), error, "")
        self.share.add(len(text))
        self.ready_bytes += len(text)
        return [text]

    def take_outgoing(self) -> list[Text]:
        """Notices and late answers, oldest first; they take room until `outgoing_sent`."""
        return self.outbox.take()

    def outgoing_sent(self) -> None:
        """What `take_outgoing` gave has been sent, or will never be."""
        self.outbox.sent()

    @property
    def close_reason(self) -> str:
        """Why the connection has to be closed; empty while all is well."""
        return "the client does not read (T-A3)" if self.outbox.overflowed else ""

    def push(self, callback: int, argument: JsonValue) -> None:
        """Queue a notice."""
        self.outbox.put([write_json(notice(callback, argument))])

    def tell_block(self, news: BlockNews) -> None:
        """Push what is subscribed to of an applied block."""
        self.subscriptions.tell_block(news)

    def require_room(self) -> None:
        """Refuse a call that would wait for a block while too many do (T-A2, T-D2)."""
        if self.waiting >= WAITING_MAX:
            raise NotPossible("too many calls wait", rule="T-A2", limit=WAITING_MAX)

    def open_api(self, name: str) -> int:
        """The number under which this connection calls an API from now on."""
        for number, known in self.apis.items():
            if known == name:
                return number
        number = max(self.apis) + 1
        self.apis[number] = name
        return number

    def close(self) -> None:
        """The connection is gone, or has all its answers: those keep their room until `sent`."""
        self.is_closed = True
        self.share.shrink(self.share.size - self.ready_bytes - self.outbox.taken_size)
        self.subscriptions.cancel_all()

    def _serve(self, item: JsonValue, exchange: Exchange) -> Work[None]:
        try:
            request = read_request(item)
        except ApiError as error:
            exchange.answers.append(b"")
            refusal = self._failure(read_envelope(item), error, "")
            self._put_refusal(exchange, len(exchange.answers) - 1, refusal)
            return
        outcome = yield from self._outcome(request)
        if not request.envelope.has_id:
            return
        place = len(exchange.answers)
        exchange.answers.append(b"")
        if isinstance(outcome, Later):
            self._wait(outcome, request, exchange, place)
        else:
            self._put(exchange, place, request, outcome)

    def _outcome(self, request: Request) -> Work[Outcome | Later]:
        """What a call gives; every exception but a broken invariant becomes a refusal."""
        outcome: Outcome | Later
        code, api = 0, ""
        try:
            api = self._api_named(request.api)
            answer = invoke(self.call, api, request)
            if isinstance(answer, Listing):
                outcome = yield from self._collect(answer)
            elif isinstance(answer, Stepwise):
                self.is_changing = answer.is_change
                outcome = yield from answer.steps
            else:
                outcome = answer
        except InvariantViolated:
            raise
        except PegboardError as error:
            outcome, code = _bare(error), code_of(error)
        except Exception as error:  # noqa: BLE001  # a bug in one call is told, and ends no other
            self.call.backend.report_bug(request.method, error)
            outcome, code = InternalError("internal error"), InternalError.code
        finally:
            self.is_changing = False
        is_known = api != "" and request.method in APIS[api]
        self.services.count_call(api, request.method if is_known else "", code)
        return outcome

    def _collect(self, listing: Listing) -> Work[JsonValue]:
        """The items of a listing, all of one state: when it moves, they are worked out at once.

        Each is kept as its text, which is far smaller, and none beyond the limit is worked out.
        """
        log = self.call.state.log
        serial = log.serial
        found: list[JsonValue] = []
        size = 0
        try:
            for text in _texts_of(listing):
                self.share.grow(len(text))
                size += len(text)
                found.append(written(text))
                yield
                if log.serial != serial:
                    return [written(text) for text in _texts_of(listing)]
        finally:
            self.share.shrink(size)
        return found

    def _wait(self, later: Later, request: Request, exchange: Exchange, place: int) -> None:
        exchange.missing += 1
        self.waiting += 1

        def settled(outcome: Outcome) -> None:
            self._put(exchange, place, request, outcome)
            exchange.missing -= 1
            self.waiting -= 1
            if exchange.is_complete:
                self.share.shrink(exchange.size)
                self.outbox.put(exchange.text(), is_answer=True)

        later.listen(settled)

    def _api_named(self, api: int | str) -> str:
        if isinstance(api, int) and api in self.apis:
            return self.apis[api]
        if isinstance(api, str):
            check_access(self.call, api)
            if api in APIS:
                return api
        raise MethodNotFound("no such API on this connection", value=api)

    def _put(self, exchange: Exchange, place: int, request: Request, outcome: Outcome) -> None:
        """Put an answer in its place if there is room for it, or else a refusal."""
        if not isinstance(outcome, PegboardError):
            text = write_json(success(request.envelope, outcome))
            if exchange.size + len(text) > ANSWER_BYTES_MAX:
                outcome = _too_long()
            elif not self.share.has_room(len(text)):
                outcome = self.share.no_room()
            else:
                self.share.add(len(text))
                exchange.put(place, text)
                return
        refusal = self._failure(request.envelope, outcome, request.method)
        self._put_refusal(exchange, place, refusal)

    def _put_refusal(self, exchange: Exchange, place: int, text: bytes) -> None:
        self.share.add(len(text))
        exchange.put(place, text)

    def _failure(self, envelope: Envelope, error: PegboardError, method: str) -> bytes:
        self.worst_code = min(self.worst_code, code_of(error))
        words = core_words(self.call.state, error)
        return write_json(failure(envelope, error, method, self.call.backend.now_s(), words))


def _texts_of(listing: Listing) -> Iterator[bytes]:
    """The texts of the items of a listing; raises `NotPossible` beyond the limit (T-A2)."""
    room = ANSWER_BYTES_MAX
    for item in listing.items():
        text = write_json(item)
        room -= len(text)
        if room < 0:
            raise _too_long()
        yield text


def _bare(error: PegboardError) -> PegboardError:
    """A refusal without what it came from: those frames hold the answer that was too long, and each
    other, until a garbage collection (T-R1)."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def _too_long() -> NotPossible:
    return NotPossible("answer too long: ask for less", rule="T-A2", limit=ANSWER_BYTES_MAX)


def _ignore() -> None:
    """Nobody waits for this connection's texts."""


def _check_batch(batch: list[JsonValue]) -> None:
    if not 0 < len(batch) <= BATCH_MAX:
        raise InvalidRequest("size of a batch", rule="T-A1", value=len(batch), limit=BATCH_MAX)

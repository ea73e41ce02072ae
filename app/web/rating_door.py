"""What every request below /rate/ passes: nothing large comes in, and nothing that goes out is kept by anybody."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import AppError
from app.web.middleware import ErrorAnswer
from app.web.rating_frame import UNKEPT, is_for_raters

MOST_BYTES = (
    128 * 1024
)  # a comment of 2,000 characters has at most 24,000, and every token of twenty texts ticked some 30,000


class TooLarge(AppError):
    """More was sent than any answer can have."""

    status = 413


class RatersDoor:
    """Reads the body of a rater's request up to `MOST_BYTES`, and marks what is answered as nobody's to keep or to list."""

    def __init__(self, app: ASGIApp, *, answer: ErrorAnswer) -> None:
        self.app = app
        self.answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not is_for_raters(scope["path"]):
            await self.app(scope, receive, send)
            return

        async def unkept(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=list(message["headers"]))
                headers.update(UNKEPT)
                message = {**message, "headers": headers.raw}
            await send(message)

        body = await _body(scope, receive)
        if body is None:
            problem = TooLarge(
                f"That is more than an answer can have ({MOST_BYTES // 1024} kB): nothing was saved. Shorten it."
            )
            await self.answer(Request(scope), problem)(scope, receive, unkept)
            return
        await self.app(scope, _Replay(body, receive), unkept)


class _Replay:
    """A body that was read, once more; then whatever comes after it."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


async def _body(scope: Scope, receive: Receive) -> bytes | None:
    """All that was sent; None as soon as it is too much."""
    said = Headers(scope=scope).get("content-length", "")
    if said.isascii() and said.isdigit() and (len(said) > 18 or int(said) > MOST_BYTES):
        return None
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b""  # gone in the middle: whoever waits for an answer is not there
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MOST_BYTES:
            return None
        if not message.get("more_body", False):
            return b"".join(parts)

"""One try over the wire through the openai package, and what a failed one means. No retry happens here."""

import asyncio
import re
import weakref
from typing import TYPE_CHECKING, Any, get_args
from urllib.parse import urlsplit

from app.domain.ledger import Outcome, now
from app.errors import EndpointError, Refused
from app.llm.retries import Failure, read_retry_after, worth_another
from app.settings import Endpoint, Spared

if TYPE_CHECKING:
    from openai import APIConnectionError, APIStatusError, AsyncOpenAI

LONGEST_REASON = 300
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class TryFailed(Exception):
    """One try failed; `failure` says how."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


def is_loopback(endpoint: Endpoint) -> bool:
    """Whether the endpoint is served by this machine."""
    return urlsplit(endpoint.base_url).hostname in LOOPBACK


def address(endpoint: Endpoint) -> str:
    """Host and port for messages, without what a base URL may carry of credentials."""
    parts = urlsplit(endpoint.base_url)
    host = parts.hostname or "no host"
    return f"{host}:{parts.port}" if parts.port else host


class Transport:
    """Sends requests to one endpoint. openai is imported with the first one, since it is slow to import."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        # A connection pool belongs to its event loop.
        self._apis: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncOpenAI] = (
            weakref.WeakKeyDictionary()
        )
        self._max_field = "max_tokens"

    def check(self) -> None:
        """Raise what no try could mend: no key, an address that is none."""
        if not self.endpoint.api_key():
            raise Refused(
                f"Endpoint “{self.endpoint.name}” needs a key, and the environment variable"
                f" {self.endpoint.api_key_env} is empty. Set it and start again."
            )
        parts = urlsplit(self.endpoint.base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise EndpointError(
                f"The base_url of endpoint “{self.endpoint.name}” is no web address. Give one such as"
                " http://127.0.0.1:8080/v1."
            )

    async def post(self, path: str, body: dict[str, Any], max_tokens: int | None) -> bytes:
        """Send one request and give the body of its answer; without a bound where `max_tokens` is None. Raises TryFailed."""
        import httpx2
        import openai

        bound = self._max_field
        try:
            async with asyncio.timeout(
                self.endpoint.timeout_s
            ):  # httpx's own bounds each read, not the whole
                bounded = body if max_tokens is None else {**body, bound: max_tokens}
                response = await self._api().post(path, cast_to=httpx2.Response, body=bounded)
                return response.content
        except (openai.APITimeoutError, TimeoutError) as error:
            seconds = f"{self.endpoint.timeout_s:g}"
            reason = f"no answer from {address(self.endpoint)} within {seconds} s"
            raise TryFailed(Failure(Outcome.TIMEOUT, reason, again=True)) from error
        except openai.APIStatusError as error:
            raise TryFailed(self._status(error, bound)) from error
        except openai.APIConnectionError as error:
            raise TryFailed(self._connection(error)) from error

    async def aclose(self) -> None:
        """Close the connections of the running loop."""
        api = self._apis.pop(asyncio.get_running_loop(), None)
        if api is not None:
            await api.close()

    def _api(self) -> "AsyncOpenAI":
        import openai

        loop = asyncio.get_running_loop()
        api = self._apis.get(loop)
        if api is None:
            api = openai.AsyncOpenAI(
                api_key=self.endpoint.api_key(),
                base_url=self.endpoint.base_url,
                max_retries=0,
                timeout=self.endpoint.timeout_s,
                # A proxy from the environment has no business between us and our own machine.
                http_client=openai.DefaultAsyncHttpxClient(trust_env=not is_loopback(self.endpoint)),
            )
            # Taken from the environment by openai, and no business of any other server.
            api.organization = None
            api.project = None
            self._apis[loop] = api
        return api

    def _status(self, error: "APIStatusError", bound: str) -> Failure:
        status = error.status_code
        said = self._clean(_message_in(error.body) or error.message)
        retry_after = read_retry_after(error.response.headers.get("retry-after"), now())
        if status == 400 and bound == "max_tokens" and "max_completion_tokens" in said:
            self._max_field = (
                "max_completion_tokens"  # newer models of OpenAI know the bound by this name alone
            )
            retry_after = 0.0
        elif not worth_another(status, str(error.body)):
            reason = f"HTTP {status} ({said}){_what_to_omit(said) if status == 400 else ''}"
            return Failure(Outcome.HTTP_ERROR, reason, again=False, status=status, unpaid=True)
        return Failure(
            Outcome.HTTP_ERROR,
            f"HTTP {status} ({said})",
            again=True,
            status=status,
            retry_after_s=retry_after,
            unpaid=True,
        )

    def _connection(self, error: "APIConnectionError") -> Failure:
        import httpx2

        cause = error.__cause__
        if isinstance(cause, httpx2.ConnectError):
            reason = f"nothing answers at {address(self.endpoint)}"
        else:
            detail = self._clean(str(cause or error)).rstrip(".")
            reason = f"the connection to {address(self.endpoint)} broke ({detail})"
        return Failure(Outcome.CONNECTION, reason, again=True, unpaid=isinstance(cause, httpx2.ConnectError))

    def _clean(self, text: str) -> str:
        """A server's words on one line, short, and without our key."""
        key = self.endpoint.api_key()
        if self.endpoint.api_key_env and key:
            text = text.replace(key, "‹key›")
        line = " ".join(text.split())
        return line if len(line) <= LONGEST_REASON else line[: LONGEST_REASON - 1] + "…"


def _what_to_omit(said: str) -> str:
    """What to do where a server refuses a field that it can be spared."""
    if not re.search(r"unsupported|not support|does not allow|not permitted", said, re.IGNORECASE):
        return ""
    fields = [name for name in get_args(Spared) if re.search(rf"\b{name}\b", said)]
    listed = ", ".join(f'"{name}"' for name in fields)
    return f". Add omit = [{listed}] to this endpoint's settings" if fields else ""


def _message_in(body: object) -> str | None:
    """The message of an error body: openai hands over the `error` object, some servers send it bare or as text."""
    if isinstance(body, dict):
        inner = body.get("error", body)
        message = inner.get("message") if isinstance(inner, dict) else inner
        return str(message) if message else None
    return None

"""An OpenAI-compatible server on loopback that does what a test tells it to, misbehaviour included.

    with ScriptedServer() as server:
        server.script(rate_limited(retry_after=0), truncated(), chat("words about the sea"))
        client = Client(server.endpoint(), ledger)
        ...
        assert server.calls == 3

Replies given to `script` are used up in order; after them (or without any) `server.default` answers, which
may be a reply or a function of the request. Everything runs over real sockets in threads of the test's own
process, so it also serves workers in other processes, and goes on counting while they are killed.
"""

import json
import secrets
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from app.settings import Endpoint
from tests.scripted_replies import (
    Recorded,
    Reply,
    Responder,
    Scored,
    chat,
    completion,
    cut_off,
    dropped,
    embeddings,
    empty,
    held,
    json_reply,
    leaked_reasoning,
    no_choices,
    nonsense,
    numbered_list,
    rate_limited,
    refusal,
    server_error,
    slow,
    truncated,
)

__all__ = [
    "Recorded",
    "Reply",
    "Responder",
    "Scored",
    "ScriptedServer",
    "chat",
    "completion",
    "cut_off",
    "down_endpoint",
    "dropped",
    "embeddings",
    "empty",
    "held",
    "json_reply",
    "leaked_reasoning",
    "no_choices",
    "nonsense",
    "numbered_list",
    "rate_limited",
    "refusal",
    "server_error",
    "slow",
    "truncated",
]


class ScriptedServer:
    """The server. A context manager; `endpoint()` gives the settings that lead to it."""

    def __init__(self, default: Reply | Responder | None = None) -> None:
        self.default: Reply | Responder = default or chat("words about the sea and ships")
        self.tokenize: Callable[[str], Iterable[int]] | None = None  # answers /tokenize when set
        self.requests: list[Recorded] = []
        self.most_at_once = 0
        self._at_once = 0
        self._script: deque[Reply | Responder] = deque()
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        self._released = threading.Event()
        self._closing = threading.Event()
        # A client that outlives its own server may be given this one's port: only this server's clients know its path.
        self.root = f"/{secrets.token_hex(4)}"
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def script(self, *replies: Reply | Responder) -> None:
        """Replies to give next, in this order, each once."""
        with self._lock:
            self._script.extend(replies)

    def release(self) -> None:
        """Let every held reply go, those to come included."""
        self._released.set()

    def wait_for_calls(self, n: int, timeout_s: float = 30.0) -> bool:
        """Block until n requests have come in; False when they do not within `timeout_s`."""
        with self._arrived:
            return self._arrived.wait_for(lambda: len(self.requests) >= n, timeout_s)

    @property
    def calls(self) -> int:
        """How many requests have come in, /tokenize and its like left out."""
        with self._lock:
            return len(self.requests)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}{self.root}/v1"

    def endpoint(self, **fields: Any) -> Endpoint:
        """Settings that lead here; any field may be given."""
        values = {"name": "scripted", "base_url": self.url, "model": "scripted-model", "timeout_s": 20.0}
        values["completions"] = True
        return Endpoint(**{**values, **fields})

    def close(self) -> None:
        self._closing.set()
        self._released.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(5)

    def __enter__(self) -> "ScriptedServer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Called by the handler's threads.

    def enter(self, request: Recorded) -> Reply:
        with self._arrived:
            self.requests.append(request)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            reply = self._script.popleft() if self._script else self.default
            self._arrived.notify_all()
        return reply if isinstance(reply, Reply) else reply(request)

    def wait(self, reply: Reply) -> None:
        if reply.hold:
            self._released.wait(60)
        if reply.wait_s:
            self._closing.wait(reply.wait_s)

    def leave(self) -> None:
        with self._lock:
            self._at_once -= 1


def _handler(server: ScriptedServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body = json.loads(self.rfile.read(length) or b"{}")
            path = self.path.removeprefix(server.root) if self.path.startswith(server.root) else ""
            if path == "/tokenize":
                self._tokenize(body)
                return
            if path not in ("/v1/chat/completions", "/v1/completions", "/v1/embeddings"):
                self._send(json_reply({"error": {"message": "no such path"}}, status=404))
                return
            reply = server.enter(Recorded(path, body, {k.lower(): v for k, v in self.headers.items()}))
            try:
                server.wait(reply)
            finally:
                server.leave()
            self._send(reply)

        def do_GET(self) -> None:
            self._send(json_reply({"object": "list", "data": [{"id": "scripted-model", "object": "model"}]}))

        def _tokenize(self, body: dict[str, Any]) -> None:
            if server.tokenize is None:
                self._send(json_reply({"error": {"message": "no such path"}}, status=404))
                return
            text = (
                body.get("content") or body.get("prompt") or "\n".join(m["content"] for m in body["messages"])
            )
            ids = list(server.tokenize(text))
            self._send(json_reply({"tokens": ids, "count": len(ids)}))

        def _send(self, reply: Reply) -> None:
            if reply.drop:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            try:
                self.send_response(reply.status)
                for name, value in reply.headers:
                    self.send_header(name, value)
                length = len(reply.body) if reply.promised is None else reply.promised
                self.send_header("Content-Length", str(length))
                self.end_headers()
                self.wfile.write(reply.body)
            except OSError:  # the client gave up waiting, as it may
                self.close_connection = True
            if reply.promised is not None:
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: a test's output is its own."""

    return Handler


def down_endpoint(**fields: Any) -> Endpoint:
    """Settings that lead to a port where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    values = {"name": "down", "base_url": f"http://127.0.0.1:{port}/v1", "model": "m", "timeout_s": 5.0}
    return Endpoint(**{**values, **fields})

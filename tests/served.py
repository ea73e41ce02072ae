"""`neuronarium serve` as a real process, for tests that need one."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from app.settings import Endpoint

READY_S = 60.0


class Served:
    """One server process with its worker. Its output is read all the time, so that it never blocks on a full pipe."""

    def __init__(
        self,
        data_dir: Path,
        endpoints: Sequence[Endpoint] = (),
        database_url: str | None = None,
        worker: bool = True,
        password: str = "",
    ) -> None:
        env = {name: value for name, value in os.environ.items() if not name.startswith("NEURONARIUM_")}
        env["NEURONARIUM_DATA_DIR"] = str(data_dir)
        env["NEURONARIUM_ENDPOINTS"] = json.dumps([each.model_dump() for each in endpoints])
        env["NEURONARIUM_THREADS"] = "1"
        if database_url is not None:
            env["NEURONARIUM_DATABASE_URL"] = database_url
        if password:
            env |= {"NEURONARIUM_HOST": "0.0.0.0", "NEURONARIUM_PASSWORD": password}
        command = [sys.executable, "-m", "app.cli", "serve", "--port", "0"]
        self.process = subprocess.Popen(
            command if worker else [*command, "--no-worker"],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self.url = ""
        self._ready = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not self._ready.wait(READY_S) or not self.url:
            self.kill()
            raise AssertionError("the server was not ready in time:\n" + "".join(self.lines))

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            found = re.search(r"http://(?:127\.0\.0\.1|localhost|0\.0\.0\.0):(\d+)", line)
            if found and not self.url:
                self.url = f"http://127.0.0.1:{found[1]}"
                self._ready.set()
        self._ready.set()

    @property
    def output(self) -> str:
        return "".join(self.lines)

    def kill(self) -> None:
        """SIGKILL, as a crash would: no time to say goodbye."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """As Ctrl-C does it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()

    def __enter__(self) -> "Served":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

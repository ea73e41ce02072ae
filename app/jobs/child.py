"""A worker as a child process of `serve` or of the command line, on a leash: it ends when its parent does."""

import logging
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from time import monotonic

from app.settings import Settings

log = logging.getLogger(__name__)

LET_LOOSE = b"\n"  # written to the child's standard input: go on without me
RESTARTS = 5
RESTART_WINDOW_SECONDS = 600.0
STOP_SECONDS = 5.0


def environment(settings: Settings) -> dict[str, str]:
    """This process's environment with what the command line changed, so that the child has the same settings."""
    env = dict(os.environ)
    env["NEURONARIUM_DATA_DIR"] = str(settings.data_dir.resolve())
    env["NEURONARIUM_DEMO"] = "1" if settings.demo else "0"
    if settings.database_url is not None:
        env["NEURONARIUM_DATABASE_URL"] = settings.database_url
    return env


class WorkerChild:
    """One worker process, in a process group of its own so that Ctrl-C reaches its parent alone."""

    def __init__(self, settings: Settings, *, until_idle: bool = False) -> None:
        command = [sys.executable, "-m", "app.cli", "worker", "--leash"]
        self._process = subprocess.Popen(
            [*command, "--until-idle"] if until_idle else command,
            stdin=subprocess.PIPE,
            env=environment(settings),
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def alive(self) -> bool:
        return self._process.poll() is None

    def wait(self) -> int:
        """The exit status, once it has ended."""
        return self._process.wait()

    def let_loose(self) -> None:
        """Allow it to outlive this process."""
        if self._process.stdin is not None and self.alive():
            try:
                self._process.stdin.write(LET_LOOSE)
                self._process.stdin.close()
            except OSError as error:
                log.debug("the worker ended by itself: %s", error)

    def stop(self) -> None:
        """End it, gently at first. What it was doing is taken up again by the next worker."""
        if self.alive():
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()


class Supervisor:
    """Keeps one worker running beside `serve`: starts it again when it dies, but not for ever."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stopping = threading.Event()
        self._child: WorkerChild | None = None
        self._thread = threading.Thread(target=self._watch, name="worker-supervisor", daemon=True)

    def start(self) -> None:
        self._child = WorkerChild(self._settings)
        self._thread.start()

    def stop(self) -> None:
        """End the worker and do not start another."""
        self._stopping.set()
        if self._child is not None:
            self._child.stop()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)

    def _watch(self) -> None:
        deaths: deque[float] = deque()
        while self._child is not None:
            status = self._child.wait()
            if self._stopping.is_set():
                return
            now = monotonic()
            deaths.append(now)
            while now - deaths[0] > RESTART_WINDOW_SECONDS:
                deaths.popleft()
            if len(deaths) > RESTARTS:
                log.error(
                    "the worker died %d times in a row: jobs wait until `neuronarium worker` runs",
                    len(deaths),
                )
                return
            log.warning("the worker ended with status %d: starting another", status)
            if self._stopping.wait(min(0.2 * 2 ** len(deaths), 5.0)):
                return
            self._child = WorkerChild(self._settings)
            if self._stopping.is_set():
                self._child.stop()

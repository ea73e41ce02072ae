"""Charts drawn by a process of their own, which begins with the first one and ends when none is asked for."""

import struct
import subprocess
import sys
from pathlib import Path
from threading import Lock, Timer
from typing import Literal

import orjson

from app.errors import AppError

Format = Literal["svg", "png", "pdf", "pdf of svg"]
IDLE_S = 120.0
LONGEST_S = 30.0  # for one chart
_PROGRAM = Path(__file__).with_name("chart_process.py")
_HEAD = struct.Struct(">BI")


class NotDrawn(AppError):
    """The process ended or hung twice."""

    status = 503


class Draughtsman:
    """One process, one chart at a time. Safe to share between threads."""

    def __init__(self, idle_s: float = IDLE_S) -> None:
        self._idle_s = idle_s
        self._lock = Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._idle: Timer | None = None

    def draw(self, spec: str, format: Format) -> bytes:
        """The chart of a Vega-Lite spec, JSON, as a file; for `pdf of svg` the drawing given as SVG. ValueError for a spec that is none, NotDrawn where the process fails twice."""
        asked = orjson.dumps({"format": format, "spec": spec}) + b"\n"
        with self._lock:
            answer = self._asked(asked) or self._asked(asked)
            if self._idle is not None:
                self._idle.cancel()
            self._idle = Timer(self._idle_s, self.end)
            self._idle.daemon = True
            self._idle.start()
        if answer is None:
            raise NotDrawn("the chart could not be drawn: try again, or download its data")
        ok, drawn = answer
        if not ok:
            raise ValueError(f"a chart's description is wrong: {drawn.decode(errors='replace')}")
        return drawn

    def end(self) -> None:
        """Let the process end."""
        with self._lock:
            self._end()

    def _asked(self, asked: bytes) -> tuple[bool, bytes] | None:
        """The answer; None where the process ended before it had given one."""
        if self._process is None:
            # In a session of its own: Ctrl-C is for `serve`, whose end closes the pipe.
            self._process = subprocess.Popen(
                [sys.executable, "-I", str(_PROGRAM)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,
            )
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        patience = Timer(LONGEST_S, process.kill)
        patience.daemon = True
        patience.start()
        try:
            process.stdin.write(asked)
            process.stdin.flush()
            head = process.stdout.read(_HEAD.size)
            if len(head) == _HEAD.size:
                ok, size = _HEAD.unpack(head)
                drawn = process.stdout.read(size)
                if len(drawn) == size:
                    return bool(ok), drawn
        except OSError:  # it ended while it was being written to
            pass
        finally:
            patience.cancel()
        self._end()
        return None

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.communicate()


DRAUGHTSMAN = Draughtsman()

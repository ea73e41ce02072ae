"""Charts are drawn by a process beside the server, which may die."""

import json
import signal
import subprocess
import sys
from contextlib import suppress

import psutil
import pytest

from app.web.drawing import Draughtsman

SPEC = json.dumps(
    {
        "data": {"values": [{"a": "x", "b": 3}]},
        "mark": "bar",
        "encoding": {"x": {"field": "a", "type": "ordinal"}, "y": {"field": "b", "type": "quantitative"}},
    }
)


def drawers() -> set[psutil.Process]:
    found = set()
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            if "chart_process.py" in " ".join(child.cmdline()):
                found.add(child)
    return found


@pytest.fixture
def drawing():
    made = Draughtsman()
    yield made
    made.end()


def started(drawing: Draughtsman) -> psutil.Process:
    before = drawers()
    drawing.draw(SPEC, "svg")
    [new] = drawers() - before
    return new


def test_all_formats_by_one_process(drawing: Draughtsman) -> None:
    process = started(drawing)
    assert drawing.draw(SPEC, "svg").startswith(b"<svg")
    assert drawing.draw(SPEC, "png").startswith(b"\x89PNG")
    assert drawing.draw(SPEC, "pdf").startswith(b"%PDF")
    assert process in drawers()


def test_a_killed_process_is_replaced(drawing: Draughtsman) -> None:
    started(drawing).kill()
    assert drawing.draw(SPEC, "svg").startswith(b"<svg")


def test_a_wrong_description_is_told_and_the_next_is_drawn(drawing: Draughtsman) -> None:
    with pytest.raises(ValueError, match="description is wrong"):
        drawing.draw(json.dumps({"mark": {"type": "nothing"}}), "svg")
    assert drawing.draw(SPEC, "svg").startswith(b"<svg")


def test_it_ends_when_nobody_asks() -> None:
    drawing = Draughtsman(idle_s=0.5)
    process = started(drawing)
    process.wait(20)
    assert drawing.draw(SPEC, "svg").startswith(b"<svg")
    drawing.end()


def test_it_ends_with_the_server() -> None:
    program = (
        "import os, psutil, signal\n"
        "from app.web.drawing import DRAUGHTSMAN\n"
        f"DRAUGHTSMAN.draw({SPEC!r}, 'svg')\n"
        "print(psutil.Process().children()[0].pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert found.returncode == -signal.SIGKILL, found.stderr
    with suppress(psutil.NoSuchProcess):
        psutil.Process(int(found.stdout)).wait(20)  # raises where it is still there

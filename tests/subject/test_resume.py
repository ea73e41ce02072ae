"""What a kill -9 or a full disk leaves behind: shards that are whole, and the same result after going on."""

import os
import resource
import signal
import textwrap
import time
from pathlib import Path

import pytest

from app.domain.collection import LayerResult
from app.domain.neurons import Profile
from app.errors import StoreError
from app.subject.collect import Collector
from tests.jobs.forked import Forked, run_code
from tests.subject import tiny
from tests.subject.test_collect import gathered, never, same, silent

EXCERPTS = 700
PROGRAM = """\
    import os, sys
    from pathlib import Path
    from app.domain.neurons import Profile
    from app.errors import AppError
    from app.subject.collect import Collector
    from tests.subject import tiny
    {setup}
    collector = Collector(tiny.subject("llama"), tiny.table(700), Profile(), range(2), 7)
    try:
        collector.run(Path(sys.argv[1]), {progress}, lambda: False)
    except AppError as error:
        print(type(error).__name__, error)
"""


def collector() -> Collector:
    return Collector(tiny.subject("llama"), tiny.table(EXCERPTS), Profile(), range(2), 7)


def start(folder: Path, setup: str = "pass", progress: str = "lambda n: None") -> Forked:
    """A collection in a process of its own; what it says goes into `said(folder)`."""
    code = textwrap.dedent(PROGRAM).replace("{setup}", setup).replace("{progress}", progress)
    return Forked(run_code, code, (str(folder),), str(said(folder)))


def said(folder: Path) -> Path:
    return folder.with_name(folder.name + ".out")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[LayerResult]:
    return gathered(collector(), tmp_path_factory.mktemp("whole"))


# Excerpts read when the process kills itself outright: in the pilot shard and in the second.
@pytest.mark.parametrize("moment", [50, 300])
def test_killed_while_reading(moment: int, tmp_path: Path, whole: list[LayerResult]) -> None:
    kill = f"lambda n: os.kill(os.getpid(), {int(signal.SIGKILL)}) if n >= {moment} else None"
    assert start(tmp_path, progress=kill).wait(120) == -signal.SIGKILL
    assert collector().done(tmp_path) == list(range(moment // 256))
    assert same(gathered(collector(), tmp_path), whole)


# A part is put in its place last. Moments: before and after the pilot is, before and after the first shard is, before
# the second shard is.
@pytest.mark.parametrize("moment", [1, 2, 3, 4, 5])
def test_killed_while_writing(moment: int, tmp_path: Path, whole: list[LayerResult]) -> None:
    setup = f"""
    moments = iter(range(1, 99))
    def watched(real):
        def put(*paths):
            for act in (lambda: None, lambda: real(*paths)):
                act()
                if next(moments) == {moment}:
                    os.kill(os.getpid(), {int(signal.SIGKILL)})
        return put
    os.link, os.replace = watched(os.link), watched(os.replace)"""
    assert start(tmp_path, setup=textwrap.dedent(setup)).wait(120) == -signal.SIGKILL
    shards = collector().done(tmp_path)
    assert shards == ([0] if moment > 3 else [])
    assert same(gathered(collector(), tmp_path), whole)
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".tmp")]


def test_killed_at_any_time_from_outside(tmp_path: Path, whole: list[LayerResult]) -> None:
    """Killed when the first shard appears, wherever the process is by then."""
    process = start(tmp_path)
    deadline = time.monotonic() + 120
    while (
        not (tmp_path / "shard-00000.safetensors").exists()
        and time.monotonic() < deadline
        and process.poll() is None
    ):
        os.sched_yield()
    process.send_signal(signal.SIGKILL)
    process.wait(60)
    assert 0 in collector().done(tmp_path)
    assert same(gathered(collector(), tmp_path), whole)


def test_a_full_disk_is_one_line_and_leaves_nothing_half(tmp_path: Path, whole: list[LayerResult]) -> None:
    """The system refuses to let a file grow beyond a bound, as a full disk would."""
    setup = """
    import resource, signal
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))"""
    process = start(tmp_path, setup=textwrap.dedent(setup))
    code, out = process.wait(120), said(tmp_path).read_text("utf-8")
    assert code == 0, out
    assert out.startswith("StoreError Cannot write to ") and out.count("\n") == 1
    assert "goes on where it stopped" in out
    assert {path.name for path in tmp_path.iterdir()} <= {"pilot.safetensors"}
    assert same(gathered(collector(), tmp_path), whole)
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 100_000


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="Cannot write to"):
        collector().run_shard(0, tmp_path / "file" / "shards", silent, never)

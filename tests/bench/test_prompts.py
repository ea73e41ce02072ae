"""Prompt lengths are counted over neurons that every format can show."""

from pathlib import Path

import pytest

from app.domain.explanations import PROMPTED_METHODS
from app.domain.neurons import NeuronRef
from app.store import Store
from bench import prompts
from tests.factories import Tiny


def test_every_format_is_counted_on_the_same_neurons(tiny_store: Store, tiny: Tiny) -> None:
    refs = [NeuronRef(tiny.slug, "0-mlp", i) for i in range(4)]
    lengths = prompts.measured(tiny_store, refs, lambda messages: sum(len(m.content) for m in messages))
    assert set(lengths) == set(PROMPTED_METHODS)
    assert len({len(values) for values in lengths.values()}) == 1
    for row in zip(*(lengths[method] for method in PROMPTED_METHODS), strict=True):
        by = dict(zip(PROMPTED_METHODS, row, strict=True))
        assert by["highlight"] < by["hs"] < by["avhs"] < by["original"]


def test_without_a_collected_model_it_says_so(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'store.sqlite'}")
    with pytest.raises(SystemExit, match="needs a collected model"):
        prompts._drawn(store, 3)
    store.close()

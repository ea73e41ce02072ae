"""One statement tells the same as five."""

from dataclasses import fields

import numpy as np
import pytest

from app.domain.explanations import Metric, Protocol, Sample
from app.domain.imported import NOT_TOLD, ImportedExplanation, ImportedScore, ImportSource
from app.domain.neurons import NeuronRef
from app.errors import NotFound
from app.store import explanations, imported, neurons
from app.store.excerpts import ExcerptCache
from app.store.sheets import sheet


def same(a: object, b: object) -> None:
    assert type(a) is type(b)
    for field in fields(a):  # type: ignore[arg-type]
        x, y = getattr(a, field.name), getattr(b, field.name)
        assert np.array_equal(x, y, equal_nan=isinstance(x, float)), field.name


def test_a_sheet_equals_its_parts(full):
    excerpts = ExcerptCache.get(full.store, full.tiny.slug)
    for ref in (full.tiny.explained, full.tiny.failed, full.tiny.plain):
        with full.store.session() as session:
            whole = sheet(session, excerpts, ref)
            same(whole.records, neurons.records(session, excerpts, ref))
            same(whole.statistics, neurons.statistics(session, ref))
            same(whole.histogram, neurons.histogram(session, ref))
            same(whole.top_tokens, neurons.top_tokens(session, ref))
            assert whole.explanations == explanations.of_neuron(session, ref)


def test_a_score_that_came_with_its_explanation_names_no_simulator_of_ours(full):
    ref = full.tiny.plain
    source = ImportSource("import", "gpt-4", "Ada")
    told = '{"simulator": "davinci", "simulator_model": "text-davinci-003"}'
    rows = [
        ImportedExplanation(
            1, ref.index, text, scores=(ImportedScore(Metric.CORRELATION, Protocol.AS_IMPORTED, Sample.AS_IMPORTED, 0.5, claims_json=said),)
        )
        for text, said in ((" plain", "{}"), (" told", told))
    ]  # fmt: skip
    with full.store.session() as session:
        imported.add_explanations(session, ref.model, source, rows)
    excerpts = ExcerptCache.get(full.store, full.tiny.slug)
    with full.store.session() as session:
        whole = sheet(session, excerpts, ref).explanations
        assert whole == explanations.of_neuron(session, ref)
    by_text = {row.text: row.scores[0] for row in whole if row.scores}
    assert by_text[" plain"].simulator == NOT_TOLD
    assert (by_text[" told"].simulator, by_text[" told"].simulator_model) == ("davinci", "text-davinci-003")


@pytest.mark.parametrize(
    "ref",
    [
        ("tiny-random", "0-mlp", 32),
        ("tiny-random", "9-mlp", 0),
        ("none", "0-mlp", 0),
        ("tiny-random", "0-mlp", -1),
    ],
)
def test_what_is_not_there_is_said(full, ref):
    excerpts = ExcerptCache.get(full.store, full.tiny.slug)
    with full.store.session() as session, pytest.raises(NotFound):
        sheet(session, excerpts, NeuronRef(*ref))

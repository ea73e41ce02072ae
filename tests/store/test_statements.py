"""Statements by who made them, on both databases, and vectors found by text or by explanation."""

import numpy as np
import pytest

from app.domain.embeddings import text_hash
from app.domain.explanations import Method, Provenance, State
from app.domain.neurons import NeuronRef, Polarity
from app.errors import NotFound
from app.store import Session, embeddings, explanations, semantic, statements
from app.store.statements import Maker
from tests import factories
from tests.conftest import Full
from tests.store.test_embeddings import BY, D, embed, vector_of

A, B = Maker("summary", "vllm / a"), Maker("summary", "vllm / b")
REFERENCE = Maker("published", "gpt-4")


def say(
    s: Session,
    maker: Maker,
    index: int,
    text: str | None,
    layer: int = 0,
    polarity: Polarity = Polarity.POSITIVE,
) -> int:
    ref = NeuronRef(factories.SLUG, factories.LAYERS[layer], index)
    state = State.OK if text else State.FAILED
    key = f"{maker} {layer} {index} {text} {polarity}"
    made = Provenance(maker.method, maker.explainer)
    return explanations.add(s, ref, text, polarity, made, state, "" if text else "no", None, key)


def test_makers_are_told_apart_by_explainer_and_failures_left_out(full: Full) -> None:
    with full.store.session() as s:
        for index in range(3):
            say(s, A, index, f"a {index}")
        say(s, A, 0, "a again")
        say(s, A, 9, None)
        say(s, B, 1, "b", layer=1)
        made = {
            each.maker: (each.explanations, each.neurons) for each in statements.makers(s, factories.SLUG)
        }
        assert made[A] == (4, 3) and made[B] == (1, 1)
        assert made[Maker(Method.TOKEN_LOOKUP, "none")] == (64, 64)
        rows = statements.by_makers(s, factories.SLUG, [A, B])
        assert [row.maker for row in rows] == [A] * 4 + [B] and [row.id for row in rows] == sorted(
            r.id for r in rows
        )
        assert len({row.neuron for row in rows}) == 4  # neuron 1 of another layer is another neuron
        assert statements.by_makers(s, factories.SLUG, []) == []
        with pytest.raises(NotFound):
            statements.makers(s, "nobody")


def test_others_are_other_neurons_of_the_same_maker_and_sign(full: Full) -> None:
    with full.store.session() as s:
        mine = say(s, A, 0, "mine")
        say(s, A, 0, "mine again")
        say(s, A, 1, "older")
        newer = say(s, A, 1, "newer")
        far = say(s, A, 0, "same index, other layer", layer=1)
        say(s, A, 2, "other sign", polarity=Polarity.NEGATIVE)
        say(s, B, 3, "other maker")
        found = statements.of_others(s, explanations.get(s, mine))
        assert sorted(found.values()) == sorted([newer, far])
        assert statements.texts(s, [far, newer]) == ["same index, other layer", "newer"]


def test_vectors_by_text_and_by_explanation(full: Full) -> None:
    with full.store.session() as s:
        ids = [say(s, A, index, f"text {index}") for index in range(6)]
        embed(s, [(ids[3], "text 3"), (ids[0], "text 0")])
        embed(s, [(ids[5], "text 5")])
        hashes = {text_hash(f"text {i}"): i for i in range(6)}
        found = embeddings.known(s, BY, set(hashes))
    assert {hashes[each] for each in found} == {0, 3, 5}
    for each, vector in found.items():
        assert np.abs(vector - vector_of(f"text {hashes[each]}")).max() < 1e-3
    asked = np.array([ids[5], ids[1], ids[0], ids[5]])
    there, vectors = semantic.vectors_for(full.store, factories.SLUG, BY, asked)
    assert there.tolist() == [True, False, True, True] and vectors.shape == (3, D)
    for vector, i in zip(vectors, (5, 0, 5), strict=True):
        assert np.abs(vector - vector_of(f"text {i}")).max() < 1e-3
    there, vectors = semantic.vectors_for(full.store, factories.SLUG, BY, np.zeros(0, np.int64))
    assert len(there) == len(vectors) == 0

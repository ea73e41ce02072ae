"""Explanations by method, on both databases."""

import pytest

from app.domain.explanations import Provenance, State
from app.domain.neurons import NeuronRef, Polarity
from app.errors import NotFound
from app.store import explanations, method_counts
from app.store.method_counts import MethodCount
from tests import factories
from tests.conftest import Full


def test_what_is_new_is_counted_and_what_failed_is_not(full: Full) -> None:
    def counted() -> dict[str, MethodCount]:
        with full.store.session() as s:
            rows = method_counts.by_method(full.store, s, factories.SLUG)
        assert [row.explanations for row in rows] == sorted((row.explanations for row in rows), reverse=True)
        return {row.method: row for row in rows}

    before = counted()
    assert before["token_lookup"] == ("token_lookup", 64, 64)
    for n, state in enumerate((State.OK, State.OK, State.FAILED)):
        with full.store.session() as s:
            made = Provenance(method="human", explainer="")
            ref, text = NeuronRef(factories.SLUG, "0-mlp", 4), "" if state is State.FAILED else f"said {n}"
            why = "" if state is State.OK else "it failed"
            explanations.add(s, ref, text, Polarity.POSITIVE, made, state, why, None, f"key {n}")
    after = counted()
    assert after.pop("human") == ("human", 2, 1) and after == before
    with full.store.session() as s, pytest.raises(NotFound):
        method_counts.by_method(full.store, s, "nobody")

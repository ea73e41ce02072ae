"""Explanations and simulations: whole provenance, one a key, never changed."""

from dataclasses import replace

import numpy as np
import pytest

from app.domain.explanations import COMPUTED_METRICS, Provenance, Simulated, State, Usage
from app.domain.neurons import NeuronRef, Polarity, Split
from app.errors import BadInput, NotFound
from app.store import Session, explanations, neurons, scores, simulations
from app.store.excerpts import ExcerptCache
from tests import factories
from tests.conftest import Full

SLUG = factories.SLUG
MADE = Provenance(
    method="avhs",
    explainer="scripted / test-model",
    prompt_version="avhs-1",
    messages_hash="h" * 64,
    messages_json='[{"role": "user", "content": "\\u0000 <b>"}]',
    parameters_json='{"temperature": 1.0}',
    seed=-(2**62),
    excerpts=(0, 5, 479),
    code_version="0.1.0+abc",
    usage=Usage(1360, 33, 0.0125, 2.25, 2),
    author="somebody",
)


def add(s: Session, ref: NeuronRef, key: str, text: str | None = "words", **changes: object) -> int:
    state = State.OK if text else State.FAILED
    made = replace(MADE, **changes)  # type: ignore[arg-type]
    return explanations.add(
        s, ref, text, Polarity.NEGATIVE, made, state, "" if text else "why not", "job-9", key
    )


def test_an_explanation_comes_back_with_its_provenance(full: Full) -> None:
    store, tiny = full
    with store.session() as s:
        id_ = add(s, tiny.plain, "key", " “‮odd‬” <script> \n text ")
    with store.session() as s:
        found = explanations.get(s, id_)
        assert found.provenance == MADE
        assert (found.ref, found.state, found.reason, found.polarity) == (
            tiny.plain,
            State.OK,
            "",
            Polarity.NEGATIVE,
        )
        assert found.text == " “‮odd‬” <script> \n text "
        assert (found.job_id, found.method, found.scores) == ("job-9", "avhs", ())
        assert found.created_at.tzinfo is not None
        listed = explanations.of_neuron(s, tiny.plain)
        assert listed[0].id == id_
        assert listed[0] == replace(found, provenance=replace(MADE, messages_json=""))


def test_the_same_key_writes_nothing(full: Full) -> None:
    store, tiny = full
    with store.session() as s:
        first = add(s, tiny.plain, "key", "words")
    with store.session() as s:
        assert add(s, tiny.plain, "key", "other words") == first
        assert explanations.get(s, first).text == "words"
        assert len(explanations.of_neuron(s, tiny.plain)) == 2


def test_a_failure_has_a_reason_and_no_text(full: Full) -> None:
    store, tiny = full
    with store.session() as s:
        found = explanations.get(s, tiny.failed_explanation)
        assert (found.state, found.text) == (State.FAILED, "")
        assert found.reason == "The explainer's answer was empty three times."
        assert tiny.failed_explanation in [row.id for row in explanations.of_neuron(s, tiny.failed)]


@pytest.mark.parametrize(("text", "state"), [(None, State.OK), ("  ", State.OK), ("words", State.FAILED)])
def test_text_and_state_must_fit(shared: Full, text: str | None, state: State) -> None:
    with shared.store.session() as s, pytest.raises(BadInput, match="text"):
        explanations.add(s, shared.tiny.plain, text, Polarity.POSITIVE, MADE, state, "", None, "key")


def test_a_key_is_needed_and_a_neuron(shared: Full) -> None:
    with shared.store.session() as s:
        with pytest.raises(BadInput, match="needs a key"):
            add(s, shared.tiny.plain, "")
        with pytest.raises(NotFound, match="no neuron 99"):
            add(s, NeuronRef(SLUG, "0-mlp", 99), "key")
        with pytest.raises(NotFound, match="no explanation 9999"):
            explanations.get(s, 9999)


def test_nul_and_half_characters_do_not_break_the_store(full: Full) -> None:
    store, tiny = full
    with store.session() as s:
        id_ = add(s, tiny.plain, "key", "a\0b\ud800c", explainer="\0")
    with store.session() as s:
        found = explanations.get(s, id_)
        assert found.text == "a\u2400b\ufffdc"
        assert found.provenance.explainer == "\u2400"


def test_every_neuron_has_its_token_lookup(shared: Full) -> None:
    store, tiny = shared
    excerpts = ExcerptCache.get(store, SLUG)
    with store.session() as s:
        (found,) = explanations.of_neuron(s, tiny.plain)
        assert (found.method, found.state, found.polarity) == ("token_lookup", State.OK, Polarity.POSITIVE)
        assert found.text.startswith("the tokens “")
        assert (found.provenance.explainer, found.provenance.usage.calls) == ("none", 0)
        assert len(found.scores) == 4
        assert {row.simulator for row in found.scores} == {"token_lookup"}
        records = neurons.records(s, excerpts, tiny.plain).where(splits=(Split.EXPLAIN,))
        whole = explanations.get(s, found.id)
        assert whole.provenance.excerpts == tuple(sorted(set(records.excerpts.tolist())))


def test_recent_ones_are_those_that_somebody_asked_for(full: Full) -> None:
    store, tiny = full
    with store.session() as s:
        factories.collect(s, "another-one")  # 64 more token lookups, newer than all others
        found = explanations.recent(s, 10)
        assert [row.method for row in found] == ["highlight", "summary", "summary"]
        assert tiny.failed_explanation not in [row.id for row in found]
        assert [row.id for row in explanations.recent(s, 1)] == [found[0].id]
        assert len(found[1].scores) == 2 * len(COMPUTED_METRICS)  # both samples


@pytest.mark.parametrize("limit", [1, 2, 3, 50])
def test_recent_ones_are_walked_forth_and_back(shared: Full, limit: int) -> None:
    with shared.store.session() as s:
        ids = [row.id for row in explanations.recent(s, 50)]
        assert len(ids) == 3
        pages = [explanations.recent_page(s, None, limit)]
        assert pages[0].previous is None
        while pages[-1].next is not None:
            pages.append(explanations.recent_page(s, pages[-1].next, limit))
        assert [row.id for page in pages for row in page.items] == ids
        assert {page.total for page in pages} == {3}
        page = pages.pop()
        while page.previous is not None:
            page = explanations.recent_page(s, page.previous, limit)
            assert page.items == pages.pop().items and page.next is not None
        assert pages == []


def test_what_is_explained_between_two_pages_shifts_nothing(full: Full) -> None:
    store, tiny = full
    with store.session() as s:
        first = explanations.recent_page(s, None, 1)
        before = explanations.recent_page(s, first.next, 5)
        known = explanations.get(s, tiny.explanation)
        explanations.add(
            s, tiny.plain, "newer", Polarity.POSITIVE, known.provenance, State.OK, "", None, "newer"
        )
        after = explanations.recent_page(s, first.next, 5)
        assert [row.id for row in before.items] == [row.id for row in after.items]
        assert after.total == before.total + 1


@pytest.mark.parametrize("cursor", ["", "-", "one", "1.5", "--1", "9" * 40, "²", "1\n", "\0"])
def test_a_place_that_is_none_says_so(shared: Full, cursor: str) -> None:
    with shared.store.session() as s, pytest.raises(BadInput, match="first page"):
        explanations.recent_page(s, cursor)


def test_recent_ones_are_found_by_their_index(tiny_store) -> None:  # type: ignore[no-untyped-def]
    with tiny_store.session() as s:
        plan = s.exec_driver_sql(
            "EXPLAIN QUERY PLAN SELECT * FROM explanations e WHERE key IS NOT NULL AND e.state = 0 ORDER BY id DESC"
        ).all()
    assert any("ix_explanations_recent" in str(row) for row in plan)


def test_a_simulation_comes_back_bit_for_bit(full: Full) -> None:
    store, tiny = full
    rng = np.random.default_rng(0)
    expected = (rng.random((3, 64)) * 10).astype(np.float32)
    made = Simulated(np.array([1, 7, 9], np.int32), expected, Usage(5, 6, 0.5, 0.25, 3), '{"scale": 10}')
    with store.session() as s:
        args = (
            tiny.explanation,
            "chat_json",
            "scripted",
            '{"scale": 10}',
            3,
            made,
            State.OK,
            "",
            "job-1",
            "sim",
        )
        id_ = simulations.add(s, *args)
        assert simulations.add(s, *args) == id_
    with store.session() as s:
        found = simulations.get(s, id_)
        assert found.simulated is not None
        np.testing.assert_array_equal(found.simulated.expected, expected)
        np.testing.assert_array_equal(found.simulated.excerpts, made.excerpts)
        assert (found.simulated.usage, found.simulated.parameters_json) == (made.usage, '{"scale": 10}')
        assert (found.simulator, found.simulator_model, found.seed, found.state) == (
            "chat_json",
            "scripted",
            3,
            State.OK,
        )
        assert [row.id for row in simulations.of_explanation(s, tiny.explanation)] == [id_, tiny.simulation]


def test_a_failed_simulation_says_why_and_has_no_values(shared: Full) -> None:
    with shared.store.session() as s:
        found = simulations.get(s, shared.tiny.failed_simulation)
        assert (found.state, found.simulated) == (State.FAILED, None)
        assert found.reason == "The simulator answered 63 values for 64 tokens."
        with pytest.raises(NotFound):
            simulations.get(s, 999)


def test_a_failed_simulation_says_what_it_took(full: Full) -> None:
    spent = Usage(5, 6, 0.5, 0.25, 3)
    args = (full.tiny.explanation, "chat_json", "m", "{}", 3, None, State.FAILED, "why", "job", "failed")
    with full.store.session() as s:
        id_ = simulations.add(s, *args, usage=spent)
    with full.store.session() as s:
        assert simulations.get(s, id_).usage == spent


def test_what_is_no_simulation_is_refused(shared: Full) -> None:
    store, tiny = shared
    made = Simulated(np.array([1], np.int32), np.zeros((1, 64), np.float32))
    with store.session() as s:
        for values, state in ((None, State.OK), (made, State.FAILED)):
            with pytest.raises(BadInput, match="a simulation of state"):
                simulations.add(s, tiny.explanation, "local", "", "{}", 0, values, state, "", None, "k")
        with pytest.raises(BadInput, match="needs a key"):
            simulations.add(s, tiny.explanation, "local", "", "{}", 0, made, State.OK, "", None, "")
        with pytest.raises(NotFound, match="no explanation 999"):
            simulations.add(s, 999, "local", "", "{}", 0, made, State.OK, "", None, "k")
        beyond = Simulated(np.array([480], np.int32), np.zeros((1, 64), np.float32))
        with pytest.raises(BadInput, match="no excerpt 480"):
            simulations.add(s, tiny.explanation, "local", "", "{}", 0, beyond, State.OK, "", None, "k")
        assert scores.of_explanation(s, tiny.failed_explanation) == []

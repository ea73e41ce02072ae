"""Jobs that run the live model beside a stored explanation: ablation, false positives, transfer."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import update

from app.domain import false_positives as fp
from app.domain.binary_metrics import activity
from app.domain.calibration import Calibration, calibrate
from app.domain.explanations import Metric, Protocol, Sample, ScoreOptions, SimulatorName, State
from app.domain.neurons import Float32, NeuronRef, Polarity, Split
from app.domain.protocols import dev_records, score_records
from app.errors import BadInput, NotFound
from app.jobs.neuron import load_neuron
from app.jobs.score import expected_of
from app.store import explanations, false_positives, human, simulations, tables
from app.store.excerpts import ExcerptCache
from app.store.explanation_rows import ExplanationRow, ScoreRow
from app.store.rows import JobState
from app.subject.ablation import divergences
from app.subject.live import activations
from app.subject.load import Subject, load
from app.subject.simulator import LocalSimulator
from tests.jobs.world import World, model_answers, wait_for
from tests.scripted_server import ScriptedServer
from tests.subject.small import small

REF = NeuronRef("tiny-gpt2", "1-mlp", 7)
SCORE = ScoreOptions(SimulatorName.CHAT_JSON, "scripted", Protocol.HELDOUT_FULL)
Make = Callable[..., World]


def written(here: World, polarity: Polarity = Polarity.POSITIVE, *, blind: bool = True) -> int:
    """A statement by somebody who looked at explain records alone."""
    with here.store.session() as session:
        return human.explain(session, REF, "words about rain", polarity, "somebody", blind=blind)


def scores_of(here: World, explanation: int, metric: Metric = Metric.ABLATION) -> list[ScoreRow]:
    with here.store.session() as session:
        return [row for row in explanations.get(session, explanation).scores if row.value.metric is metric]


def explanation_of(here: World, id_: int) -> ExplanationRow:
    with here.store.session() as session:
        return explanations.get(session, id_)


def subject(materials: Path) -> Subject:
    return load(str(materials / "tiny-gpt2"), "cpu", 1, materials / "none")


def expected_score(here: World, materials: Path, explanation: int, simulation: int, sample: Sample) -> float:
    """The formula written out: a ratio of the mean divergences over the sample's records."""
    with here.store.session() as session:
        row, stored = explanations.get(session, explanation), simulations.get(session, simulation)
    neuron, sign = load_neuron(here.store, REF), row.polarity.sign
    assert stored.simulated is not None
    scored, strata = score_records(neuron.records, Protocol.HELDOUT_FULL, row.polarity)
    dev = dev_records(neuron.records, row.polarity)
    line = calibrate(expected_of(stored.simulated, dev), sign * dev.activations)
    assert isinstance(line, Calibration)
    given = (sign * (line.slope * expected_of(stored.simulated, scored) + line.intercept)).astype(np.float32)
    mean = np.full_like(given, neuron.statistics.mean)
    found = divergences(subject(materials), 1, REF.index, scored.tokens, [given, mean])  # [2, R, T]
    mine = strata == 1 if sample is Sample.RANDOM_ONLY else np.ones(len(strata), bool)
    to_simulated, to_mean = found[:, mine].mean((1, 2))
    return float(1 - to_simulated / to_mean)


def test_ablation_scores_both_signs_and_says_why_where_the_model_is_gone(
    world: Make, collected: Path, materials: Path
) -> None:
    with ScriptedServer(model_answers) as server:
        here = world(data=collected, endpoints=[server.endpoint()])
        positive, negative = written(here), written(here, Polarity.NEGATIVE)
        with pytest.raises(BadInput, match="score the explanation first"):
            here.jobs.enqueue_ablation(positive)
        here.worker()
        for explanation in (positive, negative):
            assert here.ended(here.jobs.enqueue_score(explanation, SCORE)).state is JobState.DONE
            job = here.jobs.enqueue_ablation(explanation)
            row = here.ended(job)
            assert row.state is JobState.DONE, row.reason
            result = json.loads(row.result_json)
            found = {score.value.sample: score for score in scores_of(here, explanation)}
            assert set(found) == {Sample.TOP_AND_RANDOM, Sample.RANDOM_ONLY}
            for sample, score in found.items():
                assert score.value.state is State.OK and score.value.protocol is Protocol.HELDOUT_FULL
                assert score.simulation_id == result["simulation"] and score.job_id == job
                assert (score.simulator, score.simulator_model) == ("chat_json", "scripted / scripted-model")
                assert score.value.value is not None and score.value.low is not None
                by_hand = expected_score(here, materials, explanation, result["simulation"], sample)
                assert score.value.value == pytest.approx(by_hand, rel=1e-3, abs=1e-4)
            said = json.loads(found[Sample.TOP_AND_RANDOM].value.parameters_json)
            assert said["jsd_mean"] > 0 and said["dev_records"] > 0 and said["model"] == "tiny-gpt2"
        for changes, words in (
            ({"revision": "f" * 64}, "collected from ffffffffffff"),
            ({"source": "/gone/away"}, "no model folder at /gone/away"),
        ):
            with here.store.session() as session:
                session.execute(update(tables.models).values(**changes))
            row = here.ended(here.jobs.enqueue_ablation(positive))
            assert row.state is JobState.FAILED and words in row.reason
            newest = [score.value for score in scores_of(here, positive) if score.job_id == row.id]
            assert {value.state for value in newest} == {State.FAILED} and len(newest) == 2
            assert all(words in value.reason and value.value is None for value in newest)


@pytest.fixture
def simulating(tmp_path: Path) -> Path:
    """A folder with a small random model that has room for the simulator's prompt."""
    made = small("llama")
    made.model.save_pretrained(tmp_path / "Tiny-Simulator")  # type: ignore[operator]
    made.tokenizer.save_pretrained(tmp_path / "Tiny-Simulator")
    return tmp_path / "Tiny-Simulator"


def test_false_positives_are_found_across_a_killed_worker(
    world: Make, collected: Path, materials: Path, simulating: Path
) -> None:
    here = world(data=collected, simulator_model=str(simulating))
    explanation = written(here)
    with pytest.raises(BadInput, match="Between 1 and"):
        here.jobs.enqueue_false_positives(explanation, 0)
    first = here.worker()
    job = here.jobs.enqueue_false_positives(explanation, 40, seed=2)
    wait_for(lambda: here.job(job).done >= 32, "the first excerpts to be examined")
    here.kill(first)
    here.worker()
    row = here.ended(job)
    assert row.state is JobState.DONE, row.reason
    assert row.attempts == 2 and (row.done, row.unit) == (40, "excerpts")
    with here.store.session() as session:
        [search] = false_positives.of_explanation(session, explanation)
    held, neuron = ExcerptCache.get(here.store, REF.model), load_neuron(here.store, REF)
    chosen = fp.sample(np.flatnonzero(held.splits == Split.SCORE).astype(np.int32), 40, 2)
    pieces = [[neuron.vocabulary.pieces[i] for i in tokens] for tokens in held.tokens[chosen].tolist()]
    predicted: Float32 = LocalSimulator(small("llama")).simulate(["words about rain"], pieces, 2)[0]
    values = activations(subject(materials), 1, [REF.index], held.tokens[chosen].tolist())
    actual = np.stack([each[:, 0] for each in values])
    above = activity(neuron.statistics, Polarity.POSITIVE).threshold
    found = fp.examine(chosen, predicted, actual, above, position0=neuron.statistics.position0)
    worst = fp.worst(found)
    assert search.excerpts.tolist() == [each.excerpt for each in worst] and len(worst) == fp.SHOWN
    place = {excerpt: i for i, excerpt in enumerate(chosen.tolist())}
    rows = [place[each.excerpt] for each in worst]
    np.testing.assert_allclose(search.predicted, predicted[rows], atol=1e-4)
    np.testing.assert_allclose(search.actual, actual[rows], atol=1e-5)
    said = json.loads(search.parameters_json)
    assert said["threshold"] == above and said["split"] == "score" and said["seen_known"]
    assert fp.Tally(*(said[name] for name in fp.Tally._fields)) == fp.tally(found)
    assert said["dev_records"] > 0 and np.isfinite(said["slope"]) and said["model"] == "Tiny-Simulator"


def test_an_explanation_is_put_to_the_test_on_another_neuron(world: Make, collected: Path) -> None:
    with ScriptedServer(model_answers) as server:
        here = world(data=collected, endpoints=[server.endpoint()])
        source, unknown = written(here), written(here, blind=False)
        other = NeuronRef("tiny-gpt2", "0-mlp", 3)
        for ref, error, words in (
            (REF, BadInput, "is the neuron that this explanation is about"),
            (replace(other, index=99), NotFound, "has no neuron 99"),
            (replace(other, layer="9-mlp"), NotFound, "has no layer “9-mlp”"),
            (replace(other, model="gpt-17"), NotFound, "no model “gpt-17”"),
        ):
            with pytest.raises(error, match=words):
                here.jobs.enqueue_transfer(source, ref, SCORE)
        with pytest.raises(BadInput, match="nobody knows which text"):
            here.jobs.enqueue_transfer(unknown, other, SCORE)
        here.worker()
        row = here.ended(here.jobs.enqueue_transfer(source, other, SCORE, author="a person"))
        assert row.state is JobState.DONE, row.reason
        made = explanation_of(here, json.loads(row.result_json)["explanation"])
        assert (made.ref, made.text, made.polarity) == (other, "words about rain", Polarity.POSITIVE)
        assert (made.method, made.source_id, made.provenance.author) == ("transfer", source, "a person")
        assert {s.job_id for s in made.scores} == {row.id} and made.provenance.excerpts == ()
        assert any(s.value.metric is Metric.CORRELATION and s.value.state is State.OK for s in made.scores)
        again = here.ended(here.jobs.enqueue_transfer(source, other, SCORE))
        assert json.loads(again.result_json)["explanation"] == made.id  # the same statement, scored once more
        turned = here.ended(here.jobs.enqueue_transfer(source, REF, SCORE, Polarity.NEGATIVE))
        assert turned.state is JobState.DONE, turned.reason
        assert (
            explanation_of(here, json.loads(turned.result_json)["explanation"]).polarity is Polarity.NEGATIVE
        )

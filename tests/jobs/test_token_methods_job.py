"""Methods that work from tokens and weights, through a real worker, a real model and a scripted language model."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from app.domain.explanations import (
    ExplainOptions,
    Method,
    Metric,
    Protocol,
    ScoreOptions,
    SimulatorName,
    State,
    TokenSource,
)
from app.domain.neurons import NeuronRef, Polarity
from app.domain.next_token import LEAD, by_next_token
from app.domain.protocols import score_records
from app.jobs.neuron import load_neuron
from app.simulate.prompts import fields
from app.store import explanations, simulations
from app.store.explanation_rows import ExplanationRow
from app.store.rows import JobState
from tests.jobs.world import World, model_answers, tokens_of
from tests.scripted_server import ScriptedServer

REF = NeuronRef("tiny-gpt2", "1-mlp", 7)
SCORE = ScoreOptions(SimulatorName.CHAT_JSON, "scripted", Protocol.HELDOUT_5_5)
Make = Callable[..., World]


def explained(here: World, options: ExplainOptions, score: ScoreOptions | None = None) -> ExplanationRow:
    row = here.ended(here.jobs.enqueue_explain(REF, options, score))
    assert row.state is JobState.DONE, row.reason
    with here.store.session() as session:
        return explanations.get(session, json.loads(row.result_json)["explanation"])


def test_each_method_from_tokens_makes_a_statement_with_where_its_tokens_come_from(
    world: Make, collected: Path
) -> None:
    with ScriptedServer(model_answers) as server:
        here = world(data=collected, endpoints=[server.endpoint()])
        here.worker()
        asked = ExplainOptions(Method.TOKEN_SPACE, explainer="scripted")
        by_mean = explained(here, asked)
        by_weight = explained(here, replace(asked, token_source=TokenSource.WEIGHT))
        promoted = explained(here, replace(asked, method=Method.OUTPUT_TOKENS))
        suppressed = explained(here, replace(asked, method=Method.OUTPUT_TOKENS, polarity=Polarity.NEGATIVE))
    assert by_mean.text == "words about rain and stone bridges"
    neuron = load_neuron(here.store, REF)
    assert set(by_mean.provenance.excerpts) == set(
        neuron.records.excerpts[neuron.records.splits == 0].tolist()
    )
    assert (
        by_weight.provenance.excerpts == promoted.provenance.excerpts == ()
    )  # no text of the corpus was seen
    told = [json.loads(each.provenance.parameters_json) for each in (by_mean, by_weight, promoted)]
    assert [each.get("token_source") for each in told] == ["activation", "weight", None]
    assert [each.get("weight", "").split(":")[0] for each in told] == ["", "linear", "output"]
    assert promoted.text == suppressed.text == "text that may go on with words about rain and stone bridges"
    shown = [
        json.loads(each.provenance.messages_json)[-1]["content"].splitlines()[1]
        for each in (promoted, suppressed)
    ]
    assert shown[0] != shown[1] and all(line.startswith("Promoted tokens:") for line in shown)


def test_token_linear_is_a_statement_and_a_prediction_of_its_own(world: Make, collected: Path) -> None:
    here = world(data=collected)
    here.worker()
    row = explained(here, ExplainOptions(Method.TOKEN_LINEAR), ScoreOptions(SimulatorName.TOKEN_LINEAR))
    assert row.text.startswith("the token") and row.provenance.excerpts == ()
    assert "linear: wte" in row.provenance.parameters_json
    [value] = [
        s.value
        for s in row.scores
        if s.value.metric is Metric.CORRELATION and s.value.sample == "top-and-random"
    ]
    assert value.state is State.OK
    with here.store.session() as session:
        [simulation] = simulations.of_explanation(session, row.id)
    assert (simulation.simulator, simulation.state) == ("token_linear", State.OK)


def test_next_token_is_explained_and_simulated_from_the_token_that_follows(
    world: Make, collected: Path
) -> None:
    with ScriptedServer(model_answers) as server:
        here = world(data=collected, endpoints=[server.endpoint()])
        here.worker()
        row = explained(here, ExplainOptions(Method.NEXT_TOKEN, explainer="scripted"), SCORE)
        questions = [
            json.loads(r.messages[-1]["content"]) for r in server.requests if tokens_of(r) is not None
        ]
    assert row.text == f"{LEAD}words about rain and stone bridges" and by_next_token(row.method)
    assert {q["neuron"] for q in questions} == {
        "the main thing this neuron does is find words about rain and stone bridges"
    }
    neuron = load_neuron(here.store, REF)
    scored, _ = score_records(neuron.records, Protocol.HELDOUT_5_5, Polarity.POSITIVE)
    wanted = {fields([neuron.vocabulary.pieces[i] for i in tokens[1:]]) for tokens in scored.tokens.tolist()}
    assert wanted <= {tuple(q["tokens"]) for q in questions}
    values = {(s.value.metric, s.value.sample): s.value for s in row.scores}
    whole = values[Metric.CORRELATION, "top-and-random"]
    first = int(neuron.statistics.position0)
    assert whole.n_tokens == len(scored) * (scored.tokens.shape[1] - 1 - first)  # without the last position
    with here.store.session() as session:
        [simulation] = simulations.of_explanation(session, row.id)
    assert simulation.simulated is not None
    assert simulation.simulated.expected.shape[1] == scored.tokens.shape[1]
    # The number itself: position t beside what was answered for token t + 1.
    place = {excerpt: i for i, excerpt in enumerate(simulation.simulated.excerpts.tolist())}
    expected = simulation.simulated.expected[[place[e] for e in scored.excerpts.tolist()]][:, first:-1]
    by_hand = np.corrcoef(scored.activations[:, first:-1].ravel(), expected.ravel())[0, 1]
    assert whole.value is not None and abs(whole.value - by_hand) < 1e-5


def test_a_model_that_is_gone_is_a_failure_with_its_reason(
    world: Make, collected: Path, tmp_path: Path
) -> None:
    from sqlalchemy import update

    from app.store import tables

    here = world(data=collected)
    with here.store.session() as session:
        session.execute(update(tables.models).values(source=str(tmp_path / "nowhere")))
    here.worker()
    row = here.ended(here.jobs.enqueue_explain(REF, ExplainOptions(Method.TOKEN_LINEAR), None))
    assert row.state is JobState.FAILED and "nowhere" in row.reason and "Traceback" not in row.reason
    with here.store.session() as session:
        [failed] = [e for e in explanations.of_neuron(session, REF) if e.method == Method.TOKEN_LINEAR]
    assert (failed.state, failed.text) == (State.FAILED, "")

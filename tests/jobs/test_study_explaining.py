"""What a study lacks becomes experiments: one for arms that lack the same, asked of whoever the arms name."""

from dataclasses import replace
from pathlib import Path

import pytest

from app.domain.definition_files import FileKind
from app.domain.experiment_checks import problems
from app.domain.experiment_files import read, write
from app.domain.explanations import Method
from app.domain.studies import StudyArm
from app.errors import BadInput
from app.jobs.study_explaining import Missing, begin, experiments
from app.settings import Endpoint
from app.store import Store
from app.store.experiment_rows import ExperimentState
from app.study.service import Studies
from tests import study_world as w
from tests.jobs.experiment_world import Lab, answers
from tests.scripted_server import ScriptedServer

ENDPOINTS = [
    Endpoint(name="a", base_url="http://127.0.0.1:9/v1", model="small"),
    Endpoint(name="b", base_url="http://127.0.0.1:9/v1", model="big"),
]
ONE, TWO, THREE = w.refs()


def test_arms_that_lack_the_same_share_an_experiment() -> None:
    lacks = [
        Missing(StudyArm("original"), (ONE, TWO)),
        Missing(StudyArm("summary", "a"), (ONE, TWO)),
        Missing(StudyArm("avhs", "b / big"), (ONE, TWO)),
        Missing(StudyArm("hs", "big"), (THREE,)),
        Missing(StudyArm("token_lookup"), (ONE, TWO)),
    ]
    made = experiments(replace(w.definition(), name="x" * 120), lacks, ENDPOINTS)
    found = [([m.value for m in e.methods], e.explainers, e.samples[0].neurons) for e in made]
    assert found == [
        (["original", "summary"], ("a",), (str(ONE), str(TWO))),
        (["avhs"], ("b",), (str(ONE), str(TWO))),
        (["hs"], ("b",), (str(THREE),)),
        (["token_lookup"], (), (str(ONE), str(TWO))),
    ]
    for each in made:
        assert problems(each) == [] and each.scorers() == ()
        assert read(write(each, FileKind.TOML), FileKind.TOML) == each
    [other] = experiments(w.definition(), lacks[:1], ENDPOINTS, "b")
    assert other.explainers == ("b",) and other.methods == (Method.ORIGINAL,)


@pytest.mark.parametrize(
    ("arm", "words"),
    [
        (StudyArm("human"), "human cannot be made here; import them"),
        (StudyArm("of my own"), "of my own cannot be made here"),
        (StudyArm("summary", "gpt-4"), "gpt-4 is none of the endpoints here (a, b)"),
        (StudyArm("revision"), "revision begins from another explanation"),
    ],
)
def test_what_cannot_be_made_here_is_said(arm: StudyArm, words: str) -> None:
    with pytest.raises(BadInput) as caught:
        experiments(w.definition(), [Missing(StudyArm("original"), (ONE,)), Missing(arm, (ONE,))], ENDPOINTS)
    assert words in str(caught.value)
    with pytest.raises(BadInput, match="no language model is configured"):
        experiments(w.definition(), [Missing(StudyArm("original"), (ONE,))], [])
    with pytest.raises(BadInput, match="There is no endpoint “c”"):
        experiments(w.definition(), [Missing(StudyArm("original"), (ONE,))], ENDPOINTS, "c")


def test_what_is_made_lets_the_study_start(tiny_store: Store, tmp_path: Path) -> None:
    """An experiment that only explains, run as a worker runs it; then every neuron has every arm's words."""
    made = Studies(tiny_store)
    arms = tuple(StudyArm(method) for method in ("original", "summary", "avhs"))
    draft = made.make(w.definition(arms=arms), w.OWNER)
    w.describe(tiny_store, w.refs(1))
    with ScriptedServer(answers) as server:
        lab = Lab(tiny_store, tmp_path, [server.endpoint()])
        [row] = begin(lab.experiments, draft.definition, made.material(draft.definition), "ada")
        done = lab.run(row.id)
    assert (done.row.state, done.failures, done.ended) == (ExperimentState.DONE, (), 2 * 3)
    found = made.material(draft.definition)
    assert (found.lacking, found.problems) == ([], [])
    assert made.start(draft.id, w.OWNER).registered_hash
    with pytest.raises(BadInput, match="No explanation is lacking"):
        begin(lab.experiments, draft.definition, found, "ada")

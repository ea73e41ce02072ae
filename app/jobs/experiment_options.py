"""What an experiment's arms and scorers ask, in the words of ordinary jobs."""

from app.domain.experiments import DIRECT, Arm, Definition, Scorer
from app.domain.explanations import ExplainOptions, ScoreOptions
from app.domain.judging import JudgeOptions
from app.domain.revising import ProbeOptions, ReviseOptions


def explain_options(arm: Arm, definition: Definition, seed: int) -> ExplainOptions:
    """What an arm asks of a neuron."""
    return ExplainOptions(
        method=arm.method,
        polarity=definition.polarity,
        explainer=arm.explainer,
        seed=seed,
        shown=arm.shown,
        candidates=arm.candidates,
    )


def chosen_by(definition: Definition, seed: int) -> ScoreOptions | None:
    """What the best of several candidates is chosen by: the first simulator that predicts from statements."""
    for scorer in definition.scorers():
        if scorer.simulator is not None and scorer.simulator not in DIRECT:
            return score_options(scorer, seed)
    return None


def judge_options(scorer: Scorer, seed: int) -> JudgeOptions:
    """What a judge that asks is asked."""
    assert scorer.judge is not None, "simulators are no judges"
    return JudgeOptions(scorer.judge.metric, scorer.endpoint, source=scorer.judge.source, seed=seed)


def score_options(scorer: Scorer, seed: int, revision: int = 0) -> ScoreOptions:
    """What a scorer that simulates asks; `revision` is the one whose sentences are scored on."""
    assert scorer.simulator is not None, "a judge does not simulate"
    return ScoreOptions(scorer.simulator, scorer.endpoint, scorer.protocol, seed, revision)


def revise_options(arm: Arm, seed: int) -> ReviseOptions:
    """What a revision, or a control, of an experiment asks."""
    return ReviseOptions(arm.explainer, arm.method, seed)


def probe_options(arm: Arm, seed: int) -> ProbeOptions:
    """What a probing of an experiment may take: the usual budget of one."""
    return ProbeOptions(arm.explainer, seed=seed)

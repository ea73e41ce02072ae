"""What stands beside a score of active tokens."""

import json

import pytest

from app.domain.explanations import Metric, Protocol, Sample, ScoreValue, State
from app.web.score_words import basis

SAID = {"threshold": 1.25, "alpha": 0.01, "base_rate": 0.0292, "cut": 3.5, "dev_f1": 0.4}


def score(metric: Metric, said: dict[str, object], state: State = State.OK) -> ScoreValue:
    value = 0.5 if state is State.OK else None
    return ScoreValue(
        metric, Protocol.HELDOUT_FULL, Sample.TOP_AND_RANDOM, state, value, parameters_json=json.dumps(said)
    )


@pytest.mark.parametrize(
    ("metric", "said", "words"),
    [
        (Metric.AUPRC, SAID, "base rate 0.029; active above 1.25, the strongest 1.0 % of tokens"),
        (
            Metric.F1,
            SAID,
            "predicted above 3.50, the best of dev; active above 1.25, the strongest 1.0 % of tokens",
        ),
        (
            Metric.AUPRC,
            SAID | {"alpha": None, "threshold": 0.0},
            "base rate 0.029; active above 0, no quantile known",
        ),
        (Metric.CORRELATION, SAID, ""),
        (Metric.AUPRC, {"protocol": "theirs"}, ""),  # imported
        (Metric.IOU, {"threshold": 1.0}, ""),
    ],
)
def test_basis(metric: Metric, said: dict[str, object], words: str) -> None:
    assert basis(score(metric, said)) == words
    assert basis(score(metric, said, State.TOO_FEW_ACTIVE)) == ""

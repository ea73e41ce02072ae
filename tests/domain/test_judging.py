"""Balanced accuracy, its interval and the area under the curve, against hand-computed values and scikit-learn's definitions."""

import json

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from scipy.stats import mannwhitneyu

from app.domain.explanations import Metric, Protocol, Sample, State
from app.domain.judging import Asked, Verdict, auroc, balanced_accuracy, rates, score, verdicts_of, without
from app.domain.scored_by import scorer_of
from app.domain.windows import Example

ASKED = Asked(Metric.FUZZING, "vllm / big", 3, {"source": "live", "per_prompt": 1})


def verdicts(truth: str, said: str, yes: list[float] | None = None) -> tuple[Verdict, ...]:
    return tuple(
        Verdict(Example(i, 32 * (i % 2), t == "1", (i % 5,)), s == "1", None if yes is None else yes[i])
        for i, (t, s) in enumerate(zip(truth, said, strict=True))
    )


def value(truth: str, said: str, documents: list[int] | None = None, yes: list[float] | None = None) -> float:
    found = score(ASKED, verdicts(truth, said, yes), np.array(documents or range(len(truth)), np.int32))
    assert found.state is State.OK and found.value is not None
    return found.value


def test_a_right_judge_has_1_a_wrong_one_0_and_who_says_always_the_same_a_half() -> None:
    truth = "1" * 50 + "0" * 50
    assert value(truth, truth) == 1.0
    assert value(truth, "0" * 50 + "1" * 50) == 0.0
    assert value(truth, "1" * 100) == value(truth, "0" * 100) == 0.5
    assert value("1" * 90 + "0" * 10, "1" * 100) == 0.5  # balanced: the larger class does not help
    coin = "".join(str(b) for b in np.random.default_rng(0).integers(0, 2, 20_000))
    assert value("10" * 10_000, coin) == pytest.approx(0.5, abs=0.01)


def test_by_hand() -> None:
    # 3 of 4 fire and are said to, 1 of 2 that do not are said not to: (3/4 + 1/2) / 2
    found = score(ASKED, verdicts("111100", "111010"), np.array([0, 0, 1, 1, 2, 3], np.int32))
    assert found.value == 0.625
    assert (found.protocol, found.sample, found.n_records) == (Protocol.WINDOWS, Sample.WINDOWS, 6)
    assert (found.n_documents, found.n_tokens, found.indicative) == (4, 6 * 32, True)
    said = json.loads(found.parameters_json)
    assert (said["true_positive_rate"], said["true_negative_rate"]) == (0.75, 0.5)
    assert (said["active"], said["inactive"], said["source"]) == (4, 2, "live") and "auroc" not in said
    scorer = scorer_of(found.parameters_json)
    assert scorer is not None and scorer == ("judge", "vllm / big", 3)


def test_the_interval_is_of_documents_and_none_where_a_kind_has_one_document() -> None:
    truth, said = "1" * 20 + "0" * 20, "1" * 15 + "0" * 25
    many = score(ASKED, verdicts(truth, said), np.arange(40, dtype=np.int32))
    few = score(ASKED, verdicts(truth, said), np.repeat(np.arange(8, dtype=np.int32), 5))
    assert many.low is not None and many.high is not None and few.low is not None and few.high is not None
    assert many.value == few.value == 0.875 and many.low < 0.875 < many.high <= 1
    assert few.high - few.low > many.high - many.low and few.indicative and not many.indicative
    one = score(ASKED, verdicts(truth, said), np.array([0] * 20 + list(range(1, 21)), np.int32))
    assert one.value == 0.875 and one.low is None and one.high is None


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=2, max_size=40))
def test_the_area_is_mann_and_whitney_s(pairs: list[tuple[bool, int]]) -> None:
    truth = np.array([t for t, _ in pairs])
    p = np.array([x / 4 for _, x in pairs])
    if truth.all() or not truth.any():
        with pytest.raises(ValueError, match="one kind"):
            rates(truth, truth)
        return
    expected = mannwhitneyu(p[truth], p[~truth]).statistic / (truth.sum() * (~truth).sum())
    assert auroc(truth, p) == pytest.approx(expected)
    hard = rates(truth, p >= 0.5)
    assert balanced_accuracy(hard) == pytest.approx(auroc(truth, (p >= 0.5).astype(float)))


def test_every_verdict_can_be_read_again_from_what_is_stored() -> None:
    given_ = verdicts("1100", "1010", [0.9, 0.2, 0.75, 0.0])
    found = score(ASKED, given_, np.arange(4, dtype=np.int32))
    assert verdicts_of(found.parameters_json) == given_
    assert json.loads(found.parameters_json)["auroc"] == 0.75
    some = (given_[0]._replace(probability=None), *given_[1:])
    partly = score(ASKED, some, np.arange(4, dtype=np.int32))
    assert verdicts_of(partly.parameters_json) == some and "auroc" not in json.loads(partly.parameters_json)
    assert verdicts_of("{}") == ()


def test_no_score_has_no_value_and_says_who_was_to_judge() -> None:
    found = without(ASKED, State.FAILED, "the server burnt down")
    assert (found.state, found.value, found.reason) == (State.FAILED, None, "the server burnt down")
    scorer = scorer_of(found.parameters_json)
    assert scorer is not None and scorer.model == "vllm / big" and verdicts_of(found.parameters_json) == ()

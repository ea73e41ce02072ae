"""Cut-offs of highly activating tokens."""

from dataclasses import replace

import numpy as np
import pytest

from app.domain.cutoffs import cut_off
from app.domain.explanations import CutOff
from app.domain.neurons import Polarity
from app.errors import BadInput
from tests.domain.layers import layer, records_of, statistics_of, table

rng = np.random.default_rng(0)
EXCERPTS = table(rng)
RESULT = layer(rng, EXCERPTS, 1)
RECORDS = records_of(RESULT, EXCERPTS, 0)
STATS = replace(statistics_of(RESULT, 0), token_q99=2.25, token_q01=-1.5, excerpt_max_q99=3.5)


def test_stored_quantiles() -> None:
    assert cut_off(CutOff.TOKEN_Q99, RECORDS, STATS, Polarity.POSITIVE) == 2.25
    assert cut_off(CutOff.TOKEN_Q99, RECORDS, STATS, Polarity.NEGATIVE) == 1.5  # to hold -a against
    assert cut_off(CutOff.EXCERPT_MAX_Q99, RECORDS, STATS, Polarity.POSITIVE) == 3.5


def test_ninetieth_percentile_of_what_is_shown() -> None:
    one = RECORDS.take(np.array([0]))
    shown = replace(one, activations=np.arange(64, dtype=np.float32)[None])
    # by hand: the 0.9 quantile of 0..63 is 0.9 * 63; of -63..0 it is -0.1 * 63
    assert cut_off(CutOff.SHOWN_Q90, shown, STATS, Polarity.POSITIVE) == pytest.approx(56.7)
    assert cut_off(CutOff.SHOWN_Q90, shown, STATS, Polarity.NEGATIVE) == pytest.approx(-6.3)


def test_what_does_not_exist_is_refused_in_one_line() -> None:
    with pytest.raises(BadInput, match="choose token_q99") as error:
        cut_off(CutOff.EXCERPT_MAX_Q99, RECORDS, STATS, Polarity.NEGATIVE)
    assert "\n" not in str(error.value)
    with pytest.raises(BadInput, match="none to show"):
        cut_off(CutOff.SHOWN_Q90, RECORDS.take(np.array([], np.intp)), STATS, Polarity.POSITIVE)

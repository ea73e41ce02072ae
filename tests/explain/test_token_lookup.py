from dataclasses import replace

import numpy as np
import pytest

from app.domain.explanations import ExplainOptions, Method
from app.domain.neurons import Polarity, Split
from app.errors import BadInput
from app.explain import token_lookup
from tests.explain.neuron import VOCABULARY, neuron, statistics

OPTIONS = ExplainOptions(Method.TOKEN_LOOKUP)


def test_the_statement_names_the_tokens_with_the_highest_means():
    explained = token_lookup(neuron(), statistics(), VOCABULARY, OPTIONS)
    # means: blue (no space) 5.0; " blue" (8 + 8 + 7.5 + 5 + 7 + .6) / 6 = 6.0; "green" 3.0; " sea" (4.2 - .1 - .1) / 3
    assert explained.text.startswith("the tokens “ blue”, “blue”, ")
    made = explained.provenance
    assert (made.method, made.explainer, made.usage.calls) == ("token_lookup", "none", 0)
    assert made.excerpts == (100, 101, 102, 103, 104)
    assert made.prompt_version == "token-lookup-1"


def test_only_explain_records_are_seen():
    records = neuron()
    records = replace(records, splits=np.array([0, 0, Split.SCORE, Split.DEV, 0], np.uint8))
    assert token_lookup(records, statistics(), VOCABULARY, OPTIONS).provenance.excerpts == (100, 101, 104)


def test_what_cannot_be_looked_up_is_refused():
    with pytest.raises(BadInput, match="positive"):
        token_lookup(neuron(), statistics(), VOCABULARY, replace(OPTIONS, polarity=Polarity.NEGATIVE))
    with pytest.raises(BadInput, match="no records"):
        token_lookup(neuron().take(np.array([], np.intp)), statistics(), VOCABULARY, OPTIONS)

"""The explanation that needs no language model: the tokens with the highest mean activation."""

import json

from app import __version__
from app.domain.explanations import ExplainOptions, Method, Provenance
from app.domain.neurons import Polarity, Records, Statistics
from app.domain.statements import token_lookup_text
from app.domain.token_lookup import TOP_TOKENS, lookup_records, token_means
from app.domain.vocabulary import Vocabulary
from app.errors import BadInput
from app.explain.ask import Explained


def token_lookup(
    records: Records, statistics: Statistics, vocabulary: Vocabulary, options: ExplainOptions
) -> Explained:
    """The statement made from all of a neuron's records (those it may use are chosen here).

    Raises BadInput for the negative polarity, which the signed means cover already, and without records.
    """
    if options.polarity is Polarity.NEGATIVE:
        raise BadInput("token_lookup speaks of both signs at once: ask for the positive polarity.")
    seen = lookup_records(records)
    if not len(seen):
        raise BadInput("This neuron has no records to take token means from.")
    top = token_means(seen.tokens, seen.activations, position0=statistics.position0).top(TOP_TOKENS)
    text = token_lookup_text([vocabulary.shown[i] for i in top.ids.tolist()], top.means.tolist())
    return Explained(
        text,
        Provenance(
            method=Method.TOKEN_LOOKUP,
            explainer="none",
            prompt_version="token-lookup-1",
            parameters_json=json.dumps({"top_tokens": TOP_TOKENS}),
            seed=options.seed,
            excerpts=tuple(sorted(set(seen.excerpts.tolist()))),
            code_version=__version__,
        ),
    )

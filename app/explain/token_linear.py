"""`token_linear` (BILLS): the tokens with the largest input weights, with no language model and nothing fitted."""

import json

from app import __version__
from app.domain.explanations import ExplainOptions, Method, Provenance
from app.domain.neurons import Polarity
from app.domain.statements import token_lookup_text
from app.domain.token_choice import strongest
from app.domain.token_lookup import TOP_TOKENS
from app.domain.token_weights import TokenWeights
from app.domain.vocabulary import Vocabulary
from app.errors import BadInput
from app.explain.ask import Explained


def token_linear(weights: TokenWeights, vocabulary: Vocabulary, options: ExplainOptions) -> Explained:
    """The statement made from one neuron's weights; the simulator of this name uses the weights themselves.

    Nothing of the corpus is seen. Raises BadInput for the negative polarity, which the signed weights cover already.
    """
    if options.polarity is Polarity.NEGATIVE:
        raise BadInput("token_linear speaks of both signs at once: ask for the positive polarity.")
    top = strongest(weights.input[0], weights.ids, TOP_TOKENS)
    return Explained(
        token_lookup_text([vocabulary.shown[i] for i in top.ids.tolist()], top.values.tolist()),
        Provenance(
            method=Method.TOKEN_LINEAR,
            explainer="none",
            prompt_version="token-linear-1",
            parameters_json=json.dumps({"top_tokens": TOP_TOKENS, "weight": weights.input_kind}),
            seed=options.seed,
            code_version=__version__,
        ),
    )

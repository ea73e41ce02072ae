"""What an explanation is asked with: the prompt of any method that asks a language model, and what remains of a failed try."""

from dataclasses import replace
from typing import TYPE_CHECKING

from app import __version__
from app.domain.explain_options import ASKING_METHODS, SHOWING_METHODS, needs_weights
from app.domain.explanations import ExplainOptions, Method, Provenance
from app.domain.neurons import NeuronRef
from app.domain.protocols import explain_records
from app.domain.token_choice import SHOWN, drawn, strongest
from app.domain.token_lookup import lookup_records, token_means
from app.domain.token_weights import TokenWeights
from app.errors import BadInput, ModelError
from app.jobs.endpoints import endpoint
from app.jobs.live_subject import live_subject
from app.jobs.neuron import Neuron
from app.jobs.requests import ExplainRequest
from app.jobs.runtime import Runtime

if TYPE_CHECKING:
    from app.explain import Prompt


async def prompt_of(runtime: Runtime, neuron: Neuron, options: ExplainOptions) -> "Prompt":
    """The exact prompt. BadInput where there is nothing to show, ModelError where the weights that it needs cannot be had."""
    weights = await weights_of(runtime, neuron.ref) if needs_weights(options) else None
    return prompt_from(neuron, options, weights)


async def weights_of(runtime: Runtime, ref: NeuronRef) -> TokenWeights:
    """One neuron's weights against every token. ModelError where the model cannot be loaded or is another one by now."""
    service, layer = await live_subject(runtime, ref)
    return await service.token_weights(layer, [ref.index])


def prompt_from(neuron: Neuron, options: ExplainOptions, weights: TokenWeights | None) -> "Prompt":
    """The prompt of any method that asks. Without weights that it needs, it says so where their tokens would stand.

    Raises BadInput where there is nothing to show.
    """
    from app.explain import build_prompt, next_token_prompt, token_prompt, unread_prompt

    if options.method in SHOWING_METHODS:
        shown = explain_records(neuron.records, options.polarity, options.shown)
        if not len(shown):
            raise BadInput(f"{neuron.ref} has no records of this kind and polarity to explain it from.")
        if options.method is Method.NEXT_TOKEN:
            return next_token_prompt(shown, neuron.statistics, neuron.vocabulary, options)
        return build_prompt(options.method, shown, neuron.statistics, neuron.vocabulary, options)
    sign = options.polarity.sign
    if not needs_weights(options):
        seen = lookup_records(neuron.records)
        means = token_means(seen.tokens, seen.activations, position0=neuron.statistics.position0)
        tokens = drawn(strongest(sign * means.means, means.ids), options.seed)
        source: dict[str, object] = {"token_source": options.token_source, "draw_seed": options.seed}
        excerpts = tuple(sorted(set(seen.excerpts.tolist())))
        return token_prompt(tokens, neuron.vocabulary, options, excerpts, source)
    if weights is None:
        return unread_prompt(options)
    known = weights.ids[: len(neuron.vocabulary.pieces)]
    if options.method is Method.OUTPUT_TOKENS:
        tokens = strongest(sign * weights.output[0, : len(known)], known, SHOWN)
        return token_prompt(tokens, neuron.vocabulary, options, (), {"weight": "output"})
    tokens = drawn(strongest(sign * weights.input[0, : len(known)], known), options.seed)
    source = {"token_source": options.token_source, "draw_seed": options.seed, "weight": weights.input_kind}
    return token_prompt(tokens, neuron.vocabulary, options, (), source)


async def attempted(runtime: Runtime, neuron: Neuron, request: ExplainRequest) -> Provenance:
    """What can be said of an explanation that came to nothing. Without its prompt, where weights could not be had for it."""
    from app.llm.messages import messages_hash, messages_json

    options = request.explain
    asks = options.method in ASKING_METHODS
    made = Provenance(
        method=options.method,
        explainer=endpoint(runtime.settings, options.explainer).title if asks else "none",
        seed=options.seed,
        code_version=__version__,
        author=request.author,
    )
    try:
        prompt = await prompt_of(runtime, neuron, options) if asks else None
    except ModelError:
        prompt = None
    if prompt is None:
        return made
    return replace(
        made,
        prompt_version=prompt.version,
        messages_hash=messages_hash(prompt.messages),
        messages_json=messages_json(prompt.messages),
        parameters_json=prompt.parameters_json,
        excerpts=prompt.excerpts,
    )

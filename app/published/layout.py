"""Which file of the published data holds what (DESIGN section 11)."""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from app.errors import NotFound
from app.published.source import Source


class What(StrEnum):
    """What can be imported."""

    ACTIVATIONS = "activations"
    EXPLANATIONS = "explanations"
    SIMULATIONS = "simulations"
    TOKENS = "tokens"
    RELATED = "related"


class Files(NamedTuple):
    """One kind of file, a file a neuron."""

    folder: str
    ending: str

    def path(self, prefix: str, layer: int, neuron: int) -> str:
        return f"{prefix}{self.folder}/{layer}/{neuron}.{self.ending}"


ACTIVATIONS = Files("collated-activations", "json")
EXPLANATIONS = Files("explanations", "jsonl")
ACTIVATION_TOKENS = Files("related-tokens/activation-based", "json")
WEIGHT_TOKENS = Files("related-tokens/weight-based", "json")
WEIGHT_NEURONS = Files("related-neurons/weight-based", "json")
ALL = (ACTIVATIONS, EXPLANATIONS, ACTIVATION_TOKENS, WEIGHT_TOKENS, WEIGHT_NEURONS)

# Explanations and their simulations are in the same files.
FILES: dict[What, tuple[Files, ...]] = {
    What.ACTIVATIONS: (ACTIVATIONS,),
    What.EXPLANATIONS: (EXPLANATIONS,),
    What.SIMULATIONS: (EXPLANATIONS,),
    What.TOKENS: (ACTIVATION_TOKENS, WEIGHT_TOKENS),
    What.RELATED: (WEIGHT_NEURONS,),
}

# Below the published address; a source may also begin one folder further in.
_PREFIXES = {"gpt2-xl": ("data/", ""), "gpt2": ("gpt2_small_data/", "")}
_ANY = ("data/", "")
_PROBES = 3  # layers and neurons that are tried where a source cannot be listed


def find_prefix(source: Source, model: str, layers: Sequence[int], neurons: Sequence[int]) -> str:
    """The folder below the source that the data of a model is in. NotFound says what was looked for."""
    prefixes = _PREFIXES.get(model, _ANY)
    for prefix in prefixes:
        if any(_there(source, prefix, files, layers, neurons) for files in ALL):
            return prefix
    places = " or ".join(f"{prefix}{ACTIVATIONS.folder}/{layers[0]}/{neurons[0]}.json" for prefix in prefixes)
    raise NotFound(
        f"{source.name} holds no published data of {model}: there is no {places}, nor explanations beside it"
    )


def _there(source: Source, prefix: str, files: Files, layers: Sequence[int], neurons: Sequence[int]) -> bool:
    wanted = range(neurons[0], neurons[-1] + 1)
    for layer in layers:
        listed = source.indices(f"{prefix}{files.folder}/{layer}", files.ending)
        if listed is None:
            break
        if any(index in wanted for index in listed):
            return True
    else:
        return False
    tries = [files.path(prefix, layer, n) for layer in layers[:_PROBES] for n in neurons[:_PROBES]]
    return any(read.data is not None for read in source.read(tries))

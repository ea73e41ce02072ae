"""Other people's explanations, as they come in from files."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from math import isfinite
from types import MappingProxyType
from typing import NamedTuple

from app.domain.explanations import Metric, Protocol, Sample, State
from app.domain.neurons import Float64, Polarity
from app.domain.published import PublishedSimulation

IMPORTED = "imported"  # the key in a score's parameters that says so
LONGEST_TEXT = 20_000  # characters of an explanation
NOT_TOLD = "not told"  # an explainer, author or simulator that a file does not name
NO_NUMBER = "The imported score is no number."


class ImportedScore(NamedTuple):
    """A score that came with an explanation. Without a finite value it is a state with its reason, never 0."""

    metric: Metric
    protocol: Protocol
    sample: Sample
    value: float | None
    reason: str = ""
    state: State | None = None  # None: OK with a value, FAILED without
    low: float | None = None
    high: float | None = None
    n_records: int = 0  # 0: not told
    n_documents: int = 0
    n_tokens: int = 0
    indicative: bool = False
    claims_json: str = "{}"  # what its maker says of it and this store cannot prove: protocol, simulator
    simulation_id: int | None = None  # of the store, where what was simulated came too

    @property
    def defined(self) -> bool:
        return self.value is not None and isfinite(self.value) and self.state in (None, State.OK)

    def outcome(self) -> tuple[State, float | None, str]:
        """(state, value, reason) as they are stored."""
        if self.defined:
            return State.OK, self.value, self.reason
        state = self.state if self.state not in (None, State.OK) else State.FAILED
        return state, None, self.reason or (NO_NUMBER if state is State.FAILED else "")

    def parameters_json(self) -> str:
        """The score's parameters: that it was imported, and the claims."""
        return json.dumps({IMPORTED: True, **json.loads(self.claims_json)}, sort_keys=True)


@dataclass(frozen=True, slots=True)
class ImportedExplanation:
    """One statement of one neuron, as given."""

    layer: int  # the layer's ordinal
    neuron: int
    text: str
    polarity: Polarity = Polarity.POSITIVE
    scores: tuple[ImportedScore, ...] = ()
    created_at: datetime | None = (
        None  # when it was made, in UTC; None: not told, the moment of the import stands for it
    )


@dataclass(frozen=True, eq=False)
class Examples:
    """Texts with activations that came beside a statement. R different ones of T tokens; how they were chosen is not told."""

    texts: Mapping[bytes, Sequence[str]]  # [R] lists of T tokens by digest, in the order of the file
    activations: Float64  # [R, T]
    simulation: PublishedSimulation | None  # of some of them, from the statement


@dataclass(frozen=True)
class ImportSource:
    """Where explanations come from; one row of provenance a source."""

    method: str
    explainer: str
    author: str
    prompt_version: str = ""
    parameters_json: str = "{}"  # see `place_json`
    code_version: str = ""  # of what made the explanations; empty: not told


class Added(NamedTuple):
    """What became of the rows of one call."""

    ids: tuple[int, ...]  # of every row, in their order, new or there already
    new: int
    same: int


def place_json(name: str, sha256: str, form: str, more: Mapping[str, str] | None = None) -> str:
    """The parameters of an import's provenance: file name or address (without credentials), its sha256, its form.

    Nothing of this program's version or the day goes in: the same file imported again has to meet what is there.
    """
    said = {"imported_from": name, "sha256": sha256, "form": form, **(more or {})}
    return json.dumps(
        {key: value for key, value in said.items() if value}, ensure_ascii=False, sort_keys=True
    )


def claims(parameters_json: str) -> Mapping[str, str]:
    """What was claimed of an imported score; nothing for one that was computed here."""
    return _said(parameters_json) or {}


def is_imported(parameters_json: str) -> bool:
    """Whether a score with these parameters came with its explanation."""
    return _said(parameters_json) is not None


@lru_cache(maxsize=1024)
def _said(parameters_json: str) -> Mapping[str, str] | None:
    """Thousands of imported scores share a few parameters."""
    if f'"{IMPORTED}"' not in parameters_json:
        return None
    said = json.loads(parameters_json)
    if not said.get(IMPORTED):
        return None
    return MappingProxyType({key: value for key, value in said.items() if key != IMPORTED})

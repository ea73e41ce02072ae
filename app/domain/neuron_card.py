"""A neuron on one page: what it fires on, what is said of it, how well that predicts it, and a hash of it all."""

import hashlib
import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class CardExcerpt:
    """One activation record. T tokens."""

    use: str  # "shown to the explainer", or "held out" with its kind
    document: str
    first_token: int  # where it begins in the document; -1 where imported data does not tell
    tokens: tuple[str, ...]  # [T] made visible, see `Vocabulary.shown`
    token_ids: tuple[int, ...]  # [T]
    activations: tuple[float, ...]  # [T] signed

    def peak(self, sign: int) -> int:
        """Where it is strongest in the direction that is explained."""
        return max(range(len(self.activations)), key=lambda i: sign * self.activations[i])


@dataclass(frozen=True)
class CardScore:
    """One metric's newest value under the card's protocol, or the state that says why there is none."""

    metric: str
    sample: str
    state: str
    value: float | None
    low: float | None
    high: float | None
    records: int
    documents: int
    simulator: str
    reason: str


@dataclass(frozen=True)
class CardExplanation:
    """The statement, with where it comes from."""

    id: int
    text: str
    polarity: str
    method: str
    explainer: str
    prompt_version: str
    messages_hash: str
    seed: int
    author: str
    created_at: str  # ISO 8601, UTC


@dataclass(frozen=True)
class Card:
    """Everything on the card. Whatever it says is in its hash."""

    model: str
    slug: str
    revision: str
    family: str
    layer: str
    layer_ordinal: int
    index: int
    corpus: str
    excerpts: int  # of the corpus
    collected_at: str  # ISO 8601, UTC; empty where it is not told
    maximum: float | None
    minimum: float | None
    density: float | None
    explanation: CardExplanation | None
    protocol: str
    scores: tuple[CardScore, ...]
    records: tuple[CardExcerpt, ...]
    software: str

    @property
    def name(self) -> str:
        """`8:101 in SmolLM2-135M-Instruct`."""
        return f"{self.layer_ordinal}:{self.index} in {self.model}"

    @property
    def sign(self) -> int:
        """-1 where the explanation is of the negative side."""
        return -1 if self.explanation is not None and self.explanation.polarity == "negative" else 1

    @property
    def largest(self) -> float:
        """The largest activation in size on the card; 0 without any."""
        return max((abs(a) for record in self.records for a in record.activations), default=0.0)

    @property
    def path(self) -> str:
        """The neuron's address within any viewer that has the model."""
        return f"/m/{self.slug}/{self.layer}/{self.index}"

    def canonical(self) -> str:
        """The card as JSON in one fixed form: keys sorted, no blanks, numbers as Python writes them."""
        return json.dumps(
            asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        )

    def hash(self) -> str:
        """sha256 of `canonical`, hexadecimal."""
        return hashlib.sha256(self.canonical().encode("utf-8", "surrogatepass")).hexdigest()

    def citation(self) -> str:
        """How to refer to this card in a text."""
        said = ""
        if self.explanation is not None:
            by = f" by {self.explanation.explainer}" if self.explanation.explainer not in ("", "none") else ""
            said = f" Explanation {self.explanation.id} ({self.explanation.method}{by}, {self.explanation.created_at[:10]})."
        when = f", collected {self.collected_at[:10]}" if self.collected_at else ""
        return (
            f"Neuron {self.name} (revision {self.revision[:12]}) over {self.corpus}, {self.excerpts:,} excerpts{when}.{said} "
            f"{self.software}, neuron card sha256:{self.hash()[:16]}."
        )

"""What the neuron page's templates are given."""

from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup

from app.domain.neurons import Statistics
from app.store.rows import JobRow
from app.web.contexts import Chrome
from app.web.heatmap import Painted
from app.web.relation_views import RelatedView


class Excerpt(NamedTuple):
    """One exemplar."""

    ordinal: int
    painted: Painted
    gates: str  # hex of packed bits, empty where the model is not gated
    peak: float
    source: str  # the document's name
    start: int  # index of the first token within its document; -1 where there is no document
    use: str  # what its document is used for: "explain", "dev", "held out"; empty for imported data
    folded: int  # duplicates folded into this one
    label: str  # "simulated", "actual" in comparisons, else empty


class Sentence(NamedTuple):
    """One sentence of a puzzle, whole."""

    peak: float
    html: Markup
    values: str  # hex, as in excerpt rows
    wide: bool
    indented: bool  # begins with a blank


class Section(NamedTuple):
    """Exemplars of one kind."""

    title: str
    note: str
    rows: bytes  # list items, see excerpt_rows
    more: str  # address that shows all of them, or empty
    available: int


class Value(NamedTuple):
    """One token's value, for the list of an excerpt's values."""

    position: int
    token: Markup
    value: float
    gate: str  # "+", "−" or empty


class Choice(NamedTuple):
    """A link or an option of a form."""

    label: str
    value: str
    current: bool
    hint: str = ""


class TopToken(NamedTuple):
    """A token with the neuron's mean activation there."""

    token: Markup
    level: int
    mean: float
    seen: int
    id: int


class Share(NamedTuple):
    """The share of one combination of signs of gate and input."""

    key: str
    name: str
    share: float
    offset: float  # sum of the shares before it


class Shown(NamedTuple):
    """A score as it stands beside an explanation."""

    value: float | None
    interval: Markup
    words: str  # what it is, or why there is none
    also: str  # the companion on random records
    indicative: bool
    reason: str
    trust: Markup = Markup("")  # the mark of a metric that fails the trust checks


class ExplanationItem(NamedTuple):
    """One explanation in the neuron page's list."""

    id: int
    text: str
    failed: bool
    reason: str
    negative: bool
    method: str
    explainer: str
    scored_by: str
    when: str
    when_exact: str
    author: str
    usage: str
    score: Shown
    best: bool
    fresh: bool
    compare: str  # address of the comparison, empty where nothing was simulated
    job_id: str


@dataclass(frozen=True)
class ExplanationList:
    """`_explanations.html`."""

    items: tuple[ExplanationItem, ...]
    protocols: tuple[Choice, ...]
    caveat: str
    here: str  # path of the neuron
    score_choices: Markup  # `_score_choices.html`
    scorable: bool  # there are records to score on
    together: str = ""  # address of the comparison of all of them; empty with fewer than two


@dataclass(frozen=True)
class ScoreChoices:
    """`_score_choices.html`: how a score can be made, whatever the explanation."""

    simulators: tuple[Choice, ...]
    protocols: tuple[Choice, ...]
    endpoints: tuple[Choice, ...]
    judges: tuple[Choice, ...] = ()  # metrics that a language model judges


@dataclass(frozen=True)
class ExplainForm:
    """What may be chosen when explaining again."""

    here: str
    method_groups: tuple[tuple[str, tuple[Choice, ...]], ...]
    explainers: tuple[Choice, ...]
    polarities: tuple[Choice, ...]
    simulators: tuple[Choice, ...]
    endpoints: tuple[Choice, ...]
    protocols: tuple[Choice, ...]
    cut_offs: tuple[Choice, ...]
    maxima: tuple[Choice, ...]
    bands: tuple[Choice, ...]
    token_sources: tuple[Choice, ...]

    @property
    def methods(self) -> tuple[Choice, ...]:
        return tuple(choice for _, choices in self.method_groups for choice in choices)


@dataclass(frozen=True)
class ExemplarBar:
    """`_exemplar_bar.html`: which exemplars, and how they are shown."""

    tabs: tuple[Choice, ...]
    scales: tuple[Choice, ...]
    contexts: tuple[Choice, ...]
    breaks: Choice
    duplicates: Choice


@dataclass(frozen=True)
class Live:
    """`_live.html`: a job under way or ended, followed by server-sent events."""

    job: JobRow | None
    events: str  # address of the stream, empty when the job has ended
    here: str
    nobody: bool  # it has not ended, and no worker is alive to see to that


@dataclass(frozen=True)
class ScoringPrice:
    """`_score_price.html`: about what a score would take; no endpoint where no language model is asked."""

    problem: str
    endpoint: str
    calls: int
    tokens: int  # of prompts and the longest answers
    price_usd: float


@dataclass(frozen=True)
class ScorePreviewFragment:
    """`_score_preview.html`."""

    scoring: ScoringPrice


@dataclass(frozen=True)
class PreviewFragment:
    """`_preview.html`: what would be sent, and for how much."""

    problem: str
    free: bool
    tokens: int
    exact: bool
    price_usd: float
    endpoint: str
    messages: tuple[tuple[str, str], ...]  # role, content
    scoring: ScoringPrice | None  # None where nothing is to be scored
    candidates: int = 1  # `tokens` are of one, `price_usd` is of all
    choosing: ScoringPrice | None = None  # None where there is one candidate only
    unread: bool = False  # tokens come from the model's weights, which are read when it runs


@dataclass(frozen=True)
class PreviewPage:
    """`preview.html`: the same as a page of its own."""

    chrome: Chrome
    here: str
    name: str
    preview: PreviewFragment


@dataclass(frozen=True)
class PuzzleBeside:
    """What a puzzle looks for, hidden until it is asked for."""

    name: str
    truth: str
    false: tuple[str, ...]
    source: str
    address: str  # of its set


@dataclass(frozen=True)
class NeuronPage:
    """`neuron.html`."""

    chrome: Chrome
    model: str
    model_name: str
    layer: str
    layer_ordinal: int
    index: int
    here: str
    previous: int | None
    next: int | None
    above: str  # address in the layer above, or empty
    below: str
    statistics: Statistics
    deviation: float
    histogram: Markup
    position0: bool
    shares: tuple[Share, ...]
    bar: Markup  # `_exemplar_bar.html`, the same for every neuron that is looked at in this way but for its address
    sections: tuple[Section, ...]
    values: tuple[Value, ...]
    values_note: str
    top_tokens: tuple[TopToken, ...]
    explanations: ExplanationList
    chosen: int | None  # the explanation that "score again" begins with
    form: Markup  # `_explain_form.html`, the same for every neuron but for its address
    live: Live
    carried: str  # what of the view goes along to a neighbour
    permalink: str  # address of what is shown
    api: str
    imported: bool
    bare: bool  # only explanations of it were imported
    measured: bool  # it has records of a collection or of a file of activations, and statistics
    related: tuple[RelatedView, ...]
    sentences: tuple[Sentence, ...]  # of a puzzle
    puzzle: PuzzleBeside | None  # what it is, where it is one of a set


@dataclass(frozen=True)
class LiveFragment:
    """`_live.html`, `_progress.html` and `_result.html` on their own."""

    live: Live


@dataclass(frozen=True)
class ProblemFragment:
    """`_problem.html`: an error inside a stream that has begun."""

    message: str


@dataclass(frozen=True)
class ExplainFragment:
    """`_explain_form.html`."""

    form: ExplainForm

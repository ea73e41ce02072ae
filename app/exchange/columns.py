"""Rows with named columns: which column is which, and a row -> an explanation with where it comes from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from app.domain.explanations import COMPUTED_METRICS, Metric, Protocol
from app.domain.imported import NOT_TOLD, Examples, ImportedExplanation
from app.errors import BadInput
from app.exchange import sequences, values
from app.exchange.files import Row, shown

# What files call it, the likeliest first. Compared without case, blanks as underscores.
ALIASES: Mapping[str, tuple[str, ...]] = {
    "layer": ("layer", "layer_index", "layer_idx", "layer_number"),
    "neuron": ("neuron", "neuron_index", "neuron_idx", "index", "idx", "unit", "feature", "latent"),
    "explanation": ("explanation", "description", "text", "statement"),
    "score": ("score", "ev_correlation_score", "correlation_score"),
    "scores": ("scores",),
    "method": ("method", "typename"),
    "explainer": ("explainer", "explainer_model", "explanation_model", "explanationmodelname"),
    "author": ("author",),
    "prompt_version": ("prompt_version",),
    "code_version": ("code_version",),
    "polarity": ("polarity",),
    "created": ("created", "created_at", "createdat"),
    "model": ("model", "model_id", "modelid"),
    **{metric.value: (metric.value,) for metric in Metric},
}
NEEDED = ("layer", "neuron", "explanation")
METHOD = "import"
SIMULATED = "explanation"  # the column that simulated values beside it are from


class Source(NamedTuple):
    """Who made an explanation, and how."""

    method: str
    explainer: str
    author: str
    prompt_version: str = ""
    code_version: str = ""


class Given(NamedTuple):
    """One row that can be used."""

    line: int
    model: str  # as the file calls it; empty where it does not
    source: Source
    explanation: ImportedExplanation
    notes: tuple[str, ...] = ()
    examples: Examples | None = None  # texts with activations that came with it


class Skipped(NamedTuple):
    """One row that cannot, or what was left out of one that can."""

    line: int
    reason: str


@dataclass(frozen=True)
class Wishes:
    """What a person says of a file that does not say it itself."""

    method: str = ""
    explainer: str = ""
    author: str = ""
    metric: Metric = Metric.CORRELATION
    protocol: Protocol = Protocol.AS_IMPORTED
    columns: Mapping[str, str] = field(default_factory=dict)  # our name -> the file's

    def __post_init__(self) -> None:
        if self.protocol not in (Protocol.BILLS_5_5, Protocol.AS_IMPORTED):
            raise BadInput(
                f"{self.protocol} is of scores that were computed here: imported ones are bills-5+5 or as-imported"
            )
        if self.protocol is Protocol.BILLS_5_5 and self.metric not in COMPUTED_METRICS:
            raise BadInput(f"bills-5+5 has no {self.metric}: choose as-imported")
        for ours in self.columns:
            if ours not in ALIASES:
                raise BadInput(f"there is no “{ours}” to name a column for; there are {', '.join(ALIASES)}")


def find(names: list[str], chosen: Mapping[str, str]) -> dict[str, str]:
    """Our names -> the file's. BadInput where one that is needed is missing, or a chosen one is not there."""
    there = {plain(name): name for name in names}
    found: dict[str, str] = {}
    for ours, aliases in ALIASES.items():
        wanted = (plain(chosen[ours]),) if ours in chosen else aliases
        hit = next((there[alias] for alias in wanted if alias in there), None)
        if hit is not None:
            found[ours] = hit
        elif ours in chosen:
            raise BadInput(f"there is no column “{shown(chosen[ours])}”; there are {_listed(names)}")
    missing = [ours for ours in NEEDED if ours not in found]
    if missing:
        raise BadInput(
            f"no column for {' and '.join(missing)}; there are {_listed(names)}. Name it with --columns {missing[0]}=THEIRS"
        )
    return found


def read(rows: Iterator[Row], wishes: Wishes, *, fixed: bool) -> Iterator[Given | Skipped]:
    """Explanations out of rows. `fixed`: every row has the columns of the first, as in a table."""
    found: dict[str, str] | None = None
    seen: tuple[str, ...] = ()
    for row in rows:
        if found is None or (not fixed and tuple(row.values) != seen):
            try:
                found = find(list(row.values), wishes.columns)
            except BadInput as error:
                if fixed or not seen:  # the first row speaks for the file
                    raise
                yield Skipped(row.line, str(error))
                found = None
                continue
            seen = tuple(row.values)
        try:
            yield given(row, found, wishes, blank_is_none=fixed)
        except values.Problem as problem:
            yield Skipped(row.line, str(problem))


def given(row: Row, found: Mapping[str, str], wishes: Wishes, *, blank_is_none: bool) -> Given:
    """One row. `blank_is_none`: an empty cell of a score is no score, as in CSV. Raises Problem."""

    def cell(ours: str) -> Any:
        name = found.get(ours)
        return None if name is None else row.values.get(name)

    scores, notes = values.scores(cell("scores"))
    if "scores" not in found:
        for ours, metric in [("score", wishes.metric), *((m.value, m) for m in Metric)]:
            if ours not in found or found[ours] not in row.values:
                continue
            value = cell(ours)
            if blank_is_none and isinstance(value, str) and not value.strip():
                continue
            computed = metric in COMPUTED_METRICS
            protocol = wishes.protocol if computed else Protocol.AS_IMPORTED
            scores = (*scores, values.score(value, metric, protocol))
    source = Source(
        wishes.method or values.word(cell("method"), METHOD) or METHOD,
        wishes.explainer or values.word(cell("explainer"), NOT_TOLD),
        wishes.author or values.word(cell("author"), NOT_TOLD),
        values.word(cell("prompt_version"), ""),
        values.word(cell("code_version"), ""),
    )
    explanation = ImportedExplanation(
        values.layer(cell("layer")),
        values.index(cell("neuron")),
        values.text(cell("explanation")),
        values.polarity(cell("polarity")),
        scores,
        values.moment(cell("created")),
    )
    examples, left_out = sequences.examples(row.values)
    if examples is not None and examples.simulation is not None and found["explanation"] != SIMULATED:
        examples = replace(examples, simulation=None)
        left_out = (
            *left_out,
            f"its simulated values were left out: they are not from “{shown(found['explanation'])}”",
        )
    return Given(row.line, values.word(cell("model"), ""), source, explanation, (*notes, *left_out), examples)


def plain(name: str) -> str:
    """A column's name as it is compared."""
    return name.strip().lower().replace(" ", "_")


def _listed(names: list[str]) -> str:
    listed = ", ".join(shown(name) for name in names[:20])
    return (listed or "none") + (f" and {len(names) - 20} more" if len(names) > 20 else "")

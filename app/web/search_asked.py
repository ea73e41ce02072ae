"""The query string of a search: what it holds, and what the store is asked for it."""

import math
import re
from collections.abc import Collection, Sequence
from urllib.parse import parse_qsl, urlsplit

from pydantic import BaseModel, ConfigDict, Field

from app.domain import text_query
from app.domain.neurons import Polarity
from app.errors import BadInput
from app.store.list_rows import Key
from app.store.neuron_columns import LayerAt
from app.store.search import Range, SearchSort, Wanted
from app.web import measures
from app.web.measures import Measure

MODES = ("text", "meaning", "both")
# Sorts of which the smallest values come first unless the address says otherwise.
RISING = (SearchSort.INDEX, SearchSort.MINIMUM)
LONGEST = 8_000  # characters of a query string
_RANGE = re.compile(r"[0-9]{1,6}-[0-9]{1,6}")
_SHOWN = 60


class Asked(BaseModel):
    """Everything that an address of a search may say; all of it together must hold. What is empty is not asked for."""

    model_config = ConfigDict(frozen=True)

    model: str = Field(default="", description="The model's slug; the first one that has neurons if empty.")
    q: str = Field(
        default="",
        description='Words in explanations: `store`, `"the store"`, `stor*`, `-store`; all must be there.',
    )
    mode: str = Field(default="", description="How `q` is searched: text, meaning or both; text if empty.")
    token: str = Field(
        default="",
        description="Neurons that fire on this token: its text, with its leading space, or # and its id.",
    )
    layers: str = Field(default="", description="Ordinals, ranges and slugs with commas: `0-5,7` or `5-mlp`.")
    measure: str = Field(
        default="", description="The score, as protocol.sample.metric: see the model's measures."
    )
    min: str = Field(default="", description="Lowest score by the measure.")
    max: str = Field(default="", description="Highest score by the measure; `<0.4`: below it.")
    best: str = Field(
        default="",
        description="1: `min` and `max` are of the neuron's best score by the measure, whichever explanation has it.",
    )
    method: str = Field(default="", description="Of the explanation: summary, original, token_lookup …")
    explainer: str = Field(
        default="", description="Of the explanation, as the API has it: `endpoint / model`."
    )
    polarity: str = Field(default="", description="Which side the explanation is of: positive or negative.")
    density_min: str = Field(
        default="", description="Least share of tokens on which the neuron fires strongly."
    )
    density_max: str = Field(
        default="", description="Greatest share of tokens on which the neuron fires strongly."
    )
    kurtosis_min: str = Field(default="", description="Least kurtosis; a normal distribution has 3.")
    kurtosis_max: str = Field(default="", description="Greatest kurtosis.")
    has: str = Field(
        default="",
        description="`explanation` (any but token lookup), or methods with commas: neurons that have one.",
    )
    lacks: str = Field(default="", description="The same for neurons that have none.")
    list: str = Field(
        default="", description="A list, by its word in addresses or its id: neurons that are in it."
    )
    sort: str = Field(
        default="",
        description="index, score, gain (score minus token lookup's), relevance, token, token_mean or a statistic.",
    )
    order: str = Field(default="", description="up or down; what is usual for the sort if empty.")
    cursor: str = Field(default="", description="`next` or `previous` of another page.")

    def address(self, path: str = "/search", **changed: str | None) -> str:
        """The address that asks for this with some things changed; what is empty is left out."""
        said = {**self.model_dump(include=set(Asked.model_fields)), **changed}
        return measures.address(path, **said)

    @property
    def narrow(self) -> bool:
        """Whether anything but an order and a model is asked for."""
        order = {"model", "measure", "sort", "order", "cursor", "mode"}
        return any(self.model_dump(exclude=order).values())


def wanted(
    asked: Asked,
    layers: Sequence[LayerAt],
    measure: Measure,
    token: int | None,
    ranked: tuple[int, ...] | None,
    members: Collection[Key] | None,
) -> Wanted:
    """What the store is asked. Raises BadInput that names what cannot be read and says what could."""
    query = text_query.parse(asked.q) if asked.q.strip() and mode(asked) != "meaning" else None
    by = sort(asked, text=query is not None, ranked=ranked is not None, token=token is not None)
    return Wanted(
        text=query,
        ranked=ranked,
        token=token,
        layers=_layers(asked.layers, layers),
        protocol=measure.protocol,
        sample=measure.sample,
        metric=measure.metric,
        score=_range(asked.min, asked.max, "score"),
        method=asked.method or None,
        explainer=asked.explainer or None,
        polarity=_polarity(asked.polarity),
        density=_shares(asked.density_min, asked.density_max),
        kurtosis=_range(asked.kurtosis_min, asked.kurtosis_max, "kurtosis"),
        has=_kinds(asked.has),
        lacks=_kinds(asked.lacks),
        members=members,
        best=_flag(asked.best, "best"),
        sort=by,
        descending=descending(asked, by),
    )


def mode(asked: Asked) -> str:
    """How words are searched. Raises BadInput."""
    if asked.mode and asked.mode not in MODES:
        raise BadInput(f"“{asked.mode[:_SHOWN]}” is no way to search: there is {', '.join(MODES)}")
    return asked.mode or "text"


def sort(asked: Asked, *, text: bool, ranked: bool, token: bool) -> SearchSort:
    """What is sorted by: as the address says, else what suits what is asked. Raises BadInput."""
    if not asked.sort:
        usual = ((ranked, SearchSort.RELEVANCE), (token, SearchSort.TOKEN), (text, SearchSort.SCORE))
        return next((by for holds, by in usual if holds), SearchSort.INDEX)
    try:
        return SearchSort(asked.sort)
    except ValueError:
        raise BadInput(
            f"neurons cannot be sorted by “{asked.sort[:_SHOWN]}”: there is {', '.join(SearchSort)}"
        ) from None


def descending(asked: Asked, by: SearchSort) -> bool:
    """Whether the largest come first. Raises BadInput."""
    if asked.order not in ("", "up", "down"):
        raise BadInput(f"a list is sorted up or down, not “{asked.order[:_SHOWN]}”")
    return asked.order == "down" if asked.order else by not in RISING


def parse(text: str) -> Asked:
    """The search of a query string, or of a whole address of a search. BadInput names what no search has."""
    text = text.strip()
    query = urlsplit(text).query if "?" in text else text.removesuffix("/search")
    if len(query) > LONGEST:
        raise BadInput(f"an address of a search has at most {LONGEST:,} characters")
    try:
        said = dict(parse_qsl(query, strict_parsing=bool(query), max_num_fields=100))
    except ValueError:
        raise BadInput(
            f"“{query[:_SHOWN]}” is no search: copy what stands behind the ? of its address"
        ) from None
    unknown = sorted(set(said) - set(Asked.model_fields) - {"limit"})
    if unknown:
        raise BadInput(f"a search has no “{unknown[0][:_SHOWN]}”: there is {', '.join(Asked.model_fields)}")
    return Asked.model_validate({**said, "cursor": ""})


def _flag(text: str, what: str) -> bool:
    if text not in ("", "0", "1"):
        raise BadInput(f"“{what}” is 1 or nothing, not “{text[:_SHOWN]}”")
    return text == "1"


def _layers(text: str, layers: Sequence[LayerAt]) -> frozenset[str] | None:
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        return None
    chosen: set[str] = set()
    for word in words:
        low, high = -1, -1
        if word.isascii() and word.isdecimal() and len(word) <= 6:
            low = high = int(word)
        elif _RANGE.fullmatch(word):
            low, high = (int(end) for end in word.split("-"))
        found = {layer.slug for layer in layers if low <= layer.ordinal <= high or layer.slug == word}
        if not found:
            there = f"{layers[0].slug} to {layers[-1].slug}" if layers else "none"
            raise BadInput(
                f"there is no layer “{word[:_SHOWN]}”: write ordinals and ranges, such as 0-5,7 (there is {there})"
            )
        chosen |= found
    return frozenset(chosen)


def _range(low: str, high: str, what: str) -> Range:
    below = high.strip().startswith("<")
    ends = Range(_number(low, what), _number((high.strip()[1:] or "<") if below else high, what))
    if below and ends.high is not None:
        ends = Range(ends.low, math.nextafter(ends.high, -math.inf))
    if ends.low is not None and ends.high is not None and ends.low > ends.high:
        raise BadInput(f"no {what} is from {low.strip()} to {high.strip()}: give the smaller number first")
    return ends


def _shares(low: str, high: str) -> Range:
    found = _range(low, high, "density")
    for text, value in ((low, found.low), (high, found.high)):
        if value is not None and not 0 <= value <= 1:
            raise BadInput(
                f"“{text[:_SHOWN]}” is no density, which is a share of tokens from 0 to 1: write 0.05 for 5 %"
            )
    return found


def _number(text: str, what: str) -> float | None:
    if not text.strip():
        return None
    try:
        value = float(text.strip().replace("−", "-").replace(",", ".")) if len(text) <= 40 else math.nan
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BadInput(f"“{text[:_SHOWN]}” is no {what}: write a number such as 0.3")
    return value


def _polarity(text: str) -> Polarity | None:
    if not text:
        return None
    try:
        return Polarity(text)
    except ValueError:
        raise BadInput(f"“{text[:_SHOWN]}” is no side of a neuron: there is {', '.join(Polarity)}") from None


def _kinds(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))

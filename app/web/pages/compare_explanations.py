"""The compare page of several explanations of one neuron."""

from collections.abc import Sequence
from string import ascii_uppercase

import numpy as np
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from app.domain.explanations import State
from app.store import Store
from app.store.explanation_rows import ScoreRow
from app.web import charts, compare_address, compare_explanations, measures, trust_marks, wording
from app.web.compare_contexts import (
    Block,
    CellScore,
    CompareExplanationsPage,
    HeatLine,
    MeasureLine,
    PairLine,
    Statement,
)
from app.web.compare_explanations import Explanations, OnExcerpt, Pair
from app.web.explanation_items import item, path_of
from app.web.formats import plural
from app.web.heat_lines import line, missing, place_of
from app.web.model_cache import ModelCache
from app.web.neuron_view import View
from app.web.rendering import chrome, page
from app.web.score_words import basis

BLOCKS = 10  # excerpts shown before "all"


def answer(
    request: Request, store: Store, facts_of: ModelCache, ids: Sequence[int], *, more: bool
) -> HTMLResponse:
    """Raises NotFound and BadInput that say what is wrong with these explanations."""
    found = compare_explanations.look(store, facts_of, ids)
    name = f"{found.ordinal}:{found.ref.index}"
    shown = found.excerpts if more else found.excerpts[:BLOCKS]
    letters = ascii_uppercase[: len(ids)]
    predicted = sum(each is not None for each in found.predicted)
    context = CompareExplanationsPage(
        chrome(request, f"Explanations of {name} compared", "browse", found.ref.model),
        name,
        path_of(found.ref),
        tuple(_statement(found, i, ids) for i in range(len(ids))),
        bool(len(found.sheet.records)),
        tuple(_measure(each) for each in found.measures),
        tuple(_pair(each, letters) for each in found.pairs),
        ""
        if found.pairs
        else "No two of these were scored on the same records by a simulation that is stored here, so no paired difference can be given.",
        tuple(_block(found, each, letters) for each in shown) if predicted else (),
        len(found.excerpts),
        compare_address.of_explanations(ids, more="1") if len(found.excerpts) > len(shown) else "",
        f"/api/v1{compare_address.of_explanations(ids)}",
    )
    return page("compare_explanations.html", context)


def _statement(found: Explanations, i: int, ids: Sequence[int]) -> Statement:
    predicted = found.predicted[i]
    units = ""
    if predicted is not None:
        units = "in the neuron’s own units" if predicted.own_scale else "on the 0–10 scale"
    others = [each for each in ids if each != ids[i]]
    return Statement(
        ascii_uppercase[i],
        item(found.rows[i], View()),
        predicted.by if predicted is not None else "",
        units,
        compare_address.of_explanations(others) if len(others) >= compare_address.FEWEST else "",
    )


def _measure(row: compare_explanations.MeasureRow) -> MeasureLine:
    measure: measures.Measure = row.measure
    return MeasureLine(
        measure.protocol.value,
        wording.SAMPLES[measure.sample],
        wording.METRICS[measure.metric],
        tuple(tuple(_cell(score) for score in cell) for cell in row.cells),
        trust_marks.html(*measure),
    )


def _cell(row: ScoreRow) -> CellScore:
    score = row.value
    defined = score.state is State.OK and score.value is not None
    return CellScore(
        score.value,
        charts.interval(score.value, score.low, score.high)
        if defined and score.value is not None
        else Markup(""),
        wording.simulated_by(row.simulator, row.simulator_model),
        plural(score.n_records, "record") if score.n_records else "records not told",
        "" if defined else ". ".join(filter(None, (wording.STATES[score.state], score.reason))),
        score.indicative,
        basis(score),
    )


def _pair(pair: Pair, letters: str) -> PairLine:
    found = pair.found
    by = pair.by[0] if pair.by[0] == pair.by[1] else f"{pair.by[0]}; {pair.by[1]}"
    values = None if found.first is None or found.second is None else (found.first, found.second)
    return PairLine(
        letters[pair.first],
        letters[pair.second],
        pair.protocol.value,
        values,
        found.difference or 0.0,
        found.low,
        found.high,
        found.low is not None and found.high is not None and (found.low > 0 or found.high < 0),
        found.n_records,
        found.indicative,
        by,
        "" if found.state is State.OK else wording.STATES[found.state],
    )


def _block(found: Explanations, excerpt: OnExcerpt, letters: str) -> Block:
    signs = [row.polarity.sign for row in found.rows]
    largest = np.float32(np.abs(found.sheet.records.activations).max(initial=0))
    if excerpt.actual is None:
        lines: list[HeatLine] = [missing("actual", "no record of this excerpt is stored")]
    else:
        largest = max(largest, np.float32(np.abs(excerpt.actual).max()))
        peak = int(np.abs(excerpt.actual).argmax())
        lines = [line(found.facts, "actual", "", excerpt.tokens, excerpt.actual, largest, peak)]
    for letter, sign, expected, predicted in zip(
        letters, signs, excerpt.expected, found.predicted, strict=True
    ):
        if predicted is None:
            continue
        if expected is None:
            lines.append(missing(letter, "not simulated on this excerpt"))
            continue
        full = largest if predicted.own_scale else np.float32(10)
        peak = int(np.abs(expected).argmax())
        values = (expected * sign).astype(np.float32)
        lines.append(line(found.facts, letter, "", excerpt.tokens, values, full, peak, simulated=True))
    source, start = place_of(found.facts, excerpt.ordinal)
    return Block(source, start, tuple(lines))

"""What was tried on the way to an explanation, as tables: one for each kind of step, in the order of their first.

A kind has a view of its own in `VIEWS`: a function from its steps' data to a `Tried`. A kind without one is shown as it is
stored, so that nothing that was tried is hidden.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from app.domain import candidates, probing
from app.domain.explanations import State, Step
from app.web import wording
from app.web.formats import number, plural


class Cell(NamedTuple):
    """One cell: plain text, or HTML that is safe already."""

    text: str = ""
    html: Markup | None = None
    numeric: bool = False
    strong: bool = False
    soft: bool = False


class Heading(NamedTuple):
    """One column."""

    text: str
    numeric: bool = False


class Tried(NamedTuple):
    """One table of `_steps.html`."""

    title: str
    note: str
    headings: tuple[Heading, ...]
    rows: tuple[tuple[Cell, ...], ...]


Data = dict[str, Any]  # of one step, by kind
View = Callable[[Sequence[Data]], Tried]


def tried(steps: Sequence[Step]) -> tuple[Tried, ...]:
    """The tables of these steps."""
    kinds = list(dict.fromkeys(step.kind for step in steps))
    tables = []
    for kind in kinds:
        mine = [json.loads(step.data_json) for step in steps if step.kind == kind]
        view = VIEWS.get(kind)
        tables.append(view(mine) if view is not None else _as_stored(kind, mine))
    return tuple(tables)


def _as_stored(kind: str, steps: Sequence[Data]) -> Tried:
    rows = tuple(
        (Cell(str(i), numeric=True), Cell(json.dumps(data, ensure_ascii=False)))
        for i, data in enumerate(steps, 1)
    )
    return Tried(
        wording.name(kind).capitalize(), "", (Heading("", numeric=True), Heading("what was kept of it")), rows
    )


def _candidates(steps: Sequence[Data]) -> Tried:
    headings = ("", "statement", "correlation on dev", "predicted by")
    rows = []
    for i, step in enumerate(steps, 1):
        dev = step["dev"]
        if step["text"] is None:
            words = Cell(f"No statement: {step['reason']}", soft=True)
        else:
            words = Cell(step["text"], strong=step["kept"])
        if dev is None:
            score = Cell("–", numeric=True, soft=True)
        elif dev["value"] is None:
            said = filter(None, (wording.STATES[State(dev["state"])], dev["reason"]))
            score = Cell(". ".join(said), soft=True)
        else:
            score = Cell(number(dev["value"], 3), numeric=True, strong=step["kept"])
        by = "" if dev is None else wording.simulated_by(dev["simulator"], dev["simulator_model"])
        mark = Cell(f"{i}, kept" if step["kept"] else str(i), strong=step["kept"])
        rows.append((mark, words, score, Cell(by)))
    measured = [step["dev"]["records"] for step in steps if step["dev"] is not None]
    on = f"the neuron's {plural(max(measured), 'dev record')}" if measured else "the neuron's dev records"
    defined = any(step["dev"] is not None and step["dev"]["value"] is not None for step in steps)
    kept = (
        "the one with the best correlation there is kept, the first of equals"
        if defined
        else "none has a defined correlation there, so that the first is kept"
    )
    note = f"Each statement predicts {on}, none of which is scored on; {kept}."
    return Tried(
        plural(len(steps), "candidate"),
        note,
        tuple(Heading(text, numeric=i == 2) for i, text in enumerate(headings)),
        tuple(rows),
    )


def _rejected(steps: Sequence[Data]) -> Tried:
    rows = tuple(
        (Cell(step["asked"]), Cell(step["reason"]), Cell(step["answer"], soft=True)) for step in steps
    )
    headings = tuple(Heading(text) for text in ("asked for", "why it is none", "what was answered"))
    return Tried(plural(len(steps), "answer") + " that could not be used", "", headings, rows)


VIEWS: dict[str, View] = {candidates.KIND: _candidates, probing.REJECTED: _rejected}

"""Every maker's explanations of a model against one maker's, by similarity, with the chance floor (LEE, Table 3). Asks nobody."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from app.domain import text_similarity as alike
from app.domain.embeddings import Embedder, unit
from app.domain.neurons import Float64, Polarity
from app.domain.text_similarity import Owners, Summary
from app.errors import BadInput
from app.jobs import embedders
from app.settings import Settings
from app.store import Store, semantic, statements
from app.store.statements import Made, Maker, Statement

Slot = tuple[int, Polarity]  # a neuron's one sign


class Line(NamedTuple):
    """One maker against the reference."""

    maker: Maker
    explanations: int  # compared: a neuron may have been explained several times
    left_out: int  # neurons without a statement of the reference's
    not_embedded: int  # neurons of which a statement, its own or the reference's, has no vector yet
    summary: Summary | None  # over neurons; None where there are too few, see `why`
    why: str


@dataclass(frozen=True)
class Table:
    """What was compared, by whom, and what came of it."""

    model: str
    reference: Maker
    embedder: Embedder
    references: int  # neurons, each sign for itself, with a statement of the reference's
    several: int  # of them with more than one: the newest counts
    lines: tuple[Line, ...]

    @property
    def not_embedded(self) -> int:
        return sum(line.not_embedded for line in self.lines)


def key(maker: Maker) -> str:
    """How a maker is named in addresses and on the command line: `summary:endpoint / model`, or the method alone."""
    return maker.method if maker.explainer in ("", "none") else f"{maker.method}:{maker.explainer}"


def find(made: list[Made], wanted: str) -> list[Maker]:
    """The makers of this name: one by its key, or all that use a method. BadInput that says whom there is."""
    found = [each.maker for each in made if wanted in (key(each.maker), each.maker.method)]
    if not found:
        there = ", ".join(f"“{key(each.maker)}”" for each in made) or "nobody yet"
        raise BadInput(f"Nobody explained this model's neurons by “{wanted}”. There is: {there}.")
    return found


def one(made: list[Made], wanted: str) -> Maker:
    """The one maker of this name. BadInput where several use the method."""
    found = find(made, wanted)
    exact = [maker for maker in found if key(maker) == wanted]
    if len(exact or found) > 1:
        raise BadInput(
            f"“{wanted}” was used with several explainers, and the reference has to be one:"
            f" {', '.join(f'“{key(maker)}”' for maker in found)}."
        )
    return (exact or found)[0]


def table(
    store: Store, settings: Settings, slug: str, reference: Maker, others: list[Maker], seed: int = 0
) -> Table:
    """The table, from the vectors that are stored. BadInput where nothing is set up that embeds, NotFound for the model.

    A statement is compared with the reference's newest one of the same neuron and sign. The floor of a maker's statements is over
    the references of the other neurons in the same line, exactly.
    """
    by = embedders.embedder(settings)
    others = [maker for maker in others if maker != reference]
    with store.session() as s:
        rows = statements.by_makers(s, slug, [reference, *others])
    ids = np.array([row.id for row in rows], np.int64)
    there, stored = semantic.vectors_for(store, slug, by, ids)
    # None of a dimension of its own where nothing is embedded yet.
    vectors = unit(stored).astype(np.float64) if len(stored) else np.zeros((0, 1))
    place = {id_: at for at, id_ in enumerate(ids[there].tolist())}
    mine = [row for row in rows if row.maker == reference]
    newest = {_slot(row): row for row in mine}  # the rows come oldest first
    return Table(
        slug,
        reference,
        by,
        len(newest),
        len({_slot(row) for row in mine if newest[_slot(row)] is not row}),
        tuple(
            _line(maker, [r for r in rows if r.maker == maker], newest, place, vectors, seed)
            for maker in others
        ),
    )


def missing(store: Store, settings: Settings, slug: str, reference: Maker, others: list[Maker]) -> list[int]:
    """Ids of the explanations that the table needs and that have no vector yet."""
    with store.session() as s:
        rows = statements.by_makers(s, slug, list(dict.fromkeys([reference, *others])))
    newest = {_slot(row): row for row in rows if row.maker == reference}
    compared = [row for row in rows if row.maker != reference and _slot(row) in newest]
    needed = {row.id for row in compared} | {newest[_slot(row)].id for row in compared}
    ids = np.array(sorted(needed), np.int64)
    there, _ = semantic.vectors_for(store, slug, embedders.embedder(settings), ids)
    return [int(id_) for id_ in ids[~there]]


def _slot(row: Statement) -> Slot:
    return row.neuron, row.polarity


def _line(
    maker: Maker,
    rows: list[Statement],
    newest: dict[Slot, Statement],
    place: dict[int, int],
    vectors: Float64,
    seed: int,
) -> Line:
    compared = [row for row in rows if _slot(row) in newest]
    left_out = len({row.neuron for row in rows}) - len({row.neuron for row in compared})
    whole = [row for row in compared if row.id in place and newest[_slot(row)].id in place]
    missing = len({row.neuron for row in compared}) - len({row.neuron for row in whole})
    neurons = len({row.neuron for row in whole})
    if neurons <= alike.FEWEST_OTHERS:
        why = f"{neurons} neurons to compare; a chance floor needs more than {alike.FEWEST_OTHERS}"
        return Line(maker, len(whole), left_out, missing, None, why)
    slots = sorted({_slot(row) for row in whole})
    references = vectors[[place[newest[slot].id] for slot in slots]]  # [R, D]
    of: Owners = np.array([neuron for neuron, _ in slots], np.int64)
    said = vectors[[place[row.id] for row in whole]]  # [N, D]
    owners: Owners = np.array([row.neuron for row in whole], np.int64)
    at = {slot: i for i, slot in enumerate(slots)}
    similarity = alike.cosine(said, references[[at[_slot(row)] for row in whole]])
    chance = alike.floors(said, owners, references, of)
    found = alike.summary(similarity, chance, owners, seed)
    return Line(maker, len(whole), left_out, missing, found, "")

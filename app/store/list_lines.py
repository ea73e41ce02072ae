"""What there is to say of the neurons of a list, of whatever models: tokens, the best explanation and its score."""

from collections.abc import Iterator, Sequence

from sqlalchemy import select

from app.domain.explanations import Metric, Protocol, Sample, State
from app.domain.list_files import Line
from app.store import kept_names, list_items, listing, names
from app.store import tables as t
from app.store.list_rows import Key, ListItem, ListLine
from app.store.rows import BestScore
from app.store.session import Session

# Of several measures a neuron is shown by the first that it has a value of: imported data has the last two alone.
MEASURES = (
    (Protocol.HELDOUT_FULL, Metric.CORRELATION, Sample.TOP_AND_RANDOM),
    (Protocol.HELDOUT_5_5, Metric.CORRELATION, Sample.TOP_AND_RANDOM),
    (Protocol.BILLS_5_5, Metric.CORRELATION, Sample.TOP_AND_RANDOM),
    (Protocol.AS_IMPORTED, Metric.CORRELATION, Sample.AS_IMPORTED),
)


def lines(s: Session, items: Sequence[ListItem]) -> list[ListLine]:
    """The same neurons in the same order."""
    by_layer: dict[int, list[int]] = {}
    for item in items:
        by_layer.setdefault(item.key.layer_id, []).append(item.key.neuron)
    parts = kept_names.visible_parts(s, by_layer)
    found: dict[Key, ListLine] = {}
    by_key = {item.key: item for item in items}
    for layer, indices in by_layer.items():
        part = parts.get(layer)
        said = newest(s, layer, indices)
        first = names.neuron_id(part, 0) if part is not None else 0
        tokens = listing.tokens_of(s, first, indices) if part is not None else {}
        there = kept_names.present(s, part, indices) if part is not None else set()
        best = _best(s, part, indices) if part is not None else {}
        for index in indices:
            key = Key(layer, index)
            chosen = best.get(index)
            text, method = (chosen.text, chosen.method) if chosen else said.get(index, ("", ""))
            found[key] = ListLine(by_key[key], index in there, tokens.get(index, ()), chosen, text, method)
    return [found[item.key] for item in items]


def written(s: Session, list_id: int) -> Iterator[Line]:
    """A whole list as it is written to files."""
    cursor = None
    while True:
        page = list_items.page(s, list_id, cursor, list_items.PAGE_MOST)
        for line in lines(s, page.items):
            item, best = line.item, line.best
            measure = f"{best.protocol}.{best.sample}.{best.metric}" if best else ""
            yield Line(
                item.ref.model,
                item.ref.layer,
                item.ref.index,
                item.note,
                item.author,
                item.added_at.isoformat(timespec="seconds"),
                line.text,
                line.method,
                best.value if best else None,
                measure,
            )
        cursor = page.next
        if cursor is None:
            return


def _best(s: Session, part: int, indices: list[int]) -> dict[int, BestScore]:
    found: dict[int, BestScore] = {}
    for protocol, metric, sample in MEASURES:
        left = [index for index in indices if index not in found]
        if not left:
            break
        scored = listing.best_of(s, part, left, protocol, metric, sample)
        found |= {index: row for index, row in scored.items() if row.value is not None}
    return found


def newest(s: Session, layer: int, indices: list[int]) -> dict[int, tuple[str, str]]:
    """The newest explanation of each neuron, with its method."""
    e = t.explanations.c
    query = (
        select(e.neuron, e.text, t.origins.c.method)
        .join(t.origins, t.origins.c.id == e.origin_id)
        .where(e.layer_id == layer, e.neuron.in_(indices), e.state == State.OK)
        .order_by(e.id)
    )
    return {row.neuron: (row.text, row.method) for row in s.execute(query)}

"""The proof that a score is held out: no document that an explanation's maker saw, nor a near-duplicate, is scored on.

Within one collection, near-duplicates share a cluster. A newer collection may cluster the same text with others, and put it
into another split, so that what was seen is known by its texts too: those of the documents seen and of all the near-duplicates
that they had then, held against the documents scored on and all the near-duplicates that those have now. Two near-duplicates
that no collection ever held together are not known to be ones: the store keeps hashes of whole documents, not their text.
"""

from collections.abc import Collection, Iterable, Sequence

import numpy as np
from sqlalchemy import Row, select

from app.domain.explanations import Protocol
from app.domain.neurons import NeuronRef, Split
from app.errors import BadInput, NotFound
from app.store import codec, excerpts, names
from app.store import tables as t
from app.store.explanation_rows import SeenProof
from app.store.session import Session

_SHOWN = 3
_EXEMPT = {Protocol.BILLS_5_5, Protocol.REFERENCE}
# In place of the excerpts that an explanation's maker saw, where nobody knows them: other people's explanations.
UNKNOWN = np.array([-1], "<i4").tobytes()


def listed(excerpts: bytes | None) -> tuple[int, ...]:
    """The ordinals in the column `excerpts`; none where nobody knows them, or where it stands for all explain records."""
    if excerpts is None or excerpts == UNKNOWN:
        return ()
    return tuple(np.frombuffer(excerpts, "<i4").tolist())


def seen_excerpts(s: Session, explanation_id: int) -> list[int]:
    """Ordinals of the excerpts that an explanation's maker saw, in the explanation's collection; none where unknown."""
    row = _explanation(s, explanation_id)
    if row.excerpts == UNKNOWN:
        return []
    if row.excerpts is not None:
        return [int(x) for x in np.frombuffer(row.excerpts, "<i4")]
    return _of_split(s, row.layer_id, row.neuron, row.collection_id, Split.EXPLAIN)


def explain_excerpts(s: Session, ref: NeuronRef) -> list[int]:
    """Ordinals of the excerpts of a neuron's explain-split records: what may be seen of it by who explains it."""
    part = names.part_of(s, ref)
    return _of_split(s, part.layer_id, ref.index, part.collection_id, Split.EXPLAIN)


def lineage(s: Session, explanation_id: int) -> list[int]:
    """The explanation, the one that it was made from, and so on: whatever any of them has seen, it has.

    Raises NotFound.
    """
    found = [explanation_id]
    while (source := _explanation(s, found[-1]).source_id) is not None:
        found.append(source)
    return found


def seen_documents(s: Session, explanation_id: int) -> SeenProof:
    """The documents that an explanation's own maker was shown, and their near-duplicate clusters."""
    row = _explanation(s, explanation_id)
    found = _documents(s, row.collection_id, seen_excerpts(s, explanation_id))
    return SeenProof(
        explanation_id,
        row.collection_id,
        tuple(d.ordinal for d in found),
        frozenset(d.cluster for d in found),
        known=row.excerpts != UNKNOWN,
    )


def demand(
    s: Session,
    explanation_id: int,
    simulated: Sequence[int] | None,
    collection_id: int,
    protocols: Collection[Protocol],
) -> None:
    """Raise BadInput if a document behind such scores was seen by the explanation's maker, or is a near-duplicate of one.

    `simulated` are the excerpts of the simulation, by their ordinals in the collection; None where nothing was simulated:
    then the neuron's score-split records stand for them. Documents of the dev split are calibrated on, not scored on.
    `bills-5+5` reproduces published figures, whose data has no documents, and `reference` looks at no text: they alone are exempt.
    An explanation made from another one has seen what that one saw. Where nobody knows what was seen, nothing can be
    shown to be held out, and it is refused.
    """
    demand_known(s, explanation_id, protocols)
    if set(protocols) <= _EXEMPT:
        return
    row = _explanation(s, explanation_id)
    if simulated is None:
        simulated = _of_split(s, row.layer_id, row.neuron, collection_id, Split.SCORE)
    scored = [d for d in _documents(s, collection_id, simulated) if d.split != Split.DEV]
    if any(d.split == Split.UNSPLIT for d in scored):
        raise BadInput("data without documents can only be scored by bills-5+5: nothing in it is held out")
    made_from = lineage(s, explanation_id)
    clash = [
        document.name
        for maker in made_from
        for document in _clashes(s, seen_documents(s, maker), collection_id, scored)
    ]
    if clash:
        shown = "”, “".join(clash[:_SHOWN])
        anew = (
            ". The model has been collected anew since, and they are held-out text now: explain the neuron anew, and score"
            " that explanation"
        )
        raise BadInput(
            f"not held out: explanation {explanation_id} was made from “{shown}”"
            f"{' and others' if len(clash) > _SHOWN else ''}, or near-duplicates, and cannot be scored on them"
            f"{anew if collection_id != row.collection_id else ''}"
        )


def unseen_documents(
    s: Session, explanation_id: int, collection_id: int, split: Split
) -> tuple[list[int], bool]:
    """(the documents of one split of a collection that no maker in the explanation's lineage has seen, nor a near-duplicate
    of, by ordinal; whether it is known what each of them saw).
    """
    proofs = [seen_documents(s, maker) for maker in lineage(s, explanation_id)]
    seen: set[str] = set()
    for proof in proofs:
        seen = seen.union(proof.clusters, *_texts(s, proof.collection_id, proof.clusters).values())
    d = t.documents.c
    query = select(d.ordinal, d.cluster, d.text_hash).where(
        d.collection_id == collection_id, d.split == int(split)
    )
    rows = s.execute(query.order_by(d.ordinal)).all()
    clusters = {row.cluster for row in rows if row.cluster in seen or row.text_hash in seen}
    return [row.ordinal for row in rows if row.cluster not in clusters], all(proof.known for proof in proofs)


def demand_known(s: Session, explanation_id: int, protocols: Collection[Protocol]) -> None:
    """Raise BadInput for scores that cannot be had whatever the records: of a maker who saw nobody knows what.

    Nor can `as-imported` ever be computed: it is what came with an explanation.
    """
    if Protocol.AS_IMPORTED in protocols:
        raise BadInput("as-imported is for scores that came with an explanation: choose another protocol")
    if set(protocols) <= _EXEMPT:
        return
    if any(_explanation(s, maker).excerpts == UNKNOWN for maker in lineage(s, explanation_id)):
        raise BadInput(
            f"nobody knows which text its maker saw: explanation {explanation_id} was imported, or written by somebody who may have "
            "seen held-out records, so that nothing can be shown to be held out from it, and it cannot be scored on documents"
        )


def unseen(s: Session, explanation_id: int, collection_id: int, ordinals: Sequence[int]) -> list[int]:
    """Those of these excerpts of a collection whose document neither the explanation's maker nor that of any it was made from saw.

    What `demand` would refuse is left out. Nothing can be said of makers who saw nobody knows what: see `demand_known`.
    """
    owners = excerpts.documents_of(s, collection_id, ordinals)
    there = _documents(s, collection_id, ordinals)
    seen = {
        document.ordinal
        for maker in lineage(s, explanation_id)
        for document in _clashes(s, seen_documents(s, maker), collection_id, there)
    }
    return [ordinal for ordinal, owner in zip(ordinals, owners, strict=True) if owner not in seen]


def _clashes(
    s: Session, proof: SeenProof, collection_id: int, scored: Sequence[Row[int, str, str, int]]
) -> list[Row[int, str, str, int]]:
    """Those of the documents of a collection that were seen, by themselves or as a near-duplicate."""
    seen = proof.clusters.union(*_texts(s, proof.collection_id, proof.clusters).values())
    now = _texts(s, collection_id, {d.cluster for d in scored})
    return [d for d in scored if d.cluster in seen or not seen.isdisjoint(now[d.cluster])]


def _texts(s: Session, collection_id: int, clusters: Iterable[str]) -> dict[str, set[str]]:
    """The text hashes of all documents of these clusters in one collection, by cluster."""
    d = t.documents.c
    query = select(d.cluster, d.text_hash).where(
        d.collection_id == collection_id, d.cluster.in_(sorted(clusters))
    )
    found: dict[str, set[str]] = {}
    for row in s.execute(query):
        found.setdefault(row.cluster, set()).add(row.text_hash)
    return found


def _explanation(s: Session, explanation_id: int) -> Row[int, int, int, bytes | None, int | None]:
    e = t.explanations.c
    query = select(e.layer_id, e.neuron, e.collection_id, e.excerpts, e.source_id).where(
        e.id == explanation_id
    )
    row = s.execute(query).first()
    if row is None:
        raise NotFound(f"there is no explanation {explanation_id}")
    return row


def _of_split(s: Session, layer_id: int, neuron: int, collection_id: int, split: Split) -> list[int]:
    """The excerpts of one neuron's records in one split of one collection."""
    query = select(t.parts.c.id, t.parts.c.splits).where(
        t.parts.c.collection_id == collection_id, t.parts.c.layer_id == layer_id
    )
    part = s.execute(query).first()
    if part is None:
        return []
    id_ = names.neuron_id(part.id, neuron)
    data = s.execute(select(t.exemplars.c.data).where(t.exemplars.c.id == id_)).scalar()
    if data is None:
        return []  # only explanations of it were imported
    found = codec.decode_records(data)
    mine = np.frombuffer(part.splits, np.uint8)[found.slots] == split
    return sorted({int(x) for x in found.excerpts[mine]})


def _documents(s: Session, collection_id: int, ordinals: Sequence[int]) -> Sequence[Row[int, str, str, int]]:
    d = t.documents.c
    wanted = sorted({int(x) for x in excerpts.documents_of(s, collection_id, ordinals)})
    query = (
        select(d.ordinal, d.name, d.cluster, d.split)
        .where(d.collection_id == collection_id, d.ordinal.in_(wanted))
        .order_by(d.ordinal)
    )
    return s.execute(query).all()

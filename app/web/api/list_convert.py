"""Lists, samples and comments of the store as values of the API."""

from app.domain.neurons import NeuronRef
from app.store.list_rows import Comment, ListLine, ListRow, Sample
from app.web.api import convert
from app.web.api.list_schemas import CommentOut, ItemOut, ListOut, NeuronName, SampleOut


def list_out(row: ListRow) -> ListOut:
    return ListOut(**{name: getattr(row, name) for name in ListOut.model_fields})


def item_out(line: ListLine) -> ItemOut:
    item = line.item
    return ItemOut(
        model=item.ref.model,
        layer=item.ref.layer,
        index=item.ref.index,
        note=item.note,
        author=item.author,
        added_at=item.added_at,
        there=line.there,
        explanation=line.text,
        method=line.method,
        best=convert.best(line.best),
    )


def sample_out(row: Sample, refs: list[NeuronRef]) -> SampleOut:
    return SampleOut(
        digest=row.digest,
        list_id=row.list_id,
        name=row.name,
        revision=row.revision,
        created_at=row.created_at,
        neurons=[NeuronName(model=ref.model, layer=ref.layer, index=ref.index) for ref in refs],
    )


def comment_out(row: Comment, owner: str) -> CommentOut:
    return CommentOut(
        model=row.ref.model,
        layer=row.ref.layer,
        index=row.ref.index,
        id=row.id,
        author=row.author,
        text=row.text,
        own=row.owner == owner,
        created_at=row.created_at,
        withdrawn_at=row.withdrawn_at,
    )

"""What addresses of lists have in common: the page of one, its files, where forms lead back to."""

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from app.domain.list_files import Format, write
from app.store import Store, list_items, list_lines, lists
from app.store.list_rows import ListRow
from app.web.list_contexts import ListPage, item_lines
from app.web.measures import address
from app.web.preferences import local_path
from app.web.rendering import chrome

PAGE_SIZE = 100
TABLES = ("csv", "jsonl", "parquet")
MEDIA = {Format.CSV: "text/csv", Format.JSONL: "application/jsonl", Format.JSON: "application/json"}


def list_page(
    request: Request, store: Store, row: ListRow, cursor: str | None, *, here: str, editable: bool
) -> ListPage:
    """One page of a list; `here` is its address, by its name or by its shared link."""
    with store.session() as session:
        page = list_items.page(session, row.id, cursor, PAGE_SIZE)
        lines = list_lines.lines(session, page.items)
        models = lists.models_in(session, row.id) if editable else []
    token = row.share_token if editable else None
    return ListPage(
        chrome(request, row.name, "lists"),
        row,
        item_lines(store, lines, here),
        editable,
        1 if page.previous is None else 0,
        address(here, cursor=page.next) if page.next else "",
        address(here, cursor=page.previous) if page.previous else "",
        address(here, cursor=cursor),
        tuple((format.value, f"{here}/export?format={format.value}") for format in Format),
        tuple((model, address("/search", model=model, list=row.slug)) for model in models),
        tuple(
            (
                model,
                what,
                tuple(
                    (each, address(f"/search/export/{what}.{each}", model=model, list=row.slug))
                    for each in TABLES
                ),
            )
            for model in models
            for what in ("explanations", "neurons")
        ),
        f"{request.url.scheme}://{request.url.netloc}/shared/{token}" if token else "",
        address(f"/api/v1/lists/{row.slug}/items", cursor=cursor) if editable else "",
    )


def file(store: Store, row: ListRow, format: Format) -> Response:
    """The whole list as a file to keep."""
    with store.session() as session:
        text = write(list_lines.written(session, row.id), format, about(row))
    return Response(
        text,
        media_type=f"{MEDIA[format]}; charset=utf-8",
        headers={"content-disposition": f'attachment; filename="{row.slug}.{format.value}"'},
    )


def about(row: ListRow) -> dict[str, object]:
    """What a list's file says of the list."""
    return {
        "name": row.name,
        "description": row.description,
        "author": row.author,
        "revision": row.revision,
        "updated_at": row.updated_at.isoformat(timespec="seconds"),
    }


def back_to(target: str, otherwise: str) -> RedirectResponse:
    """Back to the page that a form was on."""
    return RedirectResponse(local_path(target) if target else otherwise, 303)

"""One table or figure as a file to download, whatever report it is of."""

import io
import zipfile
from collections.abc import Iterable
from typing import Any

import orjson
from starlette.responses import Response

from app.errors import NotFound
from app.report import files, latex
from app.report.values import Figure, Table, Whence
from app.web import report_charts
from app.web.report_views import FIGURE_FORMATS, TABLE_FORMATS

Json = dict[str, Any]

TYPES = {
    "svg": "image/svg+xml",
    "png": "image/png",
    "pdf": "application/pdf",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "tex": "application/x-tex; charset=utf-8",
    "json": "application/json",
    "zip": "application/zip",
}
# Of the moment of making nothing is kept: equal reports are equal files.
_MOMENT = (1980, 1, 1, 0, 0, 0)


def table_file(found: Table, whence: Whence, format: str, origin: Json) -> bytes:
    """A table; `origin` is what its JSON says of where it is from. NotFound for an unknown format, BadInput without pyarrow."""
    match format:
        case "csv":
            return files.table_csv(found, whence)
        case "parquet":
            return files.table_parquet(found, whence)
        case "tex":
            return latex.table(found, whence).encode()
        case "json":
            return orjson.dumps({**origin, "table": files.table_json(found)}, option=orjson.OPT_INDENT_2)
    raise NotFound(f"A table cannot be had as {format[:40]!r}. There are: {', '.join(TABLE_FORMATS)}.")


def figure_file(found: Figure, whence: Whence, format: str, origin: Json) -> bytes:
    """A figure, as `table_file`. NotFound where there is nothing to draw, too."""
    match format:
        case "csv":
            return files.figure_csv(found, whence)
        case "parquet":
            return files.figure_parquet(found, whence)
        case "json":
            return orjson.dumps({**origin, "figure": files.figure_json(found)}, option=orjson.OPT_INDENT_2)
        case "svg" | "png" | "pdf":
            if not found.points:
                raise NotFound(f"There is nothing to draw yet. {found.needs}")
            return report_charts.file(found, whence, format)
    raise NotFound(f"A figure cannot be had as {format[:40]!r}. There are: {', '.join(FIGURE_FORMATS)}.")


def zipped(contents: Iterable[tuple[str, bytes]]) -> bytes:
    """Names and contents as one zip file."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in contents:
            archive.writestr(zipfile.ZipInfo(name, _MOMENT), body, zipfile.ZIP_DEFLATED)
    return sink.getvalue()


def download(body: bytes, name: str, format: str) -> Response:
    """An answer that browsers save under this name."""
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(body, media_type=TYPES[format], headers=headers)

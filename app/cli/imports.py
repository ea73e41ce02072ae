"""What is imported."""

from typing import TYPE_CHECKING

import typer

from app.cli import app

if TYPE_CHECKING:
    from app.store.imported_neurons import Shape

imports = typer.Typer(help="Bring in what others have made.", no_args_is_help=True)
app.add_typer(imports, name="import")


def _shape(text: str) -> "Shape | None":
    """`48x6400` as a shape."""
    from app.store.imported_neurons import Shape

    if not text:
        return None
    layers, _, neurons = text.lower().partition("x")
    return Shape(int(layers), int(neurons))

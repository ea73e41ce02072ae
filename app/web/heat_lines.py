"""One excerpt painted as a line that stands among others of the same excerpt: whole, so that they wrap alike."""

import numpy as np
from markupsafe import Markup

from app.domain.neurons import Float32, Int32
from app.web import heatmap
from app.web.compare_contexts import HeatLine
from app.web.formats import signed
from app.web.model_cache import ModelFacts


def place_of(facts: ModelFacts, ordinal: int) -> tuple[str, int]:
    """Where an excerpt stands: its document's name and its first token's index there; -1 without a document."""
    document = int(facts.excerpts.documents[ordinal])
    if document < 0:
        return f"excerpt {ordinal:,}, as published", -1
    return facts.documents[document].name, int(facts.excerpts.starts[ordinal])


def line(
    facts: ModelFacts,
    label: str,
    address: str,
    tokens: Int32,
    values: Float32,
    full: np.float32,
    peak: int,
    *,
    simulated: bool = False,
) -> HeatLine:
    """One whole excerpt painted: tokens and values [T]; `full` is the value of full colour, `peak` the token that is marked."""
    palette = heatmap.palette(facts.vocabulary)
    [painted] = heatmap.paint(
        palette, tokens[None], values[None], np.array([full], np.float32), np.array([peak], np.intp)
    )
    strongest = float(values[peak])
    return HeatLine(
        label,
        address,
        f"{label}, peak {signed(strongest)}",
        signed(strongest),
        strongest < 0,
        Markup(painted.html.decode()),  # noqa: S704 - escaped by the palette
        painted.values,
        painted.wide,
        painted.indented,
        simulated,
        "",
    )


def missing(label: str, why: str) -> HeatLine:
    """A line that says why there is no heatmap."""
    return HeatLine(label, "", "", "", False, Markup(""), "", False, False, True, why)

"""The five prompt formats of LEE, one module each: a version, a system text, and a block that shows a neuron."""

from typing import Protocol

from app.domain.explanations import Method
from app.explain.evidence import Evidence
from app.explain.formats.avhs import Avhs
from app.explain.formats.highlight import Highlight
from app.explain.formats.hs import Hs
from app.explain.formats.original import Original
from app.explain.formats.summary import Summary


class Format(Protocol):
    """How a neuron is put before an explainer. Raise `version` whenever any prompt made by it would change."""

    version: str
    system: str
    uses_cut_off: bool  # whether `Evidence.cut_off` decides anything
    uses_levels: bool  # whether the 0-10 scale decides anything

    def block(self, evidence: Evidence) -> str:
        """The neuron's excerpts, ending with a newline."""


FORMATS: dict[Method, Format] = {
    Method.ORIGINAL: Original(),
    Method.SUMMARY: Summary(),
    Method.HIGHLIGHT: Highlight(),
    Method.HS: Hs(),
    Method.AVHS: Avhs(),
}

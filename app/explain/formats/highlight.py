"""`highlight` (LEE): each excerpt with [brackets] around its highly activating tokens."""

from app.explain.evidence import Evidence
from app.explain.formats.wording import BRACKETS, ESCAPES, TASK
from app.explain.text import bracketed_text


class Highlight:
    """Bracketed excerpts."""

    version = "highlight-2"
    uses_cut_off = True
    uses_levels = False
    system = f"{TASK}\n\n{BRACKETS} {ESCAPES}"

    def block(self, evidence: Evidence) -> str:
        """One line of text for each excerpt."""
        return "".join(
            f"Excerpt {i}: {bracketed_text(shown.pieces, shown.active)}\n"
            for i, shown in enumerate(evidence.excerpts, 1)
        )

"""`hs` (LEE): highlight and summary, brackets in the excerpt and the list after it."""

from app.explain.evidence import Evidence
from app.explain.formats.wording import BRACKETS, ESCAPES, TASK
from app.explain.text import bracketed_text, token_list


class Hs:
    """Bracketed excerpts with lists."""

    version = "hs-2"
    uses_cut_off = True
    uses_levels = False
    system = f"{TASK}\n\n{BRACKETS} The same tokens come again after the excerpt, in order. {ESCAPES}"

    def block(self, evidence: Evidence) -> str:
        """One line of text and one of tokens for each excerpt."""
        out = []
        for i, shown in enumerate(evidence.excerpts, 1):
            out.append(f"Excerpt {i}: {bracketed_text(shown.pieces, shown.active)}\n")
            out.append(f"Active tokens:{token_list(shown.pieces, shown.active)}\n")
        return "".join(out)

"""`avhs` (LEE): activation values with highlight and summary, on the 0-10 scale and for every token above 0."""

from app.explain.evidence import Evidence, Shown
from app.explain.formats.wording import BRACKETS, ESCAPES, TASK
from app.explain.text import bracketed_text, in_list


class Avhs:
    """Bracketed excerpts with lists of tokens and levels."""

    version = "avhs-2"
    uses_cut_off = False
    uses_levels = True
    system = (
        f"{TASK}\n\n{BRACKETS} After the excerpt come the same tokens, each with a tab and its activation from 1, weak,"
        f" to 10, the strongest. {ESCAPES}"
    )

    def block(self, evidence: Evidence) -> str:
        """One line of text and one of tokens with levels for each excerpt."""
        out = []
        for i, shown in enumerate(evidence.excerpts, 1):
            marked = [level > 0 for level in shown.levels]
            out.append(
                f"Excerpt {i}: {bracketed_text(shown.pieces, marked)}\nActive tokens:{_pairs(shown)}\n"
            )
        return "".join(out)


def _pairs(shown: Shown) -> str:
    pairs = [
        f"{in_list(piece)}\t{level}"
        for piece, level in zip(shown.pieces, shown.levels, strict=True)
        if level > 0
    ]
    return ",".join(pairs) if pairs else " (none)"

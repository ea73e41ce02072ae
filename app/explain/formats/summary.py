"""`summary` (LEE): each excerpt as plain text, then the list of its highly activating tokens."""

from app.explain.evidence import Evidence
from app.explain.formats.wording import ESCAPES, TASK
from app.explain.text import running_text, token_list


class Summary:
    """Plain excerpts with lists."""

    version = "summary-2"
    uses_cut_off = True
    uses_levels = False
    system = (
        f"{TASK}\n\nAfter each excerpt come the tokens at which the neuron was active, in order. {ESCAPES}"
    )

    def block(self, evidence: Evidence) -> str:
        """One line of text and one of tokens for each excerpt."""
        return "".join(
            f"Excerpt {i}: {running_text(shown.pieces)}\nActive tokens:{token_list(shown.pieces, shown.active)}\n"
            for i, shown in enumerate(evidence.excerpts, 1)
        )

"""`original` (BILLS): every token on a line of its own with its level, and the active ones again where few are."""

from app.domain.piece_text import field_text
from app.explain.evidence import Evidence, Shown
from app.explain.formats.wording import ESCAPES, TASK

FEW = 0.2  # below this share of levels above 0, the pairs above 0 are repeated


class Original:
    """`token<TAB>level` lines between marks."""

    version = "original-2"
    uses_cut_off = False
    uses_levels = True
    system = (
        f"{TASK}\n\nEach line is a token, a tab, and the neuron's activation at that token from 0, not at all, to 10,"
        f" its strongest. Most are 0. {ESCAPES}"
    )

    def block(self, evidence: Evidence) -> str:
        """All pairs, and once more those above 0 where they are fewer than a fifth of all."""
        every = [level for shown in evidence.excerpts for level in shown.levels]
        out = "Activations:\n" + "".join(_lines(shown, least=0) for shown in evidence.excerpts)
        if sum(level > 0 for level in every) < FEW * len(every):
            out += "The same without the zeros:\n" + "".join(
                _lines(shown, least=1) for shown in evidence.excerpts
            )
        return out


def _lines(shown: Shown, least: int) -> str:
    pairs = zip(shown.pieces, shown.levels, strict=True)
    lines = "".join(f"{field_text(piece)}\t{level}\n" for piece, level in pairs if level >= least)
    return f"<start>\n{lines}<end>\n"

"""The lines of a list of exemplars. Made here and not in a template: a page holds dozens, with a dozen fields each."""

from collections.abc import Iterable
from html import escape

from markupsafe import Markup

from app.web.formats import count, signed
from app.web.neuron_contexts import Excerpt

CUT = "<s>…</s>"


def rows(excerpts: Iterable[Excerpt], here: str) -> Markup:
    """List items; `here` is the neuron's path, from names that are safe in an address."""
    link = f"{escape(here)}?show=values&amp;excerpt="
    return Markup("".join([_row(i, e, link) for i, e in enumerate(excerpts, 1)]))  # noqa: S704


def _row(number: int, e: Excerpt, link: str) -> str:
    """Everything but `html` is a number, hex, a word of ours, or escaped."""
    peak = signed(e.peak)
    before, after = CUT if e.cut_before else "", CUT if e.cut_after else ""
    use = f" · {e.use}" if e.use else ""
    folded = f" · <b>+{e.folded} alike</b>" if e.folded else ""
    label = f"<small>{e.label}</small>" if e.label else ""
    gates = f' data-g="{e.gates}"' if e.gates else ""
    return (
        f'<li class="rec {e.label}"><span class="val {"neg" if e.peak < 0 else "pos"}">{peak}{label}</span>'
        f'<div class="txt{" sp" if e.indented else ""}" role="group" tabindex="0" '
        f'aria-label="Excerpt {number}, {e.label or "peak"} {peak}" data-v="{e.values}"{" data-w" if e.wide else ""}{gates} '
        f'data-o="{e.first}">{before}{e.html}{after}</div>'
        f'<div class="src"><a href="{link}{e.ordinal}" title="Every value of this excerpt">'
        f"{escape(e.source)}</a><small>token {count(e.start)}{use}{folded}</small></div></li>\n"
    )

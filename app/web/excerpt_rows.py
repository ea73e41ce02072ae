"""The lines of a list of exemplars. Made here and not in a template: a page holds dozens, with a dozen fields each."""

from collections.abc import Iterable
from functools import lru_cache
from html import escape

from app.web.formats import shown, signed
from app.web.neuron_contexts import Excerpt

CUT = "<s>…</s>".encode()


def rows(excerpts: Iterable[Excerpt], values: str) -> bytes:
    """List items; `values` is the address of an excerpt's values up to its number, from names that are safe there.

    An excerpt that is compared has two lines, the actual and the simulated one, and one number.
    """
    link = escape(values)
    return b"".join([_row((i + 1) // 2 if e.label else i, e, link) for i, e in enumerate(excerpts, 1)])


def _row(number: int, excerpt: Excerpt, link: str) -> bytes:
    """Everything but what is painted is a number, hex, a word of ours, or escaped."""
    ordinal, painted, gates, strongest, source, start, used, alike, label = excerpt
    html, values, wide, first, cut_before, cut_after, indented = painted
    peak = signed(strongest)
    parts = [f"token {start:,}"] if start >= 0 else []
    parts += [used] if used else []
    parts += [f"<b>+{alike} alike</b>"] if alike else []
    about = " · ".join(parts)
    signs = f' data-g="{gates}"' if gates else ""
    small = f"<small>{label}</small>" if label else ""
    before = (
        f'<li class="rec {label}"><span class="val {"neg" if strongest < 0 else "pos"}">{peak}{small}</span>'
        f'<div class="txt{" sp" if indented else ""}" role="group" tabindex="0" '
        f'aria-label="Excerpt {number}, {label or "peak"} {peak}" data-v="{values}"{" data-w" if wide else ""}'
        f'{signs} data-o="{first}">'
    )
    after = (
        f'</div><div class="src"><a href="{link}{ordinal}" title="Every value of this excerpt">'
        f"{_escaped(source)}</a><small>{about}</small></div></li>\n"
    )
    cut, on = CUT if cut_before else b"", CUT if cut_after else b""
    return b"".join((before.encode(), cut, html, on, after.encode()))


@lru_cache(maxsize=4096)
def _escaped(source: str) -> str:
    """A document's name: a page holds dozens, of the same few hundred."""
    return escape(shown(source))

r"""Tables as LaTeX with booktabs: `\usepackage{booktabs}`, nothing else. Everything that is not ours is escaped."""

import unicodedata

from app.report.values import Table, Whence
from app.report.written import blocks, heads

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "−": "$-$",
    "±": r"$\pm$",
    "≥": r"$\geq$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "²": r"\textsuperscript{2}",
    "–": "--",
    "—": "---",
    "’": "'",
    "‘": "`",
    "“": "``",
    "”": "''",
    "…": r"\ldots{}",
    "\N{NO-BREAK SPACE}": "~",
}
LONGEST = 300  # of one cell: a server's error page is no part of a table


def escape(text: str) -> str:
    """Words as they are to appear: one line, nothing that LaTeX would act on, nothing that hides or reorders text.

    What pdfLaTeX has no letter for is written as its code point, so that every engine sets it.
    """
    pieces = []
    for sign in " ".join(text.split())[:LONGEST]:
        if sign in _SPECIAL:
            pieces.append(_SPECIAL[sign])
        elif (sign.isascii() and sign.isprintable()) or (
            unicodedata.category(sign)[0] in "LM" and ord(sign) < 0x250
        ):
            pieces.append(sign)
        else:
            pieces.append(f"[U+{ord(sign):04X}]")
    return "".join(pieces)


def table(made: Table, whence: Whence) -> str:
    """One table in a `table` environment, with where it comes from as comments and in its caption."""
    comments = [f"% {line}" for line in whence.lines()]
    title = escape(f"{made.title}{f' ({made.source})' if made.source else ''}.")
    note = escape_long(made.how)
    lines = [
        *comments,
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{title} {note}}}",
        rf"\label{{tab:{made.key}}}",
    ]
    if not made.rows:
        return "\n".join([*lines, escape_long(made.needs), r"\end{table}", ""])
    columns = heads(made)
    numeric = [cell.number for cell in next(blocks(made)).rows[0]]
    lines += [
        r"\small",
        rf"\begin{{tabular}}{{{''.join('r' if number else 'l' for number in numeric)}}}",
        r"\toprule",
        " & ".join(escape(column.label) for column in columns) + r" \\",
    ]
    for block in blocks(made):
        lines.append(r"\midrule")
        if block.shared:
            said = escape(", ".join(value for _, value in block.shared))
            lines.append(rf"\multicolumn{{{len(columns)}}}{{l}}{{\emph{{{said}}}}} \\")
        lines += [" & ".join(escape(cell.text) for cell in row) + r" \\" for row in block.rows]
    lines += [r"\bottomrule", r"\end{tabular}", r"\end{table}", ""]
    return "\n".join(lines)


def escape_long(text: str) -> str:
    """Our own prose, of any length."""
    return " ".join(escape(word) for word in text.split())

"""Text files of a corpus folder that say again what its JSON files say.

The npm corpora ship every document as a.json and a.txt, and one of them the whole book as data.txt beside its chapters.
Read twice, a document would be counted twice, and a book with its chapters would be one near-duplicate cluster.
"""

import re
from collections.abc import Callable, Iterable
from itertools import groupby
from pathlib import Path

PROBE_LETTERS = 200  # of a document's middle: headings, quotation marks and line ends differ between twins


def repeated(files: Iterable[Path], first_text: Callable[[Path], str | None]) -> set[Path]:
    """Those of `files` that are text files and hold what a JSON file of their name holds, or most of such files.

    `first_text` gives the text of a JSON file's first document, None for one without text, such as metadata.
    """
    found: set[Path] = set()
    for _, group in groupby(sorted(files), key=lambda path: path.parent):
        there = set(group)
        texts = [path for path in there if path.suffix.lower() == ".txt"]
        probes = {
            text: probe
            for text in texts
            if (twin := text.with_suffix(".json")) in there and (probe := _probe(first_text(twin)))
        }
        for text in texts if probes else []:
            letters = _letters(text.read_text("utf-8", errors="replace"))
            if text in probes:
                said = probes[text] in letters
            else:
                count = sum(probe in letters for probe in probes.values())
                said = count > 1 and 2 * count >= len(probes)
            if said:
                found.add(text)
    return found


def _probe(text: str | None) -> str:
    letters = _letters(text or "")
    start = max(0, (len(letters) - PROBE_LETTERS) // 2)
    return letters[start : start + PROBE_LETTERS]


def _letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).lower()

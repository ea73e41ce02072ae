"""Explanations for a store that is made for measuring: real statements, cut in two and joined anew."""

import json
from pathlib import Path

from bench.scale_source import Source

PUBLISHED = "shared/data/gpt2-xl-explanations.jsonl"  # beside the project, or beside a folder above it
_STEP = 7919  # a prime: every round joins a statement's first half with another second half


def statements(of: Source) -> tuple[list[str], str]:
    """Real statements, and where they are from: published ones where that file is at hand, else token lookup's."""
    found = (folder / PUBLISHED for folder in Path(__file__).resolve().parents)
    file = next((each for each in found if each.is_file()), None)
    if file is not None:
        lines = file.read_text(encoding="utf-8").splitlines()
        return [json.loads(line)["explanation"] for line in lines], f"{len(lines):,} published ones"
    texts = of.statements()
    return texts, f"{len(texts):,} that token lookup makes"


def recombined(texts: list[str], first: int, count: int) -> list[str]:
    """`count` of an endless list of statements, from place `first`. Its beginning is the real statements themselves."""
    found = []
    for i in range(first, first + count):
        turn, at = divmod(i, len(texts))
        words, others = texts[at].split(" "), texts[(at + turn * _STEP) % len(texts)].split(" ")
        found.append(" ".join(words[: (len(words) + 1) // 2] + others[(len(others) + 1) // 2 :]))
    return found

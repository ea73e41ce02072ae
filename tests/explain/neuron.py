"""A hand-made neuron whose tokens hold everything that could break a prompt's lines, lists or brackets."""

import numpy as np

from app.domain.neurons import Kind, Records, Split, Statistics
from app.domain.vocabulary import Vocabulary

PIECES = (
    b"The", b" boat", b" is", b" blue", b"blue", b" and", b" green", b",", b"\n", b"\t", b"[", b"]", b"\\", b" cost",
    b" \xe2\x82", b"\xac", b"\xff", b"\0", "\u202e".encode(), b" sea", b"green", b"x" * 60, " über".encode(), b".",
)  # fmt: skip


def _ids(text: str) -> list[int]:
    by_name = {piece.decode("latin-1"): i for i, piece in enumerate(PIECES)}
    names = {"EUR1": " \xe2\x82", "EUR2": "\xac", "FF": "\xff", "NUL": "\0", "LONG": "x" * 60, "NL": "\n"}
    names |= {"TAB": "\t", "BIDI": "\xe2\x80\xae", "UBER": " \xc3\xbcber"}
    return [by_name[names.get(word, word.replace("_", " "))] for word in text.split()]


ROWS = (
    ("The _boat _is _blue _and _green , _blue , blue _sea .", {3: 8.0, 5: 6.0, 7: 8.0, 9: 4.2}),
    ("_cost EUR1 EUR2 NL TAB _blue [ _green ] \\ _sea .", {5: 7.5, 6: 0.5, 7: 3.0, 8: 2.0}),
    ("The FF NUL BIDI LONG UBER _green NL NL _blue _and .", {3: 1.0, 4: 2.0, 6: 5.0, 7: 4.0, 9: 5.0}),
    ("_cost EUR1 EUR2 EUR1 EUR2 , _blue , , green _and .", {3: 4.0, 5: 2.5, 6: 7.0, 9: 3.0}),
    ("The _sea _is _green . The _sea _is _blue . The .", {3: 2.0, 8: 0.6}),
)

VOCABULARY = Vocabulary(PIECES)


def neuron(sign: int = 1) -> Records:
    """Five explain records of 12 tokens; all other activations are a little below 0 (times `sign`)."""
    tokens = np.array([_ids(text) for text, _ in ROWS], np.int32)  # [5, 12]
    activations = np.full(tokens.shape, -0.1, np.float32)  # [5, 12]
    for row, (_, values) in enumerate(ROWS):
        for at, value in values.items():
            activations[row, at] = value
    n = len(tokens)
    return Records(
        excerpts=np.arange(100, 100 + n, dtype=np.int32),
        documents=np.arange(n, dtype=np.int32),
        kinds=np.full(n, Kind.TOP if sign > 0 else Kind.BOTTOM, np.uint8),
        splits=np.full(n, Split.EXPLAIN, np.uint8),
        tokens=tokens,
        activations=sign * activations,
        gates=None,
    )


def statistics(**fields: object) -> Statistics:
    """Of that neuron: level 10 begins at 8, the cut-off token_q99 is 1.9."""
    values: dict[str, object] = {
        "mean": 0.0,
        "variance": 1.0,
        "skewness": 0.0,
        "kurtosis": 3.0,
        "maximum": 16.0,
        "minimum": -16.0,
        "density": 0.01,
        "explain_maximum": 16.0,
        "explain_minimum": -16.0,
        "token_q99": 1.9,
        "token_q01": -1.9,
        "excerpt_max_q99": 6.5,
        "n_tokens": 1000,
        "n_sampled": 1000,
        "sign_shares": None,
    }
    return Statistics(**{**values, **fields})  # type: ignore[arg-type]

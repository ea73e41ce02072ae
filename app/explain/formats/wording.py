"""Sentences that the five formats share."""

from app.explain.text import ESCAPES

TASK = (
    "You are studying single neurons of a language model. Each neuron looks for one particular thing in a text. You"
    " see excerpts in which one neuron was most active, and you say in a short phrase what it looks for: what its"
    " active tokens, or the words around them, have in common and other tokens lack. Do not give a list of words,"
    " and answer with the phrase alone."
)

BRACKETS = "[Brackets] stand around each token at which the neuron was active."

__all__ = ["BRACKETS", "ESCAPES", "TASK"]

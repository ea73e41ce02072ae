"""From an explanation to the activations that it makes one expect."""

from app.simulate.base import Simulator, make
from app.simulate.next_token import NextToken

__all__ = ["NextToken", "Simulator", "make"]

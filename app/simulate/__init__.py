"""From an explanation to the activations that it makes one expect."""

from app.simulate.base import Simulator, make

__all__ = ["Simulator", "make"]

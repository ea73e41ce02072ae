"""Neuronarium: a web-based neuron viewer for language models."""

__version__ = "0.1.0"

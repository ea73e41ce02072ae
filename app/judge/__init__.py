"""A language model judges, from an explanation alone, which windows fire a neuron. See docs/scores.md."""

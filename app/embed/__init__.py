"""Texts to vectors on this machine, without torch: see `minilm`. Endpoints that embed are asked through `llm`."""

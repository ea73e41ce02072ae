"""What a simulation must say of the local simulator that made it."""

from dataclasses import dataclass

from app.domain.collection import ModelCard


@dataclass(frozen=True)
class SimulatorCard:
    """The local simulator in force: stored with every simulation's parameters."""

    model: ModelCard
    # 10, or 9 where the tokenizer splits "10": prompts then use 0-9, and values are stretched to 0-10
    scale_top: int
    shots: int  # few-shot examples shown; fewer than all where the model's context is short
    prompt_version: str

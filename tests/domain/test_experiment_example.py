"""The example file of the documentation is one, and says what the documentation says of it."""

from pathlib import Path

from app.domain import experiment_files
from app.domain.definition_files import FileKind
from app.domain.explanations import Metric

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_example_can_be_read() -> None:
    text = (DOCS / "examples" / "five-formats.toml").read_text("utf-8")
    found = experiment_files.read(text, FileKind.TOML)
    assert len(found.arms()) == 6 and len(found.contrasts) == 4
    scorer, measure = found.decided_by()
    assert scorer.label == "local" and measure.metric is Metric.CORRELATION


def test_every_key_of_a_file_is_explained() -> None:
    page = (DOCS / "experiments.md").read_text("utf-8")
    for key in experiment_files.KEYS:
        assert f"`{key}`" in page or f"`[[{key}]]`" in page or f"`[{key}]`" in page, key

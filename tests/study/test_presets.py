"""The example file of the documentation is LEE's study, and says what the preset says."""

from pathlib import Path

from app.domain import study_files
from app.domain.definition_files import FileKind
from app.domain.studies import Task
from app.study.presets import LEE_METHODS, Design, lee

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_example_is_the_preset_with_a_few_words_more() -> None:
    text = (DOCS / "examples" / "lee-study.toml").read_text("utf-8")
    found = study_files.read(text, FileKind.TOML)
    made = lee(found.models)
    for name in ("name", "samples", "arms", "title", "question", "instructions", "statement", "best_question", "tasks", "evidence", "name_neuron", "raters", "raters_per_item", "practice", "contrasts", "stopping", "seed"):  # fmt: skip
        assert getattr(found, name) == getattr(made, name), name
    assert found.consent.text == made.consent.text and found.consent.contact
    assert [arm.method for arm in found.arms] == list(LEE_METHODS)


def test_both_designs_have_the_paper_s_240_blocks() -> None:
    for design in Design:
        made = lee(["gpt2-xl"], design=design)
        [sample] = made.samples
        assert 48 * sample.n * made.per_item == 240 and sample.above == 0.35
        assert made.tasks == (Task.RATE, Task.BEST) and made.name_neuron and len(made.contrasts) == 4
        assert made.crossed is (design is Design.CROSSED)


def test_every_key_of_a_file_is_explained() -> None:
    page = (DOCS / "studies.md").read_text("utf-8")
    for key in study_files.KEYS:
        assert f"`{key}`" in page or f"`[[{key}]]`" in page or f"`[{key}]`" in page, key

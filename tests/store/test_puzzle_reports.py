"""Results on puzzles as reports take them."""

from app.domain.report_plan import PuzzleRun
from app.store import Store
from app.store.puzzle_reports import Maker, of_makers
from tests.web.puzzle_world import EMBEDDER, EXPLAINER, fill


def test_a_report_has_the_runs_of_its_methods_and_explainers(store: Store) -> None:
    fill(store)
    with store.session() as s:
        assert of_makers(s, {Maker("avhs", EXPLAINER), Maker("summary", "another")}) == ()
        judged, ranked = of_makers(s, {Maker("summary", EXPLAINER)})
    assert judged == PuzzleRun(
        "summary",
        EXPLAINER,
        f"similarity ({EMBEDDER}); neuron-puzzles, seed 0",
        6,
        right=2,
        judged=4,
        right_revised=3,
        judged_revised=4,
    )
    assert (ranked.by, ranked.first, ranked.top_two, ranked.ranked) == (
        "local (TinyLM); neuron-puzzles, seed 0",
        2,
        3,
        3,
    )
    assert ranked.right is None and judged.first is None

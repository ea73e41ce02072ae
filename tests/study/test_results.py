"""Results: hidden until they may be seen, equal in page, API and files, and saying what limits them."""

import io
import json
import zipfile

import pytest

from app.domain.explanations import Metric, Protocol, Sample, ScoreValue, State
from app.domain.studies import Gold, GoldKind, ShownRecords, Task
from app.domain.study_quality import Exclusions
from app.errors import Refused
from app.report.files import records
from app.store import scores, studies
from app.store.study_rows import StudyRow
from app.study import score_tables
from app.study.results import Results, results
from app.study.service import Studies
from tests import study_world as w
from tests.conftest import Full


def closed(lite: Full, raters: int = 2, n: int = 3, **changes: object) -> StudyRow:
    study = w.opened(lite.store, n, raters=raters, practice=0, **changes)
    for i in range(raters):
        w.rate_all(lite.store, study, 5 - i)
    return Studies(lite.store).close(study.id, w.OWNER)


def rows(found: Results, key: str) -> list[dict]:  # type: ignore[type-arg]
    return records(found.files[key])


def test_results_are_hidden_until_the_close(lite: Full) -> None:
    study = w.opened(lite.store)
    w.rate_all(lite.store, study)
    with pytest.raises(Refused, match="still open"):
        results(lite.store, study.id)
    Studies(lite.store).unblind(study.id, w.OWNER, "a rater complained")
    found = results(lite.store, study.id)
    assert "by Ada" in str(found.heading.record()["unblinded_before_close"])
    assert any(line.startswith("UNBLINDED BEFORE THE CLOSE: by Ada") for line in found.heading.lines())
    Studies(lite.store).close(study.id, w.OWNER, anyway=True)
    assert "by Ada" in str(results(lite.store, study.id).heading.record()["unblinded_before_close"])


def test_means_and_contrasts_by_hand(full: Full) -> None:
    study = closed(full)
    found = results(full.store, study.id)
    table = {row["method"]: row for row in rows(found, "methods")}
    every = rows(found, "answers")
    for name, row in table.items():
        rated = [int(r["value"]) for r in every if r["task"] == "rate" and r["arm"] == name]
        assert row["rating"] == pytest.approx(sum(rated) / len(rated))
        credit = [r["credit"] for r in every if r["task"] == "best" and r["arm"] == name]
        assert row["chosen"] == pytest.approx(100 * sum(credit) / len(credit))
        assert row["blocks"] == row["chosen_blocks"] == 6
    assert sum(row["chosen"] for row in table.values()) == pytest.approx(100)
    [contrast] = rows(found, "contrasts")
    assert contrast["difference"] == pytest.approx(table["summary"]["rating"] - table["original"]["rating"])
    assert (contrast["says"], contrast["p_holm"]) == ("these raters; few neurons", contrast["p"])
    assert {row["answers"] for row in rows(found, "agreement")} == {"ratings", "choices of the best"}


def test_whom_the_registered_rules_leave_out(lite: Full) -> None:
    study = closed(lite, exclusions=Exclusions(min_seconds=3600.0))
    with_all = results(lite.store, study.id, exclude=False)
    without = results(lite.store, study.id)
    assert (with_all.heading.raters, without.heading.raters) == (2, 0)
    assert [rater for rater, _ in without.heading.excluded] == [1, 2]
    assert rows(with_all, "methods") and not rows(without, "methods")
    assert all(row["excluded"] for row in rows(without, "answers"))
    assert without.heading.record()["exclusions"] == "applied"


def test_an_erased_rater_is_in_no_number_and_counted_in_the_heading(lite: Full) -> None:
    study = closed(lite)
    Studies(lite.store).erase(study.id, 1, w.OWNER)
    found = results(lite.store, study.id)
    assert (found.heading.raters, found.heading.erased) == (1, 1)
    assert {row["rater"] for row in rows(found, "answers")} == {2}
    assert any("erased raters: 1" in line for line in found.heading.lines())


def test_top_only_is_said_in_every_file(lite: Full) -> None:
    study = closed(lite, evidence=ShownRecords(3, 0))
    found = results(lite.store, study.id)
    assert str(found.heading.record()["evidence"]).startswith("TOP ONLY")


@pytest.mark.parametrize(
    ("task", "key"),
    [(Task.RANK, "ranks"), (Task.PAIR, "pairs"), (Task.BEST, "choice"), (Task.SIMULATE, "simulators")],
)
def test_every_task_has_its_table(lite: Full, task: Task, key: str) -> None:
    study = closed(lite, raters=1, tasks=(task,))
    found = results(lite.store, study.id)
    assert rows(found, key), key
    assert "methods" in found.files if task is Task.BEST else "methods" not in found.files


def test_what_people_wrote(lite: Full) -> None:
    study = closed(lite, raters=1, tasks=(Task.WRITE,), arms=(), contrasts=())
    assert [row["text"] for row in rows(results(lite.store, study.id), "written")] == [
        "words about ships"
    ] * 3


def test_ratings_stand_beside_the_scores_of_the_same_explanations(lite: Full) -> None:
    study = w.opened(lite.store, practice=0, raters=1)
    made = score_tables.agreement([])
    assert made.rows == () and made.needs
    with lite.store.session() as s:
        items = studies.items(s, study.id)
        for i, item in enumerate(items):
            for text in item.texts:
                for source in text.sources:
                    assert source.explanation_id is not None
                    value = ScoreValue(
                        Metric.CORRELATION,
                        Protocol.HELDOUT_5_5,
                        Sample.TOP_AND_RANDOM,
                        State.OK,
                        0.1 * source.arm + 0.01 * i,
                    )
                    scores.add(s, source.explanation_id, None, [value], "job", f"k-{source.explanation_id}")
    w.rate_all(lite.store, study)
    Studies(lite.store).close(study.id, w.OWNER)
    [row] = rows(results(lite.store, study.id), "scores")
    assert (row["texts"], row["unscored"], row["pairs"]) == (8, 0, 7)
    assert row["share"] is not None


def test_gold_is_in_the_answers_and_in_no_mean(lite: Full) -> None:
    study = closed(lite, gold=(Gold(GoldKind.PUZZLES, 1),))
    found = results(lite.store, study.id)
    every = rows(found, "answers")
    assert {row["item_kind"] for row in every} == {"main", "gold"}
    assert {row["arm"] for row in every if row["item_kind"] == "gold"} == {
        "known to be right",
        "known to be wrong",
    }
    assert all(row["gold"] == 1.0 for row in rows(found, "raters"))
    assert all(row["blocks"] == 6 for row in rows(found, "methods"))


def test_the_zip_holds_the_same(lite: Full) -> None:
    from app.web import study_results

    study = closed(lite)
    found = results(lite.store, study.id)
    with zipfile.ZipFile(io.BytesIO(study_results.packed(found))) as archive:
        names = set(archive.namelist())
        said = json.loads(archive.read("results.json"))
        for name in names:
            assert b"PID" not in archive.read(name)
    assert {
        "tables/answers.parquet",
        "tables/dictionary.csv",
        "tables/methods.tex",
        "figures/means.svg",
    } <= names
    assert [row["method"] for row in said["tables"][0]["rows"]] == ["original", "summary", "avhs"]

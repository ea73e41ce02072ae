"""What came of puzzles in words, the same on pages, in files and on the command line. k of n, and what n is."""

from app.domain.puzzle_tallies import Counted, JudgeTally, RankTally
from app.domain.puzzles import Judge
from app.store.puzzle_results import RunResult
from app.store.puzzle_runs import Run
from app.web.formats import plural, words

JUDGES = {
    Judge.SIMILARITY: "similarity: the truth is nearest, by",
    Judge.MODEL: "a language model:",
    Judge.PERSON: "a person:",
}
JUDGE_CHOICES = {
    Judge.SIMILARITY: "Similarity: nearest to the truth by embedding",
    Judge.MODEL: "A language model, against the truth",
    Judge.PERSON: "People, later and blind",
}


def run_words(run: Run) -> str:
    """`summary by demo / SmolLM2, seed 0`."""
    if not run.explainer:
        return "nothing explained"
    return f"{words(run.method)} by {run.explainer}, seed {run.seed}"


def of_puzzles(found: RunResult) -> str:
    """How much of a run came about."""
    said = (
        f"{found.explained} of {plural(found.puzzles, 'puzzle')} explained"
        if found.run.explainer
        else plural(found.puzzles, "puzzle")
    )
    if found.revised or found.nothing_to_revise:
        said += f", {found.revised} revised, {found.nothing_to_revise} with nothing to revise"
    return said


def counted(each: Counted) -> str:
    """`5/19`, or that nothing was judged."""
    return f"{each.right}/{each.judged}" if each.judged else "none judged"


def tally_words(tally: JudgeTally) -> str:
    """`right 5/19, with revision 9/19 (+4, −0)`."""
    said = f"right {counted(tally.first)}"
    if tally.final is not None:
        said += f", with revision {counted(tally.final)} (+{tally.better}, −{tally.worse})"
    if tally.unjudged:
        said += f"; {plural(tally.unjudged, 'statement')} without a verdict"
    return said


def judge_name(judge: Judge, name: str) -> str:
    """`similarity: the truth is nearest, by all-MiniLM-L6-v2`; of persons those that judged, or just that."""
    return f"{JUDGES[judge]} {name}" if name else "people"


def judged_by(tally: JudgeTally) -> str:
    """Who judged, and what a blind guess would reach where that can be said."""
    said = judge_name(tally.judge, tally.name)
    if tally.chance is not None:
        said += f" (a blind guess: {tally.chance:.1f})"
    return said


def rank_words(tally: RankTally) -> str:
    """`truth ranked first 16/19, in the top two 18/19; simulated by …`."""
    who = f"{words(tally.simulator)} {tally.model}".strip()
    if not tally.ranked:
        return f"truth has no place in any puzzle; simulated by {who}"
    n = tally.ranked
    return f"truth ranked first {tally.first}/{n}, in the top two {tally.top_two}/{n}; simulated by {who}"

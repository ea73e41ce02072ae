"""Tables of what it took: tokens of a prompt, money and time for 1,000 neurons, and what came to nothing and why."""

from collections import Counter
from collections.abc import Hashable, Iterable
from typing import NamedTuple

import numpy as np

from app.domain import report_statistics as statistics
from app.domain.explanations import Metric, Protocol, State
from app.domain.report_selection import Selection
from app.domain.results import Result
from app.report.values import ARM, Column, Entry, Kind, Material, Table

ORIGINAL = "original"
JUDGED = (Metric.DETECTION, Metric.FUZZING, Metric.EMBEDDING, Metric.ABLATION)  # each is asked for by itself
MOST_REASONS = 20  # of each arm: wordings of endpoints may all differ


class _Asked(NamedTuple):
    """What costs are counted by: results of one asking share them."""

    model: str
    protocol: Protocol
    judged: str
    simulator: str
    arm: str


def _once(results: Iterable[Result]) -> dict[tuple[_Asked, Hashable], Result]:
    """One result for every time that something was asked: its metrics and samples repeat what it took."""
    found: dict[tuple[_Asked, Hashable], Result] = {}
    for each in results:
        judged = each.metric.value if each.metric in JUDGED else ""
        asked = _Asked(each.ref.model, each.protocol, judged, each.simulator, each.arm)
        key = (asked, (each.ref, each.polarity, each.seed))
        if key not in found or found[key].explanation_id is None:
            found[key] = each
    return found


def prompt_tokens(material: Material) -> Table:
    """LEE Table 1."""
    prompts: dict[tuple[str, str], dict[Hashable, list[int]]] = {}
    seen: set[Hashable] = set()
    for each in material.columns.results:
        unit = (each.ref, each.polarity, each.arm, each.seed)
        if unit in seen or each.explanation_id is None:
            continue
        seen.add(unit)
        by_neuron = prompts.setdefault((each.ref.model, each.arm), {})
        if each.prompt_tokens > 0:
            by_neuron.setdefault((each.ref, each.polarity), []).append(each.prompt_tokens)
    means = {
        key: statistics.mean(np.array([np.mean(seeds) for seeds in by_neuron.values()], np.float64))
        for key, by_neuron in prompts.items()
    }
    rows = []
    for model, arm in sorted(prompts, key=lambda key: (key[0], material.columns.arms.index(key[1]))):
        found = means[model, arm]
        maker = material.columns.made_by[arm]
        original = _original(material, model, arm)
        base = means[model, original].mean if original is not None else None
        rows.append(
            (
                Entry(model),
                Entry(arm),
                Entry(maker.explainer),
                Entry(found.mean, Selection(model=model, arm=arm)),
                Entry(found.sem),
                Entry(found.n),
                Entry(base / found.mean if base and found.mean else None),
            )
        )
    return Table(
        "prompt-tokens",
        "Mean prompt tokens by method",
        "LEE Table 1",
        "Tokens of the prompt that an explanation answers, as its endpoint counted them: the mean over neurons, seeds averaged first. Methods that ask no language "
        "model have none. The last column is how many times shorter a prompt is than that of the original format by the same explainer on the same evidence "
        "(LEE: 1.72 to 2.64).",
        (
            Column("model", "model", shared=True),
            ARM,
            Column("explainer", "explainer"),
            Column("mean", "mean tokens ± SEM", Kind.TOKENS),
            Column("sem", "SEM", Kind.TOKENS, joined=" ± "),
            Column("n", "n", Kind.COUNT, about="neurons with an explanation that a prompt was answered by"),
            Column("ratio", "shorter than original", Kind.RATIO),
        ),
        tuple(rows),
        "" if rows else "Needs an explanation that came about: there is none yet.",
    )


def _original(material: Material, model: str, arm: str) -> str | None:
    """The arm of the original format with the same explainer and evidence."""
    mine = material.columns.made_by[arm]
    for other, maker in material.columns.made_by.items():
        same = maker.method == ORIGINAL and maker[1:] == mine[1:]
        if same and any(
            e.model == model and other in material.columns.arms_of(e) for e in material.evaluations
        ):
            return other
    return None


def costs(material: Material) -> Table:
    """LEE Table 7."""
    groups: dict[_Asked, list[Result]] = {}
    for (asked, _), each in _once(material.columns.results).items():
        groups.setdefault(asked, []).append(each)
    arms = material.columns.arms
    rows = []
    for asked in sorted(groups, key=lambda a: (*a[:4], arms.index(a.arm))):
        results = groups[asked]
        n = len(results)
        neurons = len({(each.ref, each.polarity) for each in results})
        known = [each.explain_cost_usd for each in results if each.explain_cost_usd is not None]
        where = Selection(
            asked.model,
            asked.protocol,
            None,
            Metric(asked.judged) if asked.judged else None,
            asked.simulator,
            asked.arm,
        )
        rows.append(
            (
                Entry(asked.model),
                Entry(asked.protocol.value),
                Entry(asked.judged.replace("_", " ") or "all of a simulation"),
                Entry(asked.simulator or "nobody"),
                Entry(asked.arm),
                Entry(1000 * sum(known) / n if len(known) == n else None),
                Entry(1000 * sum(each.cost_usd for each in results) / n, where),
                Entry(1000 * sum(each.explain_seconds for each in results) / n),
                Entry(1000 * sum(each.score_seconds for each in results) / n),
                Entry(sum(each.tokens_in for each in results) / n),
                Entry(sum(each.tokens_out for each in results) / n),
                Entry(n),
                Entry(neurons, where),
            )
        )
    return Table(
        "costs",
        "Cost and time for 1,000 neurons, each explained and scored once",
        "LEE Table 7",
        "What all calls behind a statement and its score took, failed ones included, as a mean over (neuron, seed), times 1,000. Seconds are of calls and computations "
        "one after the other; endpoints that answer several at once take less by the clock. Free endpoints cost nothing here, whatever their machine costs.",
        (
            Column("model", "model", shared=True),
            Column("protocol", "protocol", shared=True),
            Column("scored", "scores", shared=True),
            Column("simulator", "predicted or judged by", shared=True),
            ARM,
            Column("explain_usd", "explaining", Kind.USD),
            Column("usd", "explaining and scoring", Kind.USD),
            Column("explain_seconds", "time explaining", Kind.SECONDS),
            Column("score_seconds", "time scoring", Kind.SECONDS),
            Column("tokens_in", "tokens in, each", Kind.TOKENS),
            Column("tokens_out", "tokens out, each", Kind.TOKENS),
            Column("asked", "times asked", Kind.COUNT),
            Column("neurons", "neurons", Kind.COUNT),
        ),
        tuple(rows),
        "" if rows else "Needs results: there are none yet.",
    )


def failures(material: Material) -> Table:
    """What has no value, by why."""
    found: Counter[tuple[str, str, State, str]] = Counter()
    for each in material.columns.results:
        if each.state is not State.OK:
            found[each.ref.model, each.arm, each.state, each.reason] += 1
    arms, states = material.columns.arms, list(State)
    rows = []
    shown: Counter[tuple[str, str, State]] = Counter()
    rest: Counter[tuple[str, str, State]] = Counter()
    for (model, arm, state, reason), n in found.most_common():
        key = (model, arm, state)
        shown[key] += 1
        if shown[key] > MOST_REASONS:
            rest[key] += n
        else:
            rows.append((model, arm, state, reason, n))
    rows += [(*key, "other reasons", n) for key, n in rest.items()]
    rows.sort(key=lambda row: (row[0], arms.index(row[1]), states.index(row[2]), -row[4]))
    return Table(
        "failures",
        "Results without a value, by why",
        "",
        "One result is one metric of one explanation on one kind of records, so that an explanation that failed is as many as would have been scored. None of these is in any "
        "mean; constant predictions are counted as 0 in the means that say so.",
        (
            Column("model", "model", shared=True),
            ARM,
            Column("state", "state"),
            Column("reason", "why"),
            Column("results", "results", Kind.COUNT),
        ),
        tuple(
            (
                Entry(model),
                Entry(arm),
                Entry(state.replace("_", " ")),
                Entry(reason),
                Entry(n, Selection(model=model, arm=arm, state=state)),
            )
            for model, arm, state, reason, n in rows
        ),
        ""
        if rows
        else (
            "Every result so far has a value."
            if material.columns.results
            else "Needs results: there are none yet."
        ),
    )

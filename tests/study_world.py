"""A small store with a rating study in it: neurons that two or three methods describe, and raters who answer."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from app.domain.experiments import Rule, SampleRule
from app.domain.explanations import Method, State
from app.domain.neurons import NeuronRef, Polarity
from app.domain.studies import Consent, StudyArm, StudyContrast, StudyDefinition, Task
from app.domain.study_replies import LEFT, Reply, ReplyKind, pair_subject
from app.store import Store, explanations, neurons
from app.store.excerpts import ExcerptCache
from app.store.study_rows import RaterRow, RaterState, StudyRow
from app.study.rating import At, Rating
from app.study.service import Actor, Studies
from tests import factories

OWNER = Actor("Ada", "browser-ada")
METHODS = (Method.ORIGINAL, Method.SUMMARY, Method.AVHS)
# In the second neuron two methods say the same once they are set alike.
TEXTS = {
    Method.ORIGINAL: "words about the sea",
    Method.SUMMARY: "ships  and harbours",
    Method.AVHS: "numbers",
}
SAME = " Words about  the sea."


def refs(n: int = 3) -> list[NeuronRef]:
    """Neurons of both layers in turn."""
    return [NeuronRef(factories.SLUG, layer, i) for i in range(n) for layer in factories.LAYERS][:n]


def describe(store: Store, of: Sequence[NeuronRef], methods: Sequence[Method] = METHODS) -> None:
    """An explanation of each neuron by each method."""
    table = ExcerptCache.get(store, factories.SLUG)
    with store.session() as s:
        for (i, ref), method in itertools.product(enumerate(of), methods):
            records = neurons.records(s, table, ref)
            text = SAME if i == 1 and method is Method.AVHS else f"{TEXTS[method]}{'' if i == 1 else f' {i}'}"
            explanations.add(
                s,
                ref,
                text,
                Polarity.POSITIVE,
                factories.provenance(records, method=method),
                State.OK,
                "",
                None,
                f"study-{ref}-{method}",
            )


def definition(n: int = 3, **changes: Any) -> StudyDefinition:
    """Three methods on n named neurons, two raters, one practice puzzle."""
    usual = StudyDefinition(
        name="Which format do people prefer?",
        title="Descriptions of neurons",
        question="Is summary better than original?",
        instructions="Look at the texts, then rate each description.",
        samples=(SampleRule(Rule.NEURONS, neurons=tuple(str(ref) for ref in refs(n))),),
        arms=tuple(StudyArm(method.value) for method in METHODS),
        raters=2,
        contrasts=(StudyContrast("summary", "original"),),
        consent=Consent("You may stop at any time.", "ada@example.org", "nothing", "before the end", "2030"),
        seed=5,
    )
    return replace(usual, **changes)


def opened(store: Store, n: int = 3, **changes: Any) -> StudyRow:
    """A study that raters can come to."""
    wanted = definition(n, **changes)
    if wanted.arms:
        describe(store, refs(n))
    made = Studies(store)
    return made.start(made.make(wanted, OWNER).id, OWNER)


def come(store: Store, study: StudyRow) -> RaterRow:
    """A rater who came by the open link, agreed, and passed the practice."""
    rating = Rating(store)
    rater = rating.arrive(study.code)
    at = rating.consent(study.code, rater.secret)
    if at.rater.state is RaterState.PRACTISING:
        for number in range(1, len(at.now) + 1):
            answer(store, study, rater.secret, number)
    return rater


def replies(study: StudyRow, at: At, shown: Any, rating: int = 4) -> list[Reply]:
    """A whole answer: right where a right answer is known, else `rating` for the first text and one less for the others."""
    sitting, item = shown.place.sitting, shown.item
    right = [i for i in sitting.texts if item.texts[i].right is True]
    first = (
        right[0]
        if right
        else next(i for i in sitting.texts if item.texts[i].right is not False)
        if sitting.texts
        else 0
    )
    found: list[Reply] = []
    for task in study.definition.tasks:
        if task is Task.RATE:
            for i in sitting.texts:
                bad = item.texts[i].right is False
                found.append(
                    Reply(
                        ReplyKind.RATE,
                        str(i),
                        str(1 if bad else rating if i == first else max(1, rating - 1)),
                    )
                )
        elif task is Task.BEST:
            found.append(Reply(ReplyKind.BEST, "", str(first)))
        elif task is Task.RANK:
            order = [first, *(i for i in sitting.texts if i != first)]
            found += [Reply(ReplyKind.RANK, str(i), str(n)) for n, i in enumerate(order, 1)]
        elif task is Task.PAIR:
            found += [Reply(ReplyKind.PAIR, pair_subject(pair), LEFT) for pair in sitting.pairs]
        elif task is Task.WRITE:
            found.append(Reply(ReplyKind.WRITE, "", "words about ships"))
        else:
            found += [Reply(ReplyKind.SIMULATE, str(i), "1,3") for i in range(len(item.records))]
    return found


def answer(store: Store, study: StudyRow, secret: str, number: int, rating: int = 4) -> At:
    """The n-th item answered whole."""
    by = Rating(store)
    at, shown = by.show(study.code, secret, number)
    after, saved = by.finish(study.code, secret, number, replies(study, at, shown, rating))
    assert saved.missing == ()
    return after


def rate_all(store: Store, study: StudyRow, rating: int = 4) -> RaterRow:
    """A rater who does everything."""
    rater = come(store, study)
    at = Rating(store).at(study.code, rater.secret)
    assert at is not None
    for number in range(1, len(at.real) + 1):
        at = answer(store, study, rater.secret, number, rating)
    assert at.rater.state is RaterState.DONE
    return at.rater

"""Revisions in the store: what counts as seen, what may be scored on, and how many sentences were false positives."""

from collections.abc import Sequence

import pytest

from app.domain.explanations import Method, Provenance, State, Step
from app.domain.live_texts import PROBE, LiveText, Role, Sentence, dumps, live_data, to_step
from app.domain.neurons import NeuronRef, Polarity
from app.errors import BadInput
from app.store import Session, explanations, heldout, revisions
from tests.conftest import Full

POSITIVE = Polarity.POSITIVE


def sentence(text: str, role: Role, *, active: bool = True) -> Step:
    return to_step(Sentence(LiveText(text, (1, 2, 3), (0.5, -0.25, 2.0)), role, active, 0.1))


def add(
    s: Session,
    ref: NeuronRef,
    key: str,
    method: Method = Method.REVISION,
    source: int | None = None,
    steps: Sequence[Step] = (),
    text: str | None = "words about the sea",
    polarity: Polarity = POSITIVE,
) -> int:
    seen = tuple(heldout.explain_excerpts(s, ref)[:2])
    return explanations.add(
        s,
        ref,
        text,
        polarity,
        Provenance(method, "scripted / m", excerpts=seen),
        State.OK if text else State.FAILED,
        "" if text else "no answer",
        None,
        key,
        source_id=source,
        steps=steps,
    )


def test_kept_sentences_come_back_and_evidence_is_what_was_seen(full: Full) -> None:
    ref = full.tiny.plain
    with full.store.session() as s:
        source = add(s, ref, "a", Method.SUMMARY)
        steps = [
            sentence("It rained.", Role.EVIDENCE),
            sentence('He said “"false_positive":true”.', Role.KEPT, active=False),
            Step("rejected", "{}"),
        ]
        revision = add(s, ref, "b", source=source, steps=steps)
        assert [one.live.text for one in revisions.sentences(s, revision)] == [
            "It rained.",
            'He said “"false_positive":true”.',
        ]
        kept = revisions.kept(s, revision, explanations.get(s, source))
        assert [(one.role, one.false_positive, one.live.activations) for one in kept] == [
            (Role.KEPT, True, (0.5, -0.25, 2.0))
        ]
        assert revisions.seen_texts(s, revision) == {"it rained"}
        probe = Step(PROBE, dumps(live_data(LiveText("A probe!", (1, 2, 3), (0.0, 0.0, 0.0)))))
        later = add(s, ref, "c", Method.PROBING, source=revision, steps=[probe])
        assert revisions.seen_texts(s, later) == {"it rained", "a probe"}
        assert revisions.revisions(s, source) == [revision] and revisions.revisions(s, revision) == []


def test_what_was_made_from_a_kept_sentence_is_not_scored_on_it(full: Full) -> None:
    ref = full.tiny.plain
    with full.store.session() as s:
        source = add(s, ref, "a", Method.SUMMARY)
        one = add(s, ref, "b", source=source, steps=[sentence("It rained.", Role.KEPT)])
        other = add(
            s,
            ref,
            "c",
            source=source,
            steps=[sentence("it RAINED", Role.EVIDENCE), sentence("So.", Role.KEPT)],
        )
        child = add(s, ref, "d", Method.RE_EXPLANATION, source=other)
        for seer in (other, child):  # what a source has seen counts
            with pytest.raises(BadInput, match=r"not held out: explanation \d+ was made from 1 of the 1"):
                revisions.kept(s, one, explanations.get(s, seer))
        assert revisions.kept(s, other, explanations.get(s, one))


def test_only_a_revision_of_the_same_neuron_that_came_about_has_a_set(full: Full) -> None:
    ref = full.tiny.plain
    steps = [sentence("It rained.", Role.KEPT)]
    with full.store.session() as s:
        source = add(s, ref, "a", Method.SUMMARY)
        row = explanations.get(s, source)
        for i, (method, text, mine) in enumerate(
            [
                (Method.REVISION, None, steps),
                (Method.REVISION_RANDOM, "x y", steps),
                (Method.REVISION, "x y", []),
            ]
        ):
            made = add(s, ref, f"b{i}", method, source, mine, text)
            with pytest.raises(BadInput, match="no revision with sentences kept"):
                revisions.kept(s, made, row)
        elsewhere = add(s, full.tiny.explained, "c", steps=steps)
        with pytest.raises(BadInput, match="tested"):
            revisions.kept(s, elsewhere, row)
        negative = add(s, ref, "d", steps=steps, polarity=Polarity.NEGATIVE)
        with pytest.raises(BadInput, match="negative"):
            revisions.kept(s, negative, row)


def test_false_positives_are_counted_over_sentences_and_neurons(full: Full) -> None:
    first, second = full.tiny.plain, full.tiny.explained
    with full.store.session() as s:
        assert revisions.false_positives(s, full.tiny.slug) == (0, 0, 0, 0)
        assert revisions.false_positives(s, full.tiny.slug).share is None
        wrong, right = sentence("a b c", Role.KEPT, active=False), sentence("d e f", Role.EVIDENCE)
        add(s, first, "a", steps=[wrong, right, right])
        add(s, first, "b", steps=[wrong, wrong], text=None)  # no revision came of them, but they were run
        add(s, second, "c", steps=[right])
        add(s, second, "d", Method.REVISION_RANDOM, steps=[right])  # nobody said that these would fit
        found = revisions.false_positives(s, full.tiny.slug)
        assert found == (6, 3, 2, 1)
        assert (found.share, found.neuron_share) == (0.5, 0.5)
        assert revisions.of_model(s, full.tiny.slug) == sorted(
            revisions.of_model(s, full.tiny.slug), reverse=True
        )
        assert len(revisions.of_model(s, full.tiny.slug)) == 3

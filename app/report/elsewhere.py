"""Tables of what results alone do not hold: puzzles and people's preferences."""

from app.report.values import Column, Entry, Figure, Kind, Material, Point, Table


def puzzles(material: Material) -> Table:
    """LEE Table 4, and BILLS' ranks of the truth."""
    runs = material.facts.puzzles
    return Table(
        "puzzles",
        "Neuron puzzles",
        "LEE Table 4; BILLS, neuron puzzles",
        "Puzzles have a known answer. Right: the explanation says it, by the judge named (similarity to the truth, a named language model, or a blind person). Ranked first, in the top two: "
        "scoring put the true explanation before all (or all but one) of the false ones. k / n: n are the puzzles with a verdict, or with a place.",
        (
            Column("method", "method"),
            Column("explainer", "explainer"),
            Column("judge", "judged or simulated by"),
            Column("right", "right", Kind.COUNT),
            Column("judged", "judged", Kind.COUNT, joined=" / "),
            Column("right_revised", "right, with revision", Kind.COUNT),
            Column("judged_revised", "judged, with revision", Kind.COUNT, joined=" / "),
            Column("first", "truth ranked first", Kind.COUNT),
            Column("top_two", "in the top two", Kind.COUNT),
            Column("ranked", "ranked", Kind.COUNT, joined=" / "),
            Column("puzzles", "puzzles", Kind.COUNT),
        ),
        tuple(
            (
                Entry(run.method),
                Entry(run.explainer or "none"),
                Entry(run.by),
                Entry(run.right),
                Entry(run.judged),
                Entry(run.right_revised),
                Entry(run.judged_revised),
                Entry(run.first),
                Entry(run.top_two),
                Entry(run.ranked),
                Entry(run.puzzles),
            )
            for run in runs
        ),
        ""
        if runs
        else "Needs this experiment’s methods and explainers run on the neuron puzzles: see /puzzles.",
    )


def preferences(material: Material) -> Figure:
    """BILLS: how often people prefer the better-scored of two explanations, by how far apart the scores are."""
    return Figure(
        "preferences",
        "How often people prefer the better-scored explanation, by the gap",
        "BILLS, preference by score gap",
        "Of two explanations of one neuron that a person rated differently in a closed study, how often the one with the higher primary score was rated higher.",
        "score gap",
        "share preferred",
        tuple(
            Point(
                (each.gap_low + each.gap_high) / 2,
                each.preferred / each.ratings,
                f"gap {each.gap_low:g} to {each.gap_high:g}: {each.preferred} of {each.ratings} ratings prefer the better-scored one",
                None,
                n=each.ratings,
            )
            for each in material.facts.preferences
            if each.ratings
        ),
        needs="Needs a closed rating study (/studies) in which people rated two or more of these explanations of one neuron.",
    )

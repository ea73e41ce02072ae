"""What has to stand beside certain scores wherever they are shown: chance floors, rates, on what they were counted."""

import json

from app.domain.explanations import Metric, Protocol, ScoreValue, State
from app.web.formats import number, plural, shown


def note(value: ScoreValue) -> str:
    """In words, what a score cannot be read without; empty where there is nothing to add."""
    if value.state is not State.OK or value.protocol not in (Protocol.WINDOWS, Protocol.REFERENCE):
        return ""
    said = json.loads(value.parameters_json)
    if value.metric is Metric.EMBEDDING:
        by = said["reference_explainer"]
        maker = said["reference_method"].replace("_", " ") + (f" by {by}" if by not in ("", "none") else "")
        return (
            f"chance floor {number(said['chance_floor'])} ({plural(said['others'], 'other neuron')}),"
            f" against explanation {said['reference']}, {shown(maker)}"
        )
    words = [
        f"chance 0.50, right on {said['active']} active {number(said['true_positive_rate'])}, on {said['inactive']} inactive"
        f" {number(said['true_negative_rate'])}"
    ]
    if "auroc" in said:
        words.append(f"AUROC {number(said['auroc'])}")
    words.append("windows of live held-out text" if said["source"] == "live" else "windows of stored records")
    if value.metric is Metric.FUZZING and said["decoys"] == "active":
        words.append("decoys active too")
    if said["per_prompt"] > 1:
        words.append(f"{said['per_prompt']} a prompt")
    return ", ".join(words)


def beside(value: ScoreValue) -> str:
    """The same for a line of text."""
    words = note(value)
    return f" ({words})" if words else ""


def counted(value: ScoreValue) -> str:
    """On what a score was computed, for a line of text; ends so that more may follow."""
    if value.protocol is Protocol.REFERENCE:
        return ""
    unit = "windows" if value.protocol is Protocol.WINDOWS else "records"
    return f"{value.n_records} {unit}, {value.n_documents} documents; "

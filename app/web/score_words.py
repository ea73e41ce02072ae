"""What has to stand beside a score's value so that it can be understood."""

import json

from app.domain.explanations import BINARY_METRICS, Metric, Protocol, ScoreValue, State
from app.web.formats import number, percent, short
from app.web.score_notes import note


def basis(score: ScoreValue) -> str:
    """Of the metrics of active tokens: the base rate of average precision, when a token is active, where predictions are
    cut; of judged windows and of similarities what chance gives; empty for others and for what was imported without it.
    """
    if score.protocol in (Protocol.WINDOWS, Protocol.REFERENCE):
        return note(score)
    if score.metric not in BINARY_METRICS or score.state is not State.OK:
        return ""
    said = json.loads(score.parameters_json)
    needed = ("threshold", "base_rate" if score.metric is Metric.AUPRC else "cut")
    if not all(isinstance(said.get(name), float | int) for name in needed):
        return ""
    parts = []
    if score.metric is Metric.AUPRC:
        parts.append(f"base rate {number(said['base_rate'], 3)}")
    else:
        parts.append(f"predicted above {short(said['cut'])}, the best of dev")
    alpha = said.get("alpha")
    of = f", the strongest {percent(alpha)} of tokens" if alpha is not None else ", no quantile known"
    return f"{'; '.join(parts)}; active above {short(said['threshold'])}{of}"

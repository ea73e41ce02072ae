"""States, methods and measures in the words that pages use."""

from app.domain.explanations import (
    Band,
    CutOff,
    Method,
    Metric,
    Protocol,
    Sample,
    ScaleMaximum,
    SimulatorName,
    State,
    TokenSource,
)
from app.domain.ideal import Scheme
from app.domain.imported import NOT_TOLD
from app.domain.windows import Decoys, WindowSource

STATES = {
    State.OK: "",
    State.FAILED: "could not be computed",
    State.CONSTANT_PREDICTION: "undefined: the prediction is the same everywhere",
    State.CONSTANT_ACTUAL: "undefined: the neuron is the same everywhere",
    State.TOO_FEW_ACTIVE: "undefined: too few active tokens",
    State.TOO_FEW_RECORDS: "undefined: too few records",
    State.NO_CALIBRATION: "undefined: nothing to calibrate on",
}
METHODS = {
    Method.SUMMARY: "Summary: plain excerpts, then the tokens that fire",
    Method.HIGHLIGHT: "Highlight: firing tokens in [brackets]",
    Method.HS: "Highlight and summary",
    Method.AVHS: "Highlight and summary with values",
    Method.ORIGINAL: "Original: every token with its value",
    Method.TOKEN_LOOKUP: "Token lookup: mean activation by token",
    Method.TOKEN_SPACE: "Token space: its strongest tokens, no text",
    Method.OUTPUT_TOKENS: "Output tokens: what its output weights promote",
    Method.NEXT_TOKEN: "Next token: what follows where it fires",
    Method.TOKEN_LINEAR: "Token linear: its input weights as they are",
    Method.REVISION: "Revision: tested on sentences of its own",
    Method.REVISION_RANDOM: "Revision with random sentences (control)",
    Method.RE_EXPLANATION: "Explained once more (control)",
    Method.PROBING: "Probing: tests its hypotheses on the live model",
    Method.TRANSFER: "Transfer: another neuron's explanation",
    Method.HUMAN: "Human: written by a person",
}
# As the form lists them: by what a method works from.
METHOD_GROUPS = {
    "Shows excerpts to a language model": (
        Method.SUMMARY,
        Method.HIGHLIGHT,
        Method.HS,
        Method.AVHS,
        Method.ORIGINAL,
        Method.NEXT_TOKEN,
    ),
    "Shows tokens alone to a language model": (Method.TOKEN_SPACE, Method.OUTPUT_TOKENS),
    "No language model": (Method.TOKEN_LOOKUP, Method.TOKEN_LINEAR),
}
TOKEN_SOURCES = {
    TokenSource.ACTIVATION: "mean activation",
    TokenSource.WEIGHT: "input weight, from the model",
}
SIMULATORS = {
    SimulatorName.LOCAL: "Local simulator",
    SimulatorName.CHAT_JSON: "Chat model, JSON",
    SimulatorName.LOGPROBS: "Completion logprobs",
    SimulatorName.ONE_AT_A_TIME: "One token at a time",
    SimulatorName.TOKEN_LOOKUP: "Token lookup, for what it says itself",
    SimulatorName.TOKEN_LINEAR: "Token linear, for what it says itself",
}
PROTOCOLS = {
    Protocol.HELDOUT_FULL: "all held-out records",
    Protocol.HELDOUT_5_5: "5 strong + 5 random, held out",
    Protocol.POPULATION: "the whole population, weighted",
    Protocol.BILLS_5_5: "5 + 5 as published (imported data)",
    Protocol.AS_IMPORTED: "as imported: on which records is not known",
    Protocol.GENERATED: "5 strong + 5 random, and sentences made to test it",
    Protocol.WINDOWS: "50 active + 50 inactive windows, held out",
    Protocol.REFERENCE: "against another explanation, no records",
}
USUAL_PROTOCOL = "all held-out, or 5 + 5 with a language model"
SAMPLES = {
    Sample.TOP_AND_RANDOM: "top and random",
    Sample.RANDOM_ONLY: "random only",
    Sample.POPULATION: "population",
    Sample.AS_IMPORTED: "not told",
    Sample.GENERATED: "with generated sentences",
    Sample.WINDOWS: "active and inactive windows",
    Sample.REFERENCE: "reference",
}
SCHEMES = {
    Scheme.TOP_5_RANDOM_5: "5 strongest and 5 random excerpts",
    Scheme.TOP_8_RANDOM_12: "8 strongest and 12 random excerpts",
    Scheme.RANDOM_5: "5 random excerpts",
    Scheme.RANDOM_12: "12 random excerpts",
    Scheme.POPULATION: "excerpts of every band, weighted",
    Scheme.WINDOWS: "50 active and 50 inactive windows",
    Scheme.ALL_TEXT: "300,000 tokens of running text",
}
METRICS = {
    Metric.CORRELATION: "correlation",
    Metric.R_SQUARED: "R²",
    Metric.R_SQUARED_UNCENTRED: "R², uncentred",
    Metric.ABS_DEV_EXPLAINED: "absolute deviation explained",
    Metric.COSINE: "cosine",
    Metric.AUPRC: "AUPRC",
    Metric.F1: "F1",
    Metric.IOU: "IoU",
    Metric.ABLATION: "ablation",
    Metric.DETECTION: "detection",
    Metric.FUZZING: "fuzzing",
    Metric.EMBEDDING: "embedding",
}
JUDGED = {
    Metric.DETECTION: "Detection: which windows fire it",
    Metric.FUZZING: "Fuzzing: are the marked tokens those that fire it",
}
SOURCES = {
    WindowSource.LIVE: "of held-out text run through the model",
    WindowSource.STORED: "of its stored held-out records",
}
DECOYS = {
    Decoys.INACTIVE: "windows that do not fire it",
    Decoys.ACTIVE: "windows that fire it, at other tokens",
}
CUT_OFFS = {
    CutOff.TOKEN_Q99: "99 % of tokens",
    CutOff.EXCERPT_MAX_Q99: "99 % of excerpt maxima",
    CutOff.SHOWN_Q90: "90 % of what is shown",
}
MAXIMA = {
    ScaleMaximum.SHOWN: "of the records shown",
    ScaleMaximum.ALL: "of all that was seen",
}
BANDS = {
    Band.TOP: "the strongest",
    Band.MIXED: "strongest, one of each band, random",
    Band.Q4: "highest band, 99 % and above",
    Band.Q3: "90 to 99 % band",
    Band.Q2: "50 to 90 % band",
    Band.Q1: "lower half",
    Band.RANDOM: "random",
}
CAVEATS = {
    Protocol.GENERATED: "The generated sentences were written to fit an earlier statement and were not seen by the revised one. They say where a "
    "statement is too broad, not how often the neuron fires.",
    Protocol.WINDOWS: "As many active windows as inactive ones: an explanation that is too broad is hardly punished.",
    Protocol.REFERENCE: "Two statements that sound alike need not predict alike; compare with the chance floor.",
    Protocol.AS_IMPORTED: "These scores came with the explanations. On which records they were computed, and whether those were held out, "
    "nobody can tell here: compare them with each other at most, and only within one source.",
    Protocol.HELDOUT_FULL: "Correlation on strong and random records does not punish an explanation for being too broad.",
    Protocol.HELDOUT_5_5: "Correlation on strong and random records does not punish an explanation for being too broad.",
    Protocol.BILLS_5_5: "Correlation on strong and random records does not punish an explanation for being too broad.",
    Protocol.POPULATION: "A rough estimate over all text from two records a band: an explanation that is too broad or too narrow pays for it, "
    "but a single neuron's value may be off by 0.1 or more, and the interval is too narrow.",
}


def name(value: str) -> str:
    """A method or simulator in prose."""
    return value.replace("_", " ")


def simulated_by(simulator: str, model: str) -> str:
    """Who simulated: `chat json by endpoint / model`, or a model as published."""
    if simulator == "published":
        return f"{model}, as published" if model else "as published"
    if simulator == NOT_TOLD:
        return "simulator not told"
    return name(simulator) + (f" by {model}" if model else "")

"""Forms that particular people publish explanations in: LEE's five methods, Neuronpedia, delphi."""

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson

from app.domain.explanations import Method, Metric, Protocol, Sample, State
from app.domain.imported import NOT_TOLD, ImportedExplanation, ImportedScore
from app.errors import BadInput
from app.exchange import files, values
from app.exchange.columns import Given, Skipped, Source, Wishes, plain
from app.exchange.files import Row


class Form(StrEnum):
    """The forms that explanations are read in."""

    AUTO = "auto"
    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"
    LEE = "lee"
    NEURONPEDIA = "neuronpedia"
    DELPHI = "delphi"
    OPENAI = "openai"


LEE_COLUMNS = {
    "original": Method.ORIGINAL,
    "summary": Method.SUMMARY,
    "highlight": Method.HIGHLIGHT,
    "highlightsummary": Method.HS,
    "avhs": Method.AVHS,
}
NEURONPEDIA_METRICS = {
    "eleuther_recall": Metric.DETECTION,
    "eleuther_fuzz": Metric.FUZZING,
    "eleuther_embedding": Metric.EMBEDDING,
}
NEURONPEDIA_MODELS = {"gpt2-small": "gpt2"}
DELPHI_METRICS = {"detection": Metric.DETECTION, "fuzz": Metric.FUZZING, "fuzzing": Metric.FUZZING}
_DELPHI_NAME = re.compile(r"(?P<hook>.+)_latent(?P<index>[0-9]{1,9})\.(?:txt|json)")
_HOOK_LAYER = re.compile(r"(?:^|\.)(?:layers|h|blocks)\.([0-9]{1,4})(?:\.(.+))?$")
THRESHOLD = 0.5  # of a prediction given as a number, as delphi's own summary has it


def is_lee(names: list[str]) -> bool:
    """Whether a table has LEE's columns."""
    return {*LEE_COLUMNS, "layer", "neuron"} <= {plain(name) for name in names}


def is_neuronpedia(row: Mapping[str, Any]) -> bool:
    """Whether a row is an explanation of Neuronpedia's export, or a feature of its API with explanations."""
    return "modelId" in row and "index" in row and ("description" in row or "explanations" in row)


def is_puzzle(value: Any) -> bool:
    """Whether a JSON value is a set of neuron puzzles."""
    return (
        isinstance(value, dict)
        and bool(value)
        and all(
            isinstance(each, dict) and "sentences" in each and "explanation" in each
            for each in value.values()
        )
    )


def lee(rows: Iterator[Row], wishes: Wishes) -> Iterator[Given | Skipped]:
    """Five statements a row, by five methods."""
    for row in rows:
        cells = {plain(name): value for name, value in row.values.items()}
        for column, method in LEE_COLUMNS.items():
            try:
                statement = ImportedExplanation(
                    values.layer(cells["layer"]), values.index(cells["neuron"]), values.text(cells[column])
                )
            except values.Problem as problem:
                yield Skipped(row.line, f"{method}: {problem}")
                continue
            source = Source(method, wishes.explainer or NOT_TOLD, wishes.author or NOT_TOLD)
            yield Given(row.line, "", source, statement)


def neuronpedia(rows: Iterator[Row], wishes: Wishes) -> Iterator[Given | Skipped]:
    """Explanations of the bulk export, or features of the API that hold theirs. Latents that are no neurons are skipped."""
    for row in rows:
        inner = row.values.get("explanations")
        for each in inner if isinstance(inner, list) else [row.values]:
            if not isinstance(each, Mapping):
                yield Skipped(row.line, "an explanation that is no object")
                continue
            try:
                yield _neuronpedia(row, {**row.values, **each}, wishes)
            except values.Problem as problem:
                yield Skipped(row.line, str(problem))


def _neuronpedia(row: Row, cells: Mapping[str, Any], wishes: Wishes) -> Given:
    scores, notes = [], []
    for each in cells.get("scores") or ():
        kind = each.get("explanationScoreTypeName") if isinstance(each, Mapping) else None
        if kind not in NEURONPEDIA_METRICS:
            notes.append(f"a score by “{files.shown(kind)}”, which the store does not know, was left out")
            continue
        made = values.score(each.get("value"), NEURONPEDIA_METRICS[kind], Protocol.AS_IMPORTED)
        by = each.get("explanationScoreModelName")
        scores.append(
            made._replace(claims_json=orjson.dumps({"simulator_model": by}).decode()) if by else made
        )
    model = values.word(cells.get("modelId"), "")
    statement = ImportedExplanation(
        values.layer(cells.get("layer")),
        values.index(cells.get("index")),
        values.text(cells.get("description")),
        scores=tuple(scores),
        created_at=values.moment(cells.get("createdAt")),
    )
    source = Source(
        wishes.method or cells.get("typeName") or "neuronpedia",
        wishes.explainer or cells.get("explanationModelName") or NOT_TOLD,
        wishes.author or "Neuronpedia",
    )
    return Given(row.line, NEURONPEDIA_MODELS.get(model, model), source, statement, tuple(notes))


def delphi(folder: Path, wishes: Wishes) -> Iterator[Given | Skipped]:
    """The folder of a delphi run: `explanations/` with a JSON string a latent, beside it `scores/detection` and
    `scores/fuzz` with a list of classified examples each. Files are counted in the order of their names.
    """
    for number, file in enumerate(_delphi_files(folder), 1):
        try:
            yield _delphi(number, folder, file, wishes)
        except values.Problem as problem:
            yield Skipped(number, f"{file.name}: {problem}")


def _delphi(number: int, folder: Path, file: Path, wishes: Wishes) -> Given:
    named = _DELPHI_NAME.fullmatch(file.name)
    hook = _HOOK_LAYER.search(named["hook"]) if named else None
    if named is None or hook is None:
        raise values.Problem("its name is not such as layers.5.mlp_latent12.txt")
    statement = _json(file)
    if isinstance(statement, Mapping):
        statement = statement.get("explanation")
    found = ImportedExplanation(
        int(hook[1]),
        values.index(named["index"]),
        values.text(statement),
        scores=_delphi_scores(folder, file.name),
    )
    source = Source(wishes.method or "delphi", wishes.explainer or NOT_TOLD, wishes.author or NOT_TOLD)
    return Given(number, "", source, found)


def _delphi_files(folder: Path) -> list[Path]:
    inside = folder / "explanations"
    if not inside.is_dir():
        raise BadInput(
            f"{folder} is a folder without explanations/: name a file, or the folder of a delphi run"
        )
    found = sorted(file for file in inside.iterdir() if file.suffix in (".txt", ".json"))
    if not found:
        raise BadInput(f"{inside} holds no explanations")
    return found


def _delphi_scores(folder: Path, name: str) -> tuple[ImportedScore, ...]:
    found = []
    for kind, metric in DELPHI_METRICS.items():
        file = folder / "scores" / kind / name
        if file.is_file():
            found.append(_balanced(metric, _json(file)))
    return tuple(found)


def _balanced(metric: Metric, examples: Any) -> ImportedScore:
    """The class-balanced accuracy over the examples that were answered: the mean of the two classes' shares correct.

    This is what delphi's own summary calls accuracy. Without an answered example of either class it is undefined.
    """
    blank = ImportedScore(metric, Protocol.AS_IMPORTED, Sample.AS_IMPORTED, None)
    if not isinstance(examples, list) or not all(isinstance(each, Mapping) for each in examples):
        raise values.Problem(f"its {metric} scores are no list of examples")
    right: dict[bool, list[bool]] = {True: [], False: []}
    for each in examples:
        active, said = each.get("activating", each.get("ground_truth")), each.get("prediction")
        if active is None or said is None:
            continue
        right[bool(active)].append((float(said) >= THRESHOLD) == bool(active))
    n = sum(map(len, right.values()))
    if not all(right.values()):
        reason = "The scorer answered no example of one of the two classes."
        return blank._replace(state=State.TOO_FEW_RECORDS, reason=reason, n_records=n)
    value = sum(sum(of) / len(of) for of in right.values()) / 2
    return blank._replace(value=value, n_records=n)


def _json(file: Path) -> Any:
    try:
        return files.parse(file.read_bytes())
    except OSError as error:
        raise values.Problem(f"cannot be read: {error.strerror}") from None
    except ValueError:
        raise values.Problem(f"{file.parent.name}/{file.name} is not JSON, or cut off") from None

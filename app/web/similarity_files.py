"""The table of similarities as text, CSV and JSON: the same numbers as its page."""

import csv
import io
import json

from app.jobs.similarity_table import Line, Table, key

COLUMNS = (
    "method", "explainer", "neurons", "explanations", "similarity", "chance_floor", "difference", "low", "high", "left_out",
    "not_embedded", "why_none",
)  # fmt: skip


def row(line: Line) -> dict[str, object]:
    """One maker against the reference, by the names of `COLUMNS`."""
    found = line.summary
    return {
        "method": line.maker.method,
        "explainer": line.maker.explainer,
        "neurons": found.neurons if found else 0,
        "explanations": line.explanations,
        "similarity": found.similarity if found else None,
        "chance_floor": found.floor if found else None,
        "difference": found.difference if found else None,
        "low": found.low if found else None,
        "high": found.high if found else None,
        "left_out": line.left_out,
        "not_embedded": line.not_embedded,
        "why_none": line.why,
    }


def text(table: Table) -> str:
    """For a terminal."""
    out = [
        f"{table.model}: similarity to {key(table.reference)} ({table.references:,} neurons), by {table.embedder.name}",
        f"{'method':<34} {'n':>7} {'similarity':>10} {'chance':>7} {'difference':>10}  95 % interval",
    ]
    for line in table.lines:
        name, found = key(line.maker), line.summary
        if found is None:
            out.append(f"{name:<34} {line.why}")
            continue
        interval = (
            "none" if found.low is None or found.high is None else f"[{found.low:.3f}, {found.high:.3f}]"
        )
        out.append(
            f"{name:<34} {found.neurons:>7,} {found.similarity:>10.3f} {found.floor:>7.3f} {found.difference:>+10.3f}  {interval}"
        )
    left = [f"{key(line.maker)} {line.left_out:,}" for line in table.lines if line.left_out]
    if left:
        out.append(f"Left out, without a reference: {', '.join(left)} neurons.")
    if table.not_embedded:
        missing = [f"{key(line.maker)} {line.not_embedded:,}" for line in table.lines if line.not_embedded]
        out.append(
            f"Left out, not embedded yet: {', '.join(missing)} neurons. Run `neuronarium embed {table.model}`."
        )
    if table.several:
        out.append(f"{table.several:,} neurons have several references: the newest counts.")
    return "\n".join(out) + "\n"


def csv_text(table: Table) -> str:
    """One row a maker; every number whole."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for line in table.lines:
        cells = {name: "" if value is None else value for name, value in row(line).items()}
        writer.writerow(cells)
    return out.getvalue()


def json_text(table: Table) -> str:
    """Everything, as the API has it."""
    return json.dumps(value(table), ensure_ascii=False, indent=2) + "\n"


def value(table: Table) -> dict[str, object]:
    """Everything, as a JSON object."""
    return {
        "model": table.model,
        "reference": {"method": table.reference.method, "explainer": table.reference.explainer},
        "embedder": table.embedder.name,
        "embedder_revision": table.embedder.revision,
        "references": table.references,
        "several_references": table.several,
        "lines": [row(line) for line in table.lines],
    }

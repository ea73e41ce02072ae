"""The API's form of an experiment's report."""

from pydantic import Field

from app.web.api.schemas import Schema

Value = str | bool | int | float | None


class ReportHeading(Schema):
    """Which experiment a report is of, and how much is in it."""

    experiment: str = Field(examples=["7"])
    name: str = Field(examples=["Five methods"])
    definition_sha256: str = Field(examples=["9e0b1fd187525458"])
    models: list[str] = Field(examples=[["smollm2-135m-instruct"]])
    explainers: list[str] = Field(examples=[["demo / SmolLM2-135M-Instruct"]])
    simulators: list[str] = Field(examples=[["local / SmolLM2-135M-Instruct"]])
    protocols: list[str] = Field(examples=[["heldout-full"]])
    neurons: int = Field(description="With any result.", examples=[40])
    neurons_asked: int | None = Field(examples=[40])
    results: int = Field(description="With or without a value.", examples=[1600])
    results_expected: int | None = Field(description="When everything is done.", examples=[1600])
    results_without_value: int = Field(examples=[12])
    failures: dict[str, int] = Field(description="Those, by state.", examples=[{"constant_prediction": 12}])


class ReportColumn(Schema):
    """A column of a table."""

    key: str = Field(examples=["mean"])
    label: str = Field(examples=["mean ± SEM"])
    kind: str = Field(description="What its values are.", examples=["score"])
    about: str = Field(examples=["standard error of the mean over neurons"])


class ReportTable(Schema):
    """A table; docs/reports.md says how each is computed."""

    key: str = Field(examples=["scores"])
    title: str = Field(examples=["Scores by method and sample"])
    source: str = Field(description="The paper's table.", examples=["LEE Table 2"])
    how: str = Field(
        description="How its numbers come about and are to be read.", examples=["Mean over neurons …"]
    )
    needs: str = Field(description="What it would need; empty where it has rows.", examples=[""])
    columns: list[ReportColumn]
    rows: list[dict[str, Value]] = Field(
        description="By column; null where there is no value.",
        examples=[[{"arm": "summary", "mean": 0.31, "n": 40}]],
    )


class ReportPoint(Schema):
    """A mark of a figure."""

    series: str = Field(examples=["summary"])
    x: float | str = Field(examples=[12.0])
    y: float = Field(examples=[0.31])
    low: float | None = Field(examples=[0.29])
    high: float | None = Field(examples=[0.33])
    n: int = Field(description="Neurons behind it.", examples=[40])
    says: str = Field(
        description="The same in words.", examples=["layer 12: mean 0.310 ± 0.020 over 40 neurons"]
    )


class ReportFigure(Schema):
    """A figure of one evaluation, as its points."""

    key: str = Field(examples=["layers"])
    title: str = Field(examples=["Score by layer"])
    source: str = Field(examples=["BILLS, score by layer"])
    how: str = Field(examples=["Means over the layer’s neurons …"])
    needs: str = Field(description="What it would need; empty where it has points.", examples=[""])
    x: str = Field(examples=["layer"])
    y: str = Field(examples=["correlation, top-and-random (heldout-full)"])
    spread: str = Field(description="What `low` and `high` are.", examples=["mean ± standard error"])
    points: list[ReportPoint]


class ReportEvaluation(Schema):
    """What figures are of."""

    model: str = Field(examples=["smollm2-135m-instruct"])
    protocol: str = Field(examples=["heldout-full"])
    sample: str = Field(examples=["top-and-random"])
    metric: str = Field(examples=["correlation"])
    simulator: str = Field(examples=["local / SmolLM2-135M-Instruct"])


class ReportOut(Schema):
    """The report of an experiment so far."""

    state: str = Field(description="Of the experiment.", examples=["running"])
    report: ReportHeading
    tables: list[ReportTable]
    figures_of: ReportEvaluation | None = Field(description="Null while there are no results.")
    figures: list[ReportFigure]

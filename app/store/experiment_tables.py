"""Tables of experiments. Part of `tables`, through which they are reached."""

from collections.abc import Mapping

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
)

from app.store import types as t
from app.store.columns import id_, metadata, partial, required, usage
from app.store.experiment_rows import ExperimentState, UnitState

EXPERIMENT_STATES: Mapping[ExperimentState, int] = {
    ExperimentState.RUNNING: 0,
    ExperimentState.PAUSED: 1,
    ExperimentState.OVER_BUDGET: 2,
    ExperimentState.DONE: 3,
    ExperimentState.FAILED: 4,
    ExperimentState.CANCELLED: 5,
}
UNIT_STATES: Mapping[UnitState, int] = {
    UnitState.PENDING: 0,
    UnitState.RUNNING: 1,
    UnitState.OK: 2,
    UnitState.FAILED: 3,
    UnitState.SKIPPED: 4,
}

experiments = Table(
    "experiments",
    metadata,
    id_(),
    required("name", t.Words),
    required("definition", t.Words),  # as a JSON file, never changed
    required("definition_hash", t.Words),
    required("titles", t.Words),  # JSON: endpoint name -> "endpoint / model", as it began
    required("sample_digest", t.Words),
    required("notes", t.Words),  # JSON list
    required("neurons", Integer),
    required("units", BigInteger),
    required("planned", Integer),  # neurons whose units are in the table
    Column("budget_usd", t.Number),  # the definition's, until somebody raises it; NULL: none
    required("state", t.Code(ExperimentState, EXPERIMENT_STATES)),
    required("reason", t.Words),
    required("pausing", SmallInteger),
    required("job_id", t.Words),  # the newest
    required("author", t.Words),
    required("created_at", t.Moment),
    Column("ended_at", t.Moment),
)

experiment_jobs = Table(  # every run of an experiment is a job, and what it spent is found by that
    "experiment_jobs",
    metadata,
    Column("job_id", t.Words, primary_key=True),
    required("experiment_id", t.Id, ForeignKey("experiments.id"), index=True),
)

experiment_neurons = Table(  # the sample, frozen
    "experiment_neurons",
    metadata,
    required("experiment_id", t.Id, ForeignKey("experiments.id")),
    required("ordinal", Integer),
    required("layer_id", t.Id, ForeignKey("layers.id")),
    required("neuron", Integer),
    required("groups", BigInteger),  # bit i: drawn by the definition's sample i
    PrimaryKeyConstraint("experiment_id", "ordinal"),
)

experiment_units = Table(
    "experiment_units",
    metadata,
    id_(),
    required("experiment_id", t.Id, ForeignKey("experiments.id")),
    required("ordinal", Integer),  # of the neuron
    required("arm", SmallInteger),
    required("seed", BigInteger),
    required("scorer", SmallInteger),  # -1: the explanation itself
    required("lane", SmallInteger),  # what it needs: an endpoint, the local model, nothing but a processor
    required("state", t.Code(UnitState, UNIT_STATES)),
    required("ready", SmallInteger),  # 0: a score whose explanation is not there yet
    required("reason", t.Words),
    required("attempts", SmallInteger),  # all ever
    required("tries_left", SmallInteger),
    required("salt", SmallInteger),
    required("kept_as", SmallInteger),  # the try under which its makings are stored: see experiment_rows.Unit
    Column("explanation_id", t.Id, ForeignKey("explanations.id")),
    Column("simulation_id", t.Id, ForeignKey("simulations.id")),
    *usage(),  # of all its tries
    Column("ended_at", t.Moment),
    Index(
        "uq_experiment_units_cell",
        "experiment_id",
        "ordinal",
        "arm",
        "seed",
        "scorer",
        unique=True,
    ),
    Index("ix_experiment_units_counts", "experiment_id", "arm", "scorer", "state"),
    # What a lane takes next: tries that failed come last.
    partial("ix_experiment_units_next", "state = 0 AND ready = 1", "experiment_id", "lane", "attempts", "id"),
)

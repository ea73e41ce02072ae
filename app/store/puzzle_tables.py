"""Tables of neuron puzzles: what they say, who tried them, and how that was judged. Part of `tables`, through which they are reached.

A puzzle's sentences lie in `neuron_relations`, where its page finds them; everything here but `puzzles` is only ever added to.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)

from app.domain.explanations import State
from app.store import types as t
from app.store.columns import id_, metadata, required

puzzles = Table(
    "puzzles",
    metadata,
    required("layer_id", t.Id, ForeignKey("layers.id")),
    required("neuron", Integer),
    required("key", t.Words),
    required("name", t.Words),
    required("truth", t.Words),
    required("false_json", t.Words),
    required("digest", t.Words),
    required("source", t.Words),  # "built in", or the file that it came from
    required("created_at", t.Moment),
    PrimaryKeyConstraint("layer_id", "neuron"),
    UniqueConstraint("layer_id", "key"),
)

puzzle_runs = Table(  # one explainer, one method, one seed over a set; named after the job that began it
    "puzzle_runs",
    metadata,
    Column("id", t.Words, primary_key=True),
    required("layer_id", t.Id, ForeignKey("layers.id"), index=True),
    required("explainer", t.Words),  # "endpoint / model"; empty: nothing is explained
    required("method", t.Words),  # of the first statements
    required("seed", BigInteger),
    required("revise", Boolean),
    required("neurons_json", t.Words),  # the puzzles that it is about
    required("author", t.Words),
    required("created_at", t.Moment),
)

puzzle_answers = Table(  # a puzzle's statement in a run; of several of one round the newest counts
    "puzzle_answers",
    metadata,
    id_(),
    required("run_id", t.Words, ForeignKey("puzzle_runs.id")),
    required("neuron", Integer),
    required("round", Integer),  # 0: the first statement, 1: the revised one
    Column("explanation_id", t.Id, ForeignKey("explanations.id"), index=True),  # NULL: see `note`
    required("state", t.Code(State, t.STATES)),
    required("note", t.Words),  # why there is no explanation
    required("key", t.Words, unique=True),
    required("created_at", t.Moment),
    Index("ix_puzzle_answers_run_id_neuron", "run_id", "neuron"),
)

puzzle_judgements = Table(
    "puzzle_judgements",
    metadata,
    id_(),
    required("explanation_id", t.Id, ForeignKey("explanations.id"), index=True),
    required("judge", t.Words),  # Judge
    required("name", t.Words),  # which embedder, language model or person
    required("owner", t.Words),  # of a person's: tells people of one name apart
    required("state", t.Code(State, t.STATES)),
    Column("right", Boolean),
    required("reason", t.Words),
    required("detail_json", t.Words),
    Column("job_id", t.Words),
    required("key", t.Words, unique=True),
    required("created_at", t.Moment),
)

puzzle_rankings = Table(  # truth and false statements of one puzzle, by what a simulator makes of them
    "puzzle_rankings",
    metadata,
    id_(),
    required("run_id", t.Words, ForeignKey("puzzle_runs.id")),
    required("neuron", Integer),
    required("simulator", t.Words),
    required("asked", t.Words),  # the endpoint, or the local model's slug, as the request names it
    required("simulator_model", t.Words),  # as it named itself
    required("seed", BigInteger),
    required("state", t.Code(State, t.STATES)),
    Column("place", Integer),
    required("reason", t.Words),
    required("detail_json", t.Words),  # list of Ranked
    Column("job_id", t.Words),
    required("key", t.Words, unique=True),
    required("created_at", t.Moment),
    Index("ix_puzzle_rankings_run_id_neuron", "run_id", "neuron"),
)

"""Tables of work: jobs, workers, and every call to a language model. Part of `tables`, through which they are reached."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table

from app.domain.ledger import Outcome
from app.store import types as t
from app.store.columns import id_, metadata, partial, required
from app.store.rows import JobState

jobs = Table(
    "jobs",
    metadata,
    Column("id", t.Words, primary_key=True),
    required("kind", t.Words),
    required("title", t.Words),
    required("parameters_json", t.Words),
    required("state", t.Code(JobState, t.JOB_STATES)),
    required("done", BigInteger),
    required("total", BigInteger),
    required("unit", t.Words),
    required("note", t.Words),
    required("reason", t.Words),
    required("worker", t.Words),
    required("attempts", Integer),
    required("resumptions", Integer),
    Column("model", t.Words),
    required("created_at", t.Moment),
    Column("started_at", t.Moment),
    Column("ended_at", t.Moment),
    required("result_json", t.Words),
    Index("ix_jobs_created_at", "created_at"),
    Index("ix_jobs_state", "state"),
    partial("uq_jobs_collecting", "kind = 'collect' AND state IN (0, 1)", "model", unique=True),
    partial("uq_jobs_embedding", "kind = 'embed' AND state IN (0, 1)", "model", unique=True),
)

workers = Table(
    "workers",
    metadata,
    Column("name", t.Words, primary_key=True),
    required("host", t.Words),
    required("pid", Integer),
    required("started_at", t.Moment),
    required("beat_at", t.Moment),
)

llm_calls = Table(
    "llm_calls",
    metadata,
    id_(),
    required("request_key", t.Words, index=True),
    required("job_id", t.Words, index=True),
    required("purpose", t.Words),
    required("endpoint", t.Words),
    required("model", t.Words),
    required("attempt", Integer),
    required("outcome", t.Code(Outcome, t.OUTCOMES)),
    Column("status", Integer),
    required("reason", t.Words),
    required("answer_json", t.Words),
    required("tokens_in", Integer),
    required("tokens_out", Integer),
    required("cost_usd", t.Number),
    required("seconds", t.Number),
    required("created_at", t.Moment),
    required("tokens_cached", Integer, server_default="0"),  # of tokens_in
    partial("uq_llm_calls_answer", "outcome = 0", "request_key", unique=True),
    # What was spent is summed before every call: only paid ones are looked at, and from the index alone.
    partial("ix_llm_calls_cost_usd", "cost_usd > 0", "cost_usd"),
    partial("ix_llm_calls_job_id_cost_usd", "cost_usd > 0", "job_id", "cost_usd"),
    partial("ix_llm_calls_created_at_cost_usd", "cost_usd > 0", "created_at", "cost_usd"),
)

llm_served = Table(  # answers that were given to another job than the one that paid for them
    "llm_served",
    metadata,
    id_(),
    required("call_id", t.Id, ForeignKey("llm_calls.id"), index=True),
    required("job_id", t.Words, index=True),
    required("created_at", t.Moment),
)

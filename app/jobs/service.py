"""What the web and the command line ask of jobs: begin one, stop one, begin it again, follow it.

Beginning a job writes its row and nothing else: a worker looks for queued rows and hands them to the durable
engine, by id, so that a process that dies in between loses nothing, and `serve` never loads the engine.
"""

import secrets
from collections.abc import Sequence
from dataclasses import replace

from app.domain.explain_options import ASKING_METHODS, SIGNED_METHODS, demand_sound
from app.domain.explanations import (
    ExplainOptions,
    Method,
    ScoreOptions,
    ShownOptions,
    State,
)
from app.domain.judging import JudgeOptions
from app.domain.neurons import NeuronRef, Polarity
from app.domain.text_similarity import SimilarityOptions
from app.errors import BadInput, Conflict
from app.jobs import augmented, checks, embedders, endpoints, live_requests, puzzle_asking, wanted
from app.jobs.caps import demand_room
from app.jobs.requests import (
    TYPES,
    CollectRequest,
    EmbedRequest,
    ExplainRequest,
    JudgeRequest,
    Kind,
    ProbeRequest,
    PuzzlesRequest,
    Request,
    ReviseRequest,
    ScoreRequest,
    SimilarityRequest,
    dumps,
    loads,
)
from app.jobs.slugs import slug_of
from app.settings import Endpoint, Settings
from app.store import (
    Session,
    Store,
    collections,
    explanations,
    heldout,
    jobs,
    models,
    neurons,
    puzzle_runs,
    puzzles,
)
from app.store.rows import JobRow, JobState


class Jobs:
    """The jobs of one store."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self.settings = settings
        self.store = store

    def endpoints(self) -> list[Endpoint]:
        """The language models that can be asked, the demo's own included."""
        return endpoints.endpoints(self.settings)

    def enqueue_collect(self, request: CollectRequest) -> str:
        """Begin a collection. Raises Conflict while another one of the same model is under way, and for one that would
        take the place of a larger one unless the request says to.
        """
        if request.excerpts < 1:
            raise BadInput("A collection needs at least one excerpt.")
        if not request.corpus:
            raise BadInput("A collection needs a corpus: a folder, a file or a data set.")
        request = replace(request, slug=request.slug or slug_of(request.model))
        with self.store.session() as session:
            running = jobs.running_collection_of(session, request.slug)
            if running is not None:
                raise Conflict(
                    f"{request.slug} is being collected already: wait for it, or cancel it with `neuronarium cancel {running.id}`."
                )
            if not request.replace:
                collections.refuse_loss(session, request.slug, request.layers, request.excerpts)
            title = f"Collect {request.slug}"
            return self._add(
                session,
                Kind.COLLECT,
                title,
                request,
                total=request.excerpts,
                unit="excerpts",
                model=request.slug,
            )

    def enqueue_explain(
        self,
        ref: NeuronRef,
        explain: ExplainOptions,
        score: ScoreOptions | None,
        author: str = "neuronarium",
        *,
        fresh: bool = False,
    ) -> str:
        """Begin an explanation, simulated and scored as well unless `score` is None.

        A call identical to one that was answered before is served from the ledger, unless a fresh sample is wanted.

        Raises NotFound for an unknown neuron or endpoint, BadInput for options that do not fit, Refused over the cap.
        """
        with self.store.session() as session:
            neurons.statistics(session, ref)
            demand_sound(explain)
            if puzzles.of_neuron(session, ref) is not None:
                if score is not None:
                    raise BadInput(
                        "A puzzle has no held-out text to score on: its answers are judged instead."
                    )
                if explain.candidates > 1 or explain.shown != ShownOptions():
                    raise BadInput(
                        "All sentences of a puzzle are shown, and it has no dev records to choose by: ask for one candidate."
                    )
                request_ = PuzzlesRequest(ref.model, (ref.index,), explain, author=author, fresh=fresh)
                return self._enqueue_puzzles(session, request_)
            if explain.method in ASKING_METHODS:
                checks.affordable(session, self.settings, explain.explainer)
            elif explain.method not in SIGNED_METHODS:
                raise BadInput(f"{explain.method} is not a method that can be asked for.")
            checks.demand_weights(session, ref.model, explain)
            if score is not None:
                checks.score(session, self.settings, ref.model, explain.method, score)
                augmented.demand_none(score)
            request = ExplainRequest(ref, explain, score, author=author, fresh=fresh)
            return self._add(
                session,
                Kind.EXPLAIN,
                f"Explain {ref} by {explain.method}",
                request,
                unit="calls",
                model=ref.model,
            )

    def enqueue_score(
        self, explanation_id: int, score: ScoreOptions, author: str = "neuronarium", *, fresh: bool = False
    ) -> str:
        """Begin a simulation and score of a stored explanation. Raises as `enqueue_explain` does."""
        with self.store.session() as session:
            row = explanations.get(session, explanation_id)
            if row.state is not State.OK:
                raise BadInput(
                    "This explanation failed: there is no statement to score. Explain the neuron again."
                )
            checks.score(session, self.settings, row.ref.model, row.method, score)
            heldout.demand_known(session, explanation_id, {score.protocol})
            augmented.kept(session, score, row)
            request = ScoreRequest(explanation_id, score, author=author, fresh=fresh)
            title = f"Score {row.ref} by {score.simulator}"
            return self._add(session, Kind.SCORE, title, request, unit="calls", model=row.ref.model)

    def enqueue_revise(self, request: ReviseRequest) -> str:
        """Begin a revision, or one of its controls. Raises as `enqueue_explain` does, and BadInput without a live model.

        A control that is scored is scored on the kept sentences of the newest revision of the same explanation too, where
        the request names no other and there is one.
        """
        with self.store.session() as session:
            request = checks.live(session, self.settings, request)
            title = f"Revise {request.ref}" + (
                "" if request.revise.method is Method.REVISION else f" ({request.revise.method}, control)"
            )
            return self._add(session, Kind.REVISE, title, request, unit="calls", model=request.ref.model)

    def enqueue_probe(self, request: ProbeRequest) -> str:
        """Begin a probing. Raises as `enqueue_revise` does, and BadInput for a budget that allows nothing."""
        with self.store.session() as session:
            request = checks.live(session, self.settings, request)
            return self._add(
                session,
                Kind.PROBE,
                f"Probe {request.ref}",
                request,
                total=request.probe.rounds,
                unit="rounds",
                model=request.ref.model,
            )

    def enqueue_embed(
        self,
        slug: str,
        *,
        token_lookup: bool = False,
        only: Sequence[int] = (),
        author: str = "neuronarium",
    ) -> str:
        """Begin embedding a model's explanations that have no vector yet, or `only` some of them.

        Raises NotFound for an unknown model, BadInput where nothing is set up that embeds, Conflict while it is under way.
        """
        embedders.embedder(self.settings)
        with self.store.session() as session:
            models.model(session, slug)
            if self.settings.embedding_endpoint is not None:
                checks.affordable(session, self.settings, self.settings.embedding_endpoint)
            request = EmbedRequest(slug, token_lookup, tuple(only), author=author)
            title = f"Embed explanations of {slug}"
            return self._add(session, Kind.EMBED, title, request, unit="explanations", model=slug)

    def enqueue_ablation(
        self, explanation_id: int, simulation_id: int | None = None, author: str = "neuronarium"
    ) -> str:
        """Begin the ablation score of a stored simulation. Raises as `live_requests.ablation` does."""
        with self.store.session() as session:
            return self._add_asked(
                session, live_requests.ablation(session, explanation_id, simulation_id, author)
            )

    def enqueue_false_positives(
        self,
        explanation_id: int,
        excerpts: int = live_requests.USUAL_EXCERPTS,
        seed: int = 0,
        author: str = "neuronarium",
    ) -> str:
        """Begin a search for an explanation's worst false positives. Raises as `live_requests.false_positives` does."""
        with self.store.session() as session:
            asked = live_requests.false_positives(session, explanation_id, excerpts, seed, author)
            return self._add_asked(session, asked)

    def enqueue_transfer(
        self,
        explanation_id: int,
        ref: NeuronRef,
        score: ScoreOptions,
        polarity: Polarity | None = None,
        author: str = "neuronarium",
    ) -> str:
        """Begin scoring an explanation on another neuron. Raises as `live_requests.transfer` and `enqueue_score` do."""
        with self.store.session() as session:
            asked = live_requests.transfer(session, explanation_id, ref, polarity, score, author)
            checks.score(session, self.settings, ref.model, Method.TRANSFER, score)
            return self._add_asked(session, asked)

    def enqueue_puzzles(self, request: PuzzlesRequest) -> str:
        """Begin a run over the puzzles of a set, or go on with one.

        Raises NotFound for an unknown set, run or endpoint, BadInput for what cannot be, Refused over the cap.
        """
        with self.store.session() as session:
            return self._enqueue_puzzles(session, request)

    def _enqueue_puzzles(self, session: Session, request: PuzzlesRequest) -> str:
        request, asked = puzzle_asking.checked(session, self.settings, request)
        for each in asked:
            demand_room(session, self.settings, each)
        title = puzzle_asking.title(request)
        return self._add(session, Kind.PUZZLES, title, request, unit="steps", model=request.model)

    def enqueue_judge(
        self, explanation_id: int, options: JudgeOptions, author: str = "neuronarium", *, fresh: bool = False
    ) -> str:
        """Begin detection or fuzzing with a stored explanation.

        Raises NotFound, BadInput where it cannot be held out or the options do not fit, Refused over the cap.
        """
        with self.store.session() as session:
            row = wanted.explained(session, explanation_id)
            demand_room(session, self.settings, wanted.to_judge(self.settings, session, row, options))
            request = JudgeRequest(explanation_id, options, author=author, fresh=fresh)
            title = f"Judge {row.ref} by {options.metric}"
            return self._add(session, Kind.JUDGE, title, request, unit="windows", model=row.ref.model)

    def enqueue_similarity(
        self, explanation_id: int, options: SimilarityOptions, author: str = "neuronarium"
    ) -> str:
        """Begin comparing a stored explanation's words with another one's of the same neuron. Raises as `enqueue_judge`."""
        with self.store.session() as session:
            row = wanted.explained(session, explanation_id)
            asked = wanted.to_compare(self.settings, session, row, options)
            if asked is not None:
                demand_room(session, self.settings, asked)
            request = SimilarityRequest(explanation_id, options, author=author)
            title = f"Compare explanation {row.id} of {row.ref} with {options.reference}"
            return self._add(session, Kind.SIMILARITY, title, request, unit="texts", model=row.ref.model)

    def cancel(self, job_id: str) -> JobRow:
        """Stop a job. One that has ended stays as it is. What was stored stays; its calls are not unmade."""
        with self.store.session() as session:
            jobs.get(session, job_id)
            return jobs.set_state(session, job_id, JobState.CANCELLED, reason="Cancelled.")

    def retry(self, job_id: str) -> str:
        """Begin a failed or cancelled job again, as a new one with the same parameters that names the old one."""
        with self.store.session() as session:
            row = jobs.get(session, job_id)
        if not row.state.ended:
            raise Conflict("This job has not ended: wait for it or cancel it.")
        if row.state is JobState.DONE:
            raise Conflict("This job is done: there is nothing to retry.")
        kind = Kind(row.kind)
        if kind is Kind.EXPERIMENT:
            raise Conflict(
                "An experiment is resumed, not begun again: do that on its page, or with `neuronarium experiment resume`."
            )
        request = replace(loads(TYPES[kind], row.parameters_json), retry_of=job_id)
        if isinstance(request, CollectRequest):
            return self.enqueue_collect(request)
        if isinstance(request, PuzzlesRequest):
            with self.store.session() as session:
                begun = puzzle_runs.find(session, request.run or job_id)
            return self.enqueue_puzzles(replace(request, run="" if begun is None else begun.id))
        with self.store.session() as session:
            request = checks.again(session, self.settings, request)
            return self._add(session, kind, row.title, request, unit=row.unit, model=row.model)

    def _add(
        self,
        session: Session,
        kind: Kind,
        title: str,
        request: Request,
        *,
        total: int = 0,
        unit: str,
        model: str | None,
    ) -> str:
        job_id = f"{kind}-{secrets.token_hex(6)}"
        jobs.add(session, job_id, kind, title, dumps(request), total=total, unit=unit, model=model)
        return job_id

    def _add_asked(self, session: Session, asked: live_requests.Asked) -> str:
        return self._add(session, asked.kind, asked.title, asked.request, unit=asked.unit, model=asked.model)

    def demand_weights(self, slug: str, options: ExplainOptions) -> None:
        """Raises BadInput where these options need weights of a model that was imported without any."""
        with self.store.session() as session:
            checks.demand_weights(session, slug, options)

    def check_score(self, session: Session, slug: str, method: str, score: ScoreOptions) -> None:
        """Raise what stands in the way of such a score of any neuron of a model: BadInput, Refused, NotFound."""
        checks.score(session, self.settings, slug, method, score)

"""Every route of the web, in the order in which addresses are matched."""

from fastapi import FastAPI

from app.web import author, login, preferences
from app.web.api import router as api
from app.web.pages import (
    api_reference,
    card,
    compare,
    costs,
    experiment_new,
    experiments,
    explanation,
    explanation_tests,
    exports,
    go,
    home,
    jobs,
    judging,
    kept,
    lab,
    layer,
    lists,
    model,
    neuron,
    neuron_actions,
    puzzle_rating,
    puzzles,
    rating,
    rating_items,
    rating_preview,
    report,
    report_neurons,
    revising,
    search,
    search_kept,
    similar,
    similarity,
    studies,
    study_new,
    study_power,
    study_results,
    trust,
)
from app.web.pages import help as help_page

ROUTERS = (
    preferences.router,
    login.router,
    help_page.router,
    api,
    api_reference.router,
    home.router,
    go.router,
    search.router,
    search_kept.router,
    jobs.router,
    costs.router,
    lab.router,
    experiment_new.router,
    experiments.router,
    report.router,
    report_neurons.router,
    study_new.router,
    study_power.router,
    studies.router,
    study_results.router,
    neuron_actions.router,
    kept.router,
    lists.router,
    puzzle_rating.router,
    puzzles.router,
    rating.router,
    rating_items.router,
    rating_preview.router,
    author.router,
    explanation_tests.router,
    explanation.router,
    revising.router,
    judging.router,
    exports.router,
    similar.router,
    similarity.router,
    trust.router,
    card.router,
    compare.router,
    layer.router,
    model.router,
)


def install(app: FastAPI) -> None:
    """Adds them. The neuron page is first: it is asked for most, and every address before it is tried.

    The routes themselves and not `include_router`, which makes every one of them anew when the first request comes (0.2 s).
    """
    app.add_route(neuron.PATH, neuron.show_neuron)
    for router in ROUTERS:
        app.router.routes.extend(router.routes)

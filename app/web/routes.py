"""Every router of the web, in the order in which addresses are matched."""

from app.web import login, preferences
from app.web.api import router as api
from app.web.pages import api_reference, explanation, go, home, jobs, layer, model, neuron, neuron_actions
from app.web.pages import help as help_page

ROUTERS = (
    neuron.router,  # first: it is asked for most, and every address before it is tried
    preferences.router,
    login.router,
    help_page.router,
    api,
    api_reference.router,
    home.router,
    go.router,
    jobs.router,
    neuron_actions.router,
    explanation.router,
    layer.router,
    model.router,
)

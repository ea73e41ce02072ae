"""What each template is given: one frozen dataclass per template, its fields are the template's names."""

from dataclasses import dataclass

from app.errors import Way


@dataclass(frozen=True)
class Chrome:
    """The frame around every page: `base.html`."""

    title: str
    section: str  # "browse", "lists", "jobs", "api": the marked entry of the navigation
    theme: str  # "light", "dark", or empty for the system's
    running_jobs: int
    query: str  # what the search box holds
    model: str  # whose neurons the search box means where none is typed; empty: any
    here: str  # path and query of this page, to come back to
    login: bool  # whether someone is logged in, so that there is something to log out of


@dataclass(frozen=True)
class ErrorPage:
    """`error.html`, and `_error.html` as a fragment."""

    chrome: Chrome
    status: int
    headline: str
    message: str
    ways: tuple[Way, ...] = ()


@dataclass(frozen=True)
class HelpPage:
    """`help.html`."""

    chrome: Chrome


@dataclass(frozen=True)
class LoginPage:
    """`login.html`."""

    chrome: Chrome
    target: str  # path to go to afterwards
    problem: str

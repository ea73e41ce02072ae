"""A report from the store: results and plan, with what trust checks say of each evaluation."""

from dataclasses import replace

from app.report.build import Report, build
from app.store import Session, experiment_reports
from app.web import trust_marks


def read(s: Session, experiment: int) -> Report:
    """The report of all results so far. NotFound says which experiments there are."""
    plan, facts, results = experiment_reports.material(s, experiment)
    measures = {(each.protocol, each.sample, each.metric) for each in results}
    marks = {measure: trust_marks.said(*measure) for measure in measures}
    return build(plan, results, replace(facts, marks=marks))

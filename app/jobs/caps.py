"""What calls may cost, by the settings and by a job's own budget."""

from app.domain.ledger import now
from app.domain.spending import Caps, day_begins
from app.errors import Refused
from app.settings import Endpoint, Settings
from app.store import Session, ledger


def caps(settings: Settings, budget_usd: float | None = None) -> Caps:
    """The bounds in force for a job; its own budget takes the place of `job_cap_usd`."""
    job = settings.job_cap_usd if budget_usd is None else budget_usd
    return Caps(settings.spending_cap_usd, settings.daily_cap_usd, job)


def demand_room(session: Session, settings: Settings, endpoint: Endpoint) -> None:
    """Refused where a cap is reached already. The client checks again before every single call."""
    if endpoint.price_in == 0 and endpoint.price_out == 0:
        return
    bounds = caps(settings)
    if bounds.total_usd is not None and (spent := ledger.spent(session)) >= bounds.total_usd:
        raise Refused(
            f"The spending cap of ${bounds.total_usd:.2f} is reached (${spent:.2f} spent): raise NEURONARIUM_SPENDING_CAP_USD."
        )
    if bounds.day_usd is not None:
        today = ledger.spent(session, since=day_begins(now()))
        if today >= bounds.day_usd:
            raise Refused(
                f"Today's cap of ${bounds.day_usd:.2f} is reached (${today:.2f} spent since midnight, UTC): raise "
                "NEURONARIUM_DAILY_CAP_USD, or go on tomorrow."
            )

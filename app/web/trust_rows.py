"""The trust checks as rows of data: one source for files and the API."""

from app.domain import trust

COLUMNS = (
    "sampling", "metric", "frequency", "test", "passes", "fall", "spread", "noticed", "defined", "score", "draws",
)  # fmt: skip


def rows() -> list[dict[str, object]]:
    """One row a check, as files have them; null where nothing is defined."""
    return [
        {
            "sampling": each.scheme.value,
            "metric": each.metric.value,
            "frequency": each.frequency,
            "test": each.test.value,
            "passes": each.passes,
            **{
                name: _known(getattr(each, name))
                for name in ("fall", "spread", "noticed", "defined", "score")
            },
            "draws": each.draws,
        }
        for each in trust.suite()
    ]


def _known(value: float) -> float | None:
    return None if value != value else value

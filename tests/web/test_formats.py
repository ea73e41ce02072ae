"""Numbers as people read them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from app.web import formats


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (formats.signed(8.514), "+8.51"),
        (formats.signed(-4.5), "−4.50"),
        (formats.signed(-0.001), "0.00"),
        (formats.number(-0.021), "−0.02"),
        (formats.number(-0.0001), "0.00"),
        (formats.short(0), "0"),
        (formats.short(0.001234), "0.00123"),
        (formats.short(-4560), "−4,560"),
        (formats.short(1.5e-9), "1.50e−09"),
        (formats.short(float("nan")), "undefined"),
        (formats.percent(0.0103), "1.0 %"),
        (formats.percent(0.00002), "< 0.01 %"),
        (formats.percent(0.0005), "0.05 %"),
        (formats.percent(0), "0 %"),
        (formats.count(46080), "46,080"),
        (formats.usd(0), "free"),
        (formats.usd(0.0042), "$0.0042"),
        (formats.usd(0.00001), "under $0.0001"),
        (formats.usd(1234.5), "$1,234.50"),
        (formats.seconds(0.42), "0.4 s"),
        (formats.seconds(200), "3 min 20 s"),
        (formats.seconds(7500), "2 h 05 min"),
        (formats.plural(1, "record"), "1 record"),
        (formats.statement("the tokens “ sent”, “ed”"), "the tokens “\N{NO-BREAK SPACE}sent”, “ed”"),
        (formats.plural(1200, "entry", "entries"), "1,200 entries"),
        (formats.moment(datetime(2026, 11, 5, 9, 4, tzinfo=UTC)), "5 Nov 2026, 09:04 UTC"),
        (
            formats.moment(datetime(2026, 11, 5, 9, 4, tzinfo=timezone(timedelta(hours=2)))),
            "5 Nov 2026, 07:04 UTC",
        ),
    ],
)
def test_written(text, expected):
    assert text == expected

"""Student's t and chi-square without scipy, to about twelve digits.

Press et al., Numerical Recipes, 3rd ed. (2007): sections 6.2 (incomplete gamma function) and 6.4 (incomplete beta function).
"""

import math

_TINY = 1e-300
_PRECISION = 1e-15
_MOST_TERMS = 10_000


def chi_square_tail(value: float, df: float) -> float:
    """P(X >= value) of a chi-square with `df` > 0 degrees of freedom: the upper regularised incomplete gamma function."""
    a, x = df / 2, value / 2
    if x <= 0:
        return 1.0
    scale = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1:  # its series converges quickly here
        term = total = 1 / a
        for n in range(1, _MOST_TERMS):
            term *= x / (a + n)
            total += term
            if term < total * _PRECISION:
                break
        return max(0.0, 1.0 - total * scale)
    b = x + 1 - a  # Lentz's continued fraction
    c, d = 1 / _TINY, 1 / b
    found = d
    for n in range(1, _MOST_TERMS):
        factor = -n * (n - a)
        b += 2
        d = 1 / _away_from_0(factor * d + b)
        c = _away_from_0(b + factor / c)
        found *= c * d
        if abs(c * d - 1) < _PRECISION:
            break
    return found * scale


def t_tail(value: float, df: float) -> float:
    """P(T >= value) of Student's t with `df` > 0 degrees of freedom, which need not be whole."""
    square = value * value
    if square < 1e-4 * df:  # df / (df + square) would round to 1
        half = (1 - _incomplete_beta(square / (df + square), 0.5, df / 2)) / 2
    else:
        half = _incomplete_beta(df / (df + square), df / 2, 0.5) / 2
    return half if value >= 0 else 1 - half


def t_quantile(probability: float, df: float) -> float:
    """The value that Student's t stays below with this probability, by halving. Raises ValueError outside (0, 1)."""
    if not 0 < probability < 1:
        raise ValueError(f"a quantile is of a probability between 0 and 1, not {probability}")
    if probability < 0.5:
        return -t_quantile(1 - probability, df)
    low, high = 0.0, 1.0
    while t_tail(high, df) > 1 - probability:
        low, high = high, 2 * high
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        if t_tail(middle, df) > 1 - probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """I_x(a, b), regularised."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(1 - x, b, a)
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    c, d = 1.0, 1 / _away_from_0(1 - (a + b) * x / (a + 1))
    found = d
    for n in range(1, _MOST_TERMS):
        even = n * (b - n) * x / ((a + 2 * n - 1) * (a + 2 * n))
        odd = -(a + n) * (a + b + n) * x / ((a + 2 * n) * (a + 2 * n + 1))
        for factor in (even, odd):
            d = 1 / _away_from_0(1 + factor * d)
            c = _away_from_0(1 + factor / c)
            found *= c * d
        if abs(c * d - 1) < _PRECISION:
            break
    return front * found / a


def _away_from_0(value: float) -> float:
    return value if abs(value) > _TINY else _TINY

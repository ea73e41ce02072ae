"""Williams designs: orders of m treatments in which each comes at each place, and after each other, equally often."""


def williams(m: int) -> tuple[tuple[int, ...], ...]:
    """Sequences of 0..m-1: m of them where m is even, 2m where it is odd; one where m is 1.

    Williams 1949, Australian Journal of Scientific Research A 2(2): the first row goes 0, 1, m-1, 2, m-2 ..., the others add 1, 2 ...
    to it (mod m); an odd m needs the same rows backwards as well. Raises ValueError below one.
    """
    if m < 1:
        raise ValueError(f"a design is of one treatment or more, not {m}")
    first = [0]
    for step in range(1, m):
        first.append((step + 1) // 2 if step % 2 else m - step // 2)
    rows = [tuple((place + shift) % m for place in first) for shift in range(m)]
    if m % 2 and m > 1:
        rows += [tuple(reversed(row)) for row in rows]
    return tuple(rows)

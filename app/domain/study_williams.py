"""Orders of treatments in which carry-over is balanced (Williams 1949, Australian Journal of Scientific Research 2)."""


def williams(m: int) -> list[tuple[int, ...]]:
    """For m treatments, sequences in which each stands equally often at each place and after each other one: m of them, 2m for odd m."""
    first = [0] + [(m - (j + 1) // 2) % m if j % 2 == 0 else (j + 1) // 2 for j in range(1, m)]
    rows = [tuple((t + i) % m for t in first) for i in range(m)]
    return rows if m % 2 == 0 else rows + [row[::-1] for row in rows]

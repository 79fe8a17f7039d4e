"""How the rows of one source are shared among the roles that it serves."""

from fractions import Fraction

ALL = 1_000_000  # who wants so many wants all there are
FEW_SHOTS = 8  # what is left of the pool of shots in a source that is too small


def shares(wanted: dict[str, int], n: int) -> dict[str, int]:
    """Compute how many of n rows each role gets: what it wants, or its proportion where rows are too few.

    One at least; of shots, FEW_SHOTS where so many are wanted. Who wants ALL gets what the others leave; where that is
    less than half of what they want, half of it counts as wanted. Fractions go to the largest remainders.
    """
    limited = sum(size for size in wanted.values() if size < ALL)
    unlimited = sum(size >= ALL for size in wanted.values())
    left = max(n - limited, limited // 2)
    asked = {role: size if size < ALL else max(1, left // unlimited) for role, size in wanted.items()}
    if sum(asked.values()) <= n:
        return asked
    most_shots = max(1, n - len(asked) + 1)
    least = {role: min(FEW_SHOTS, asked[role], most_shots) if role == "shots" else 1 for role in asked}
    found: dict[str, int] = {}
    while low := [role for role, share in proportions(asked, found, n).items() if share < least[role]]:
        found |= {role: least[role] for role in low}
    exact = proportions(asked, found, n)
    parts = {role: int(share) for role, share in exact.items()}
    over = max(0, n - sum(found.values()) - sum(parts.values()))
    for role in sorted(exact, key=lambda role: parts[role] - exact[role])[:over]:
        parts[role] += 1
    return found | parts


def proportions(asked: dict[str, int], found: dict[str, int], n: int) -> dict[str, Fraction]:
    """Split what is left of n rows in proportion to the request of every role without a number yet."""
    total = sum(size for role, size in asked.items() if role not in found)
    left = max(0, n - sum(found.values()))
    return {role: Fraction(left * size, total) for role, size in asked.items() if role not in found}

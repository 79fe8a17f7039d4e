"""Which ways of tuning train fewer numbers than another."""

import polars as pl


def smaller_methods(cells: pl.DataFrame, plain: str) -> list[str]:
    """List methods that train fewer numbers than the plain one, in order of their name.

    A method of which no cell tells how many numbers it trains is left out, and one that starts from a tuned model.
    """
    sizes = (
        cells.filter(pl.col("start").is_null())
        .drop_nulls("trainable_parameters")
        .group_by("method")
        .agg(pl.col("trainable_parameters").max())
    )
    known = dict(sizes.iter_rows())
    if plain not in known:
        return []
    return sorted(name for name, size in known.items() if name != plain and size < known[plain])

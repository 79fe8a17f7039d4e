"""collect_checkpoint and collect: the tables of cells become those of a checkpoint and of a study."""

import polars as pl
import pytest
from scored_cells import RECORD, predictions

import collect
import collect_checkpoint
from ripeness.runtime.errors import UserError
from ripeness.tables.columns import CELLS, IS_CHOSEN, ITEM_SCORES, MEASUREMENTS


@pytest.fixture
def collected(tmp_path, scored):
    """Collect a tuned, a diverged and an untouched cell as one checkpoint."""
    cells = [
        scored("tuned", predictions(), RECORD),
        scored("diverged", [], RECORD | {"status": "diverged"}, seed=3),
        scored("base", predictions()[:4], method="base", learning_rate=None),
    ]
    names = {"items": "items", "measurements": "measurements", "status": "cells"}
    options = [word for option, name in names.items() for word in (f"--{option}", str(tmp_path / f"{name}.parquet"))]
    collect_checkpoint.main(["--scores", *(str(cell / "measurements.parquet") for cell in cells), *options])
    return tmp_path


def test_the_cells_of_a_checkpoint_are_put_together_in_their_order(collected):
    items = pl.read_parquet(collected / "items.parquet")
    assert items.schema == pl.Schema(ITEM_SCORES | IS_CHOSEN)
    assert items["method"].to_list() == ["full"] * 7 + ["base"] * 4
    measurements = pl.read_parquet(collected / "measurements.parquet")
    assert measurements.schema == pl.Schema(MEASUREMENTS | IS_CHOSEN)
    assert measurements.height == 12 + 6
    cells = pl.read_parquet(collected / "cells.parquet")
    assert cells.schema == pl.Schema(CELLS | IS_CHOSEN)
    assert cells["status"].to_list() == ["done", "diverged", "done"]
    assert all(frame["is_chosen"].all() for frame in (items, measurements, cells))


def test_the_rate_that_is_best_on_validation_items_is_marked_in_every_table(tmp_path, scored):
    good, bad = ([[-1.0, -2.0], [-2.0, -1.0]][n] for n in (0, 1))
    cells = []
    for rate, on_validation, on_test in [(1e-4, bad, good), (1e-3, good, bad)]:
        rows = [row | {"logps": on_test} for row in predictions()[:4]]
        rows += [row | {"logps": on_validation, "suite": "validation", "split": "validation"} for row in rows]
        cells.append(scored(f"rate{rate}", rows, RECORD, learning_rate=rate))
    outputs = {name: tmp_path / f"{name}.parquet" for name in ("items", "measurements", "status")}
    options = [str(word) for name, path in outputs.items() for word in (f"--{name}", path)]
    collect_checkpoint.main(["--scores", *(str(cell / "measurements.parquet") for cell in cells), *options])
    for path in outputs.values():
        table = pl.read_parquet(path)
        assert table["learning_rate"].unique(maintain_order=True).to_list() == [1e-4, 1e-3]
        assert table.filter("is_chosen")["learning_rate"].unique().to_list() == [1e-3]
        assert table.filter(~pl.col("is_chosen"))["learning_rate"].unique().to_list() == [1e-4]


def test_a_table_of_other_columns_is_not_collected(collected):
    pl.read_parquet(collected / "tuned" / "items.parquet").drop("is_tie").write_parquet(
        collected / "tuned" / "items.parquet"
    )
    (collected / "items.parquet").unlink()
    with pytest.raises(UserError, match=r"tuned/items.parquet cannot be read: it lacks the column is_tie\nhint: "):
        collect_checkpoint.main(
            ["--scores", str(collected / "tuned" / "measurements.parquet")]
            + ["--items", str(collected / "items.parquet"), "--measurements", "unused", "--status", "unused"]
        )
    assert not (collected / "items.parquet").exists()


def test_the_checkpoints_of_a_study_are_put_together(collected):
    tables = {name: str(collected / f"{name}.parquet") for name in ("measurements", "cells")}
    outputs = {name: str(collected / "study" / f"{name}.parquet") for name in tables}
    words = ["--measurements", tables["measurements"], tables["measurements"], "--status", tables["cells"]]
    collect.main([*words, "--output-measurements", outputs["measurements"], "--output-cells", outputs["cells"]])
    assert pl.read_parquet(outputs["measurements"]).height == 36
    assert pl.read_parquet(outputs["measurements"]).schema == pl.Schema(MEASUREMENTS | IS_CHOSEN)
    assert pl.read_parquet(outputs["cells"]).equals(pl.read_parquet(tables["cells"]))


def test_a_table_with_a_column_that_the_schema_does_not_know_is_not_collected(collected):
    odd = collected / "odd.parquet"
    pl.read_parquet(collected / "measurements.parquet").with_columns(odd=1).write_parquet(odd)
    words = ["--measurements", str(odd), "--status", str(collected / "cells.parquet")]
    with pytest.raises(UserError, match=r"odd.parquet cannot be read: it has a column .* 'odd'\nhint: delete it; "):
        collect.main([*words, "--output-measurements", str(collected / "out.parquet"), "--output-cells", "unused"])
    assert not (collected / "out.parquet").exists()

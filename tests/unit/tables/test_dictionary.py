"""Every column of every table is described once, and the page has the words of the dictionary."""

import shutil

import polars as pl
import pytest

from ripeness.tables.dictionary import PAGE, TABLES, UNITS, dictionary, main, plain


@pytest.mark.parametrize("table", TABLES)
def test_every_column_has_words(table):
    columns, words = TABLES[table]
    assert not set(columns) - set(words)
    assert all(words[name].endswith((".", ")")) and words[name][0] not in "|" for name in columns)


def test_no_unit_is_that_of_an_unknown_column():
    assert not set(UNITS) - {name for columns, _ in TABLES.values() for name in columns}


def test_the_dictionary_has_a_row_for_each_column_in_plain_words():
    rows = dictionary(["cells", "audit"])
    assert rows.height == sum(len(TABLES[name][0]) for name in ("cells", "audit"))
    kl = rows.row(by_predicate=(pl.col("table") == "cells") & (pl.col("column") == "kl"), named=True)
    assert (kl["type"], kl["unit"]) == ("Float64", "nats a text") and kl["meaning"].startswith("Of a policy: KL")
    assert plain("see [a `b`](c.md#d) and `e`") == "see a b and e"


def test_the_page_is_that_of_the_dictionary(tmp_path):
    page = shutil.copy(PAGE, tmp_path / "tables.md")
    main(tmp_path / "tables.md")
    assert page.read_text() == PAGE.read_text(), "make schema writes docs/tables.md anew"

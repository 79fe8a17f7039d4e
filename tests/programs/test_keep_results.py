"""What a study showed is kept in a folder of docs."""

import json

import pytest

import keep_results
from ripeness.runtime.errors import UserError

PAGE = "# Ways\n\n<!-- findings -->\nold\n<!-- end of findings -->\n\nWhat it means.\n"
FOUND = [
    {"id": "one", "claim": "It grows.", "verdict": "supported", "statement": "By +0.2 | a lot.", "details": [{"a": 1}]},
    {"id": "ripe", "claim": "Which?", "verdict": "answered", "statement": "Step 8.", "answers": [{"dataset": "a"}]},
]


@pytest.fixture
def folders(tmp_path):
    results, docs = tmp_path / "results", tmp_path / "docs"
    (results / "figures").mkdir(parents=True)
    docs.mkdir()
    (results / "findings.json").write_text(json.dumps(FOUND))
    (results / "figures/gain.svg").write_text("<svg/>")
    (docs / "README.md").write_text(PAGE)
    return results, docs


def test_findings_figures_and_the_table_are_kept_and_the_words_around_it_stay(folders):
    results, docs = folders
    keep_results.main([str(results), str(docs), "--figures", "gain"])
    page = (docs / "README.md").read_text()
    assert "| It grows. (`one`) | supported | By +0.2 \\| a lot. |\n| Which? (`ripe`) | answered | Step 8. |" in page
    assert page.startswith("# Ways\n") and page.endswith("\nWhat it means.\n") and "old" not in page
    kept = json.loads((docs / "findings.json").read_text())
    assert [one["id"] for one in kept] == ["one", "ripe"] and not [
        one for one in kept if {"details", "answers"} & {*one}
    ]
    assert (docs / "gain.svg").read_text() == "<svg/>"
    keep_results.main([str(results), str(docs), "--figures", "gain"])
    assert (docs / "README.md").read_text() == page


def test_a_figure_that_is_not_there_or_a_page_without_marks_writes_nothing(folders):
    results, docs = folders
    with pytest.raises(UserError, match="no figure 'dose'.*\nhint: it has gain"):
        keep_results.main([str(results), str(docs), "--figures", "dose"])
    (docs / "README.md").write_text("# Ways\n")
    with pytest.raises(UserError, match="<!-- findings -->"):
        keep_results.main([str(results), str(docs), "--figures", "gain"])
    assert [path.name for path in docs.iterdir()] == ["README.md"]

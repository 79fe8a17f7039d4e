"""Words of the report have their definition where they stand."""

import re
from pathlib import Path

from ripeness.report.definitions import DEFINITIONS, defined
from ripeness.runtime.project import ROOT


def test_the_first_use_of_a_word_has_its_definition_and_the_rest_of_the_text_is_escaped():
    said = str(defined('Floor <b>: the floor of a "probe" & reprobed'))
    assert said.count("<dfn ") == 2 and said.startswith('<dfn tabindex="0" title="The score that needs no skill')
    assert "&lt;b&gt;: the floor of a &#34;<dfn" in said and said.endswith("&amp; reprobed")


def test_the_longest_word_is_taken():
    assert 'title="The last untouched checkpoints are within' in defined("datasets not learned in pre-training")
    assert defined("nothing here") == "nothing here"


def test_every_word_is_one_line_and_is_said_in_statements_of_findings():
    assert all(len(line) < 110 and line.endswith(".") for line in DEFINITIONS.values())
    sources = [*(ROOT / "scripts/ripeness/findings").rglob("*.py"), *(ROOT / "scripts/ripeness/stats").rglob("*.py")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in map(Path, sources)).lower()
    assert not [word for word in DEFINITIONS if not re.search(rf"\b{re.escape(word)}\b", text)]

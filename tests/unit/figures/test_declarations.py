"""Every figure is a unit: a file and a caption, in one register, that planning reads without importing it."""

import subprocess
import sys
from pathlib import Path

import pytest

from ripeness.figures.register import BY_ID, FIGURES
from ripeness.study.load import load_study
from ripeness.workflow.figure_declarations import Declared, declaration, declared_figures
from ripeness.workflow.lookups.analyse import NEEDS, figures_of

ROOT = Path(__file__).parents[3]
PUBLISHED = {"study": "p", "title": "p", "published": {"tables": ["a.csv"]}}
THEORY = {"study": "t", "title": "t", "theory": {}}


def test_every_figure_has_a_file_of_its_name_and_a_caption_and_is_planned_as_it_is_declared():
    folder = ROOT / "scripts/ripeness/figures"
    with_figure = {path.stem for path in folder.glob("*.py") if "\nFIGURE = Figure(" in path.read_text()}
    assert with_figure == {figure.id.replace("-", "_") for figure in FIGURES} and len(BY_ID) == len(FIGURES)
    assert declared_figures() == tuple(Declared(figure.id, figure.section, figure.needs) for figure in FIGURES)
    for figure in FIGURES:
        assert (ROOT / f"reports/{figure.id}.rst").is_file()
        assert figure.needs and set(figure.needs) <= set(NEEDS) and figure.question.endswith("?")


def test_every_condition_is_some_figures():
    assert set(NEEDS) == {need for figure in FIGURES for need in figure.needs}


def test_a_study_has_the_figures_that_it_has_data_for():
    published = load_study(PUBLISHED, ROOT / "tasks")
    of_scores = [figure.id for figure in FIGURES if "measurements" in figure.needs]
    assert list(figures_of(published)) == of_scores and len(of_scores) == 9
    networks = figures_of(load_study(THEORY, ROOT / "tasks"))
    assert list(networks) == [figure.id for figure in FIGURES if figure.needs == ("simulations",)]
    assert networks["theory-sensitivity"] == "What does noise cost?"


def test_planning_reads_figures_without_what_draws_them():
    code = "import sys; sys.path.insert(0, 'scripts'); from ripeness.workflow.lookups import analyse; "
    code += (
        "assert len(analyse.declared_figures()) > 16; print(sorted({'altair', 'polars', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_a_declaration_that_is_not_plain_text_is_an_error(tmp_path):
    text = 'FIGURE = Figure(id="a-b", section="S", question="Q?", needs=("models",), frame=f, chart=c)\n'
    (tmp_path / "a_b.py").write_text(text)
    assert declaration(tmp_path / "a_b.py") == Declared("a-b", "S", ("models",))
    (tmp_path / "a_b.py").write_text(text.replace('"S"', "section_of()"))
    with pytest.raises(ValueError, match="malformed"):
        declaration(tmp_path / "a_b.py")

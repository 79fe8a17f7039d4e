"""Each recipe of docs/add.md, applied word by word to a copy of the project, does what the page promises."""

import pytest
import yaml
from cut_study import CUT
from recipes import PAGE, Recipe, apply, copy_whole_project, patched, read_recipe, read_recipes, run

RECIPES = read_recipes(PAGE.read_text(encoding="utf-8"))
# new files, and files that are there already of which a line or an entry is added
FILES = {
    "dataset": (2, 0),
    "metric": (0, 1),
    "method": (2, 2),
    "objective": (2, 2),
    "finding": (3, 1),
    "figure": (2, 1),
    "series": (1, 0),
    "check of the audit": (0, 4),
}


def test_the_page_has_a_recipe_for_each_kind_of_addition():
    assert set(RECIPES) == set(FILES)
    for title, recipe in RECIPES.items():
        assert recipe.commands, title


@pytest.mark.parametrize("title", FILES)
def test_an_addition_touches_few_files(title):
    recipe = RECIPES[title]
    assert (len(recipe.files), len(recipe.touched() - recipe.files.keys())) == FILES[title], recipe.touched()


@pytest.mark.release
@pytest.mark.parametrize("title", FILES)
def test_a_recipe_does_what_the_page_promises(title, tmp_path):
    folder = copy_whole_project(tmp_path / "project")
    apply(RECIPES[title], folder)
    run("make lint", folder)
    for command, expected in RECIPES[title].commands:
        said = run(command, folder)
        for line in expected:
            assert line.strip() in said, f"{command} does not print {line!r}:\n{said[-6000:]}"


def test_lines_are_added_where_the_page_says_or_not_at_all():
    assert patched("a\nb\nc\n", " b\n+new\n c\n") == "a\nb\nnew\nc\n"
    assert patched("a\nb\n", "+new\n a\n") == "new\na\nb\n"
    assert patched("a\nb\n", "-a\n+new\n") == "new\nb\n"
    for text, change in (("a\n", " b\n+new\n"), ("a\na\n", " a\n+new\n"), ("a\n", "+new\n"), ("a\n", "a\n")):
        with pytest.raises(ValueError):
            patched(text, change)


def test_a_block_without_a_file_is_an_error_and_files_are_counted_once():
    recipe = read_recipe("```python a.py\nx\n```\n\n```diff b.py\n c\n+d\n```\n\n```diff b.py\n e\n+f\n```\n")
    assert recipe == Recipe({"a.py": "x\n"}, [("b.py", " c\n+d\n"), ("b.py", " e\n+f\n")], [])
    assert recipe.touched() == {"a.py", "b.py"}
    assert read_recipe("```console\n$ make lint\nfine\n$ ls\n```\n").commands == [("make lint", ["fine"]), ("ls", [])]
    for text in ("```python\nx\n```\n", "```python a.py\n```\n\n```python a.py\n```\n", "```diff\n a\n```\n"):
        with pytest.raises(ValueError):
            read_recipe(text)


def test_what_is_there_is_not_written_over(tmp_path):
    (tmp_path / "a.py").write_text("x\n")
    with pytest.raises(FileExistsError):
        apply(Recipe({"a.py": "y\n"}), tmp_path)
    assert (tmp_path / "a.py").read_text() == "x\n"


@pytest.mark.release
@pytest.mark.slow
@pytest.mark.parametrize(
    ("title", "settings", "recorded"),
    [
        ("method", {"kind": "vectors"}, '"kind": "vectors"'),
        ("objective", {"kind": "full", "learns": "smoothed", "smoothing": 0.1}, '"smoothing": 0.1'),
    ],
)
def test_a_new_kind_or_objective_tunes_a_model(tmp_path, title, settings, recorded):
    """With the settings that the schema then knows, from a config to a record of the training."""
    folder = copy_whole_project(tmp_path / "project")
    apply(RECIPES[title], folder)
    run("make schema", folder)
    config = yaml.safe_load(CUT.read_text())
    config["methods"]["mine"] = settings | {"learning_rate": 1e-2, "epochs": 1, "batch_size": 32}
    (folder / "cut.yaml").write_text(yaml.safe_dump(config))
    record = "results/cut/cells/nursery/step0/nursery-sentiment/default/mine/seed1/training.json"
    run(f"python -m snakemake {record} --cores 2 --scheduler greedy --configfile cut.yaml", folder)
    assert recorded in (folder / record).read_text()

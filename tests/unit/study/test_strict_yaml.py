"""YAML as people mean it: what YAML 1.1 reads as something else is refused by file and line, and no file takes long."""

import time

import pytest

from ripeness.runtime.errors import UserError
from ripeness.study import harness_files
from ripeness.study.schema import check_config, read_yaml
from ripeness.study.strict_yaml import MOST_VALUES

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)
MERGES = "a0: &a0 {a: 1, b: 1, c: 1, d: 1, e: 1, f: 1, g: 1, h: 1, i: 1, j: 1}\n" + "".join(
    f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}\n" for n in range(1, 12)
)
MISREAD = {
    "seeds: [010]": (1, "010 is read as an octal number, 8", "write 10"),
    "a: 1\nb: {step: 0100}": (2, "0100 is read as an octal number, 64", "write 100"),
    "a: -010": (1, "-010 is read as an octal number, -8", "write -10"),
    "a: 0_7": (1, "0_7 is read as an octal number, 7", "write 7"),
    "a: 00": (1, "00 is read as an octal number, 0", "write 0"),
    "a: [1,000]": (1, "000 is read as an octal number, 0", "thousands are 1_000"),
    "seeds: [1:30]": (1, "1:30 is read to the base of 60, as 90", '"1:30"'),
    "a: 12:30:45": (1, "12:30:45 is read to the base of 60", '"12:30:45"'),
    "a: 1:30.5": (1, "1:30.5 is read to the base of 60, as 90.5", '"1:30.5"'),
    "a: 0x10": (1, "0x10 is read as a hexadecimal number, 16", '"0x10" for text'),
    "a: 0b11": (1, "0b11 is read as a binary number, 3", '"0b11" for text'),
    "a: 1_00": (1, "1_00 is read as 100", "1_000"),
    "a: 1__000": (1, "1__000 is read as 1000", "1_000"),
    "a: 10_": (1, "10_ is read as 10", "1_000"),
    "a: 0_1.5": (1, "0_1.5 is read as 1.5", "1_000"),
    'a: !!int "010"': (1, "010 is read as an octal number, 8", "write 10"),
    "a: no": (1, "no is read as false", '"no" for the word'),
    "labels: {no: a}": (1, "no is read as false", '"no" for the word'),
    "a: 1\n\non: 2": (3, "on is read as true", '"on" for the word'),
    "a: Yes": (1, "Yes is read as true", "write true"),
    "a: OFF": (1, "OFF is read as false", '"OFF" for the word'),
    "study: 2024-01-01": (1, "2024-01-01 is read as a date", '"2024-01-01"'),
    "2024-01-01: a": (1, "2024-01-01 is read as a date", '"2024-01-01"'),
    "a: 2024-01-01 10:00:00": (1, "is read as a date", "quotes"),
    "separator: =": (1, "the tag '!!value'", '"="'),
    "stop: <<": (1, "'<<' is a sign of YAML's own", '"<<"'),
    "a: !!python/object/apply:os.system [ls]": (1, "the tag '!!python/object/apply:os.system'", "remove it"),
    "a: !!binary aGk=": (1, "the tag '!!binary'", "remove it"),
    "a: !!set {x, y}": (1, "the tag '!!set'", "remove it"),
    "a: !own x": (1, "the tag '!own'", "remove it"),
    "? [a, b]\n: 1": (1, "a key is a list or a mapping", "a key is text"),
    "a: {b: 1, b: 2}": (1, "duplicate key 'b'", "remove one"),
    "a: &a [*a]": (1, "an alias stands within what it names", "write out"),
    "a: &a {b: {c: *a}}": (1, "an alias stands within what it names", "write out"),
    LAUGHS: (6, "with its aliases this is 1,111,111 values", "are the most"),
    MERGES: (5, "with its aliases this is 213,331 values", "are the most"),
    "a: " + "[" * 100_000: (1, "values stand within values, 41 deep", "40 are the most"),
    "\n".join(" " * depth + "a:" for depth in range(60)): (41, "values stand within values, 41 deep", "the most"),
}
NO_YAML = {
    "a tab": "\ta: 1",
    "an unknown alias": "a: *b",
    "two documents": "a: 1\n---\nb: 2",
    "a control character": "a: \x00",
    "a huge number": "a: " + "9" * 10_000,
    "no number": "a: !!int abc",
    "half a quote": "a: 'b",
    "half of UTF-8": b"a: \xff",
    "UTF-16": "a: 1".encode("utf-16"),
    "a day that there is not": "a: !!timestamp 'x'",
}
READ = {
    "a: 1_000": 1000,
    "a: 10_000_000": 10**7,
    "a: 1_000.5": 1000.5,
    "a: 0": 0,
    "a: -5": -5,
    "a: 0.02": 0.02,
    "a: 1.0e-3": 1e-3,
    "a: 1e-3": "1e-3",
    "a: '010'": "010",
    'a: "no"': "no",
    "a: true": True,
    "a: false": False,
    "a: norway": "norway",
    "a: 08": "08",
    "a: '2024-01-01'": "2024-01-01",
    "a: 1.2.3": "1.2.3",
    "a: ~": None,
    "\ufeffa: 1": 1,
    "x: &x {y: 1}\na: {<<: *x, z: 2}": {"y": 1, "z": 2},
    "x: &x [1, 2]\na: [*x, *x]": [[1, 2], [1, 2]],
    "a: " + "[" * 20 + "]" * 20: eval("[" * 20 + "]" * 20),  # noqa: S307 (nothing but brackets)
}


@pytest.fixture
def read(tmp_path):
    """Give a function that reads a text as a file, in bounded time."""

    def made(text):
        path = tmp_path / "x.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        began = time.process_time()
        try:
            return read_yaml(path)
        finally:
            assert time.process_time() - began < 2

    return made


@pytest.mark.parametrize("text", MISREAD, ids=lambda text: text[:30])
def test_what_would_be_misread_is_refused_by_file_and_line(read, text):
    line, found, way = MISREAD[text]
    with pytest.raises(UserError) as error:
        read(text)
    said, _, hinted = str(error.value).partition("\nhint: ")
    assert f"x.yaml:{line}: " in said and found in said and way in hinted


@pytest.mark.parametrize("name", NO_YAML)
def test_what_is_no_yaml_is_one_error(read, name):
    with pytest.raises(UserError, match=r"(?s)x\.yaml(:1: .* date| is not YAML: .*)\nhint: ") as error:
        read(NO_YAML[name])
    assert str(error.value).count("hint: ") == 1


@pytest.mark.parametrize("text", READ, ids=lambda text: text[:30])
def test_what_is_clear_is_read(read, text):
    found = read(text)["a"]
    assert found == READ[text] and type(found) is type(READ[text])


def test_a_long_file_without_aliases_is_read(read):
    assert len(read("a: [" + "1, " * 50_000 + "]")["a"]) == 50_000 < MOST_VALUES


def test_values_that_share_a_part_get_their_own_defaults(tmp_path):
    (tmp_path / "s.yaml").write_text(
        "properties: {a: {properties: {x: {default: 1}}}, b: {properties: {y: {default: 2}}}}"
    )
    shared = {}
    assert check_config({"a": shared, "b": shared}, tmp_path / "s.yaml") == {"a": {"x": 1}, "b": {"y": 2}}
    assert shared == {}


def test_shared_parts_that_make_a_config_huge_are_refused_wherever_it_comes_from():
    value = ["x"] * 10
    for _ in range(20):
        value = [value] * 10
    endless = []
    endless.append(endless)
    for config in ({"a": value}, {"a": endless}):
        with pytest.raises(UserError, match="YAML aliases expand it to more than 200,000 values"):
            check_config(config)


@pytest.mark.parametrize("text", [LAUGHS, "task: a\nb: &b [*b]", "task: " + "[" * 100_000])
def test_a_task_file_of_the_harness_is_read_within_the_same_bounds(tmp_path, text):
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(UserError, match=r"x\.yaml:\d+: "):
        harness_files.read_task(tmp_path / "x.yaml", 0)


def test_a_task_file_of_the_harness_keeps_its_tags(tmp_path):
    (tmp_path / "x.yaml").write_text("task: a\nprocess: !function utils.process\nn: 010\n")
    assert harness_files.read_task(tmp_path / "x.yaml", 0) == {"task": "a", "process": "utils.process", "n": 8}

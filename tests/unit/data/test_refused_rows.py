"""Files of rows that are broken, cut off, packed or not there: refused by name, and nothing is written."""

import gzip
from pathlib import Path

import pytest
from fetched_rows import packed, parquet_of

import fetch_dataset
from ripeness.data.row_files import read_rows
from ripeness.data.rows import read_sources
from ripeness.runtime.errors import UserError
from ripeness.storage import packed as unpacking

KINDS = (".jsonl", ".csv", ".parquet", ".csv.gz")

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0a\nsize 3\n"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", '{"text": 1}\n\n{"text": \n', r"a\.jsonl:3: not JSON: .*\nhint: one JSON object a line"),
        ("a.jsonl", '{"text": 1}\n["text"]\n', r"a\.jsonl:2: '\[\"text\"\]' is not an object\nhint: one JSON object"),
        ("a.jsonl", b'{"text": "\xe9"}\n', r"a\.jsonl is not UTF-8: .*\nhint: convert it"),
        ("a.csv", "a,b\n1,2,3\n", r"a\.csv:2: 3 cells, but the header has 2 columns\nhint: put double quotes"),
        ("a.csv", "a,b\n1,2\n3\n", r"a\.csv:3: 1 cells, but the header has 2 columns\nhint: put double quotes"),
        ("a.csv", 'a,b\n1,2\n"3,4\n5,6\n', r"a\.csv:3: a quote is opened and never closed\nhint: .* twice"),
        ("a.csv", '"a,b\n1,2\n', r"a\.csv:1: a quote is opened and never closed\nhint: "),
        ("a.csv", 'a,b\n"x\ny",2\n"3"4,5\n', r"a\.csv:4: ',' expected after '\"', in line 4\nhint: "),
        ("a.csv", 'a,b\n"x,2\ny,3\n"z",4\n', r"a\.csv:2: ',' expected after '\"', in line 4\nhint: "),
        ("a.csv", 'a,b\n"x \\" y",2\n', r"a\.csv:2: ',' expected after '\"', in line 2\nhint: "),
        ("a.tsv", 'a\tb\n"x" y\t2\n', r"a\.tsv:2: '\t' expected after '\"', in line 2\nhint: "),
        ("a.csv", "a,a\n1,2\n", r"a\.csv:1: two columns are named 'a'\nhint: rename"),
        ("a.csv", b"a\n\xe9\n", r"a\.csv is not UTF-8: .*\nhint: convert it"),
        ("a.csv", "", r"a\.csv is empty\nhint: the first line of a table names its columns"),
        ("a.parquet", "PAR1", r"a\.parquet cannot be read as parquet: .*\nhint: fix the file"),
        ("a.parquet.gz", packed(b"x"), r"a\.parquet\.gz: unknown kind of file\nhint: rows are read from .*gz"),
        ("a.csv.gz", b"text\n", r"a\.csv\.gz cannot be read as csv\.gz: .*\nhint: fix the file"),
        ("a.csv.gz", packed(b"text\nx\n")[:-9], r"a\.csv\.gz cannot be read as csv\.gz: .*\nhint: fix"),
        (
            "a.csv",
            "a;b|c\n1;2|3\n",
            r"a\.csv:1: no ',' between columns, .* 'a;b\|c'\nhint: save it as .csv with commas",
        ),
        (
            "a.jsonl",
            '{"n": 1}\n{"n": 2, "t": ["\\ud83d"]}\n',
            r"a\.jsonl:2: t contains half of a surrogate .*\nhint: fix",
        ),
        ("a.jsonl", '{"\\uDE00": "x"}\n', r"a\.jsonl:1: '\\ude00' contains half of a surrogate .*\nhint: fix"),
        ("a.jsonl", '{"t": 1}\n{"t": "x", "t": "y"}\n', r"a\.jsonl:2: 't' is given twice\nhint: rename or remove one"),
        ("a.json", '[{"n": {"t": "x", "t": "y"}}]', r"a\.json: 't' is given twice\nhint: rename or remove one"),
        ("a.csv", "\ntext,mood\nx,1\n", r"a\.csv:1 names no column\nhint: the first line of a table names its columns"),
        ("a.csv", ",\ntext,mood\nx,1\n", r"a\.csv:1 names no column\nhint: the first line"),
        (
            "a.csv",
            "a,b\n1,2\na,b\n3,4\n",
            r"a\.csv:3: this line repeats the names of the columns\nhint: remove this line",
        ),
        ("a.tsv", "a\tb\n1\t2\n\n\ufeffa\tb\n3\t4\n", r"a\.tsv:4: this line repeats the names of the columns\nhint: "),
        (
            "a.json",
            '{"a": ["x", "y"], "b": [1, 0]}',
            r"a\.json: one object with 'a', 'b', each a list .*\nhint: a list of",
        ),
        (
            "a.json",
            '{"data": [{"a": "x"}]}',
            r"a\.json: one object with 'data', each a list or an object\nhint: a list",
        ),
        (
            "a.jsonl",
            '{"0": {"a": "x"}, "1": {"a": "y"}}',
            r"a\.jsonl: one object with '0', '1', each a list .*\nhint: ",
        ),
        *((f"a{kind}", POINTER, rf"a\{kind} is a pointer of Git LFS, not .*\nhint: git lfs pull") for kind in KINDS),
        ("a.txt", "x\n", r"a\.txt: unknown kind of file\nhint: rows are read from \.jsonl, \.json, \.csv or \.pa"),
    ],
)
def test_a_broken_file_is_refused_by_name_and_nothing_is_written(fetch, name, content, message):
    with pytest.raises(UserError, match=f"^{message}"):
        fetch(name, content)
    assert [path.name for path in Path().iterdir()] == [name]


def test_a_file_that_is_not_there_is_refused():
    with pytest.raises(UserError, match=r"^there is no file no\.jsonl\nhint: check `source`"):
        fetch_dataset.read_rows(Path("no.jsonl"))


def test_a_folder_that_holds_no_rows_is_named(tmp_path):
    with pytest.raises(UserError, match=r"^there is no .*provenance\.json\nhint: make_dataset or fetch_dataset"):
        read_sources(tmp_path)


def test_quotes_that_join_rows_of_a_tsv_are_refused(tmp_path):
    (tmp_path / "q.tsv").write_text('label\ttext\n1\t"I love it.\n0\tHe is away.\n1\tIt is great."\n')
    with pytest.raises(UserError, match=r"q.tsv:2: a text in quotes goes on to line 4.*\nhint: "):
        read_rows(tmp_path / "q.tsv")


def test_bytes_are_the_text_that_they_spell_and_others_are_null(fetch, tmp_path):
    table = {"a": "né".encode(), "b": b"\xff\x00", "c": [b"x", b"y"], "d": {"bytes": b"\x89PNG", "path": "p"}}
    (row,) = fetch("a.parquet", parquet_of([table], tmp_path / "x"))
    assert row.values == {"a": "né", "b": None, "c": ["x", "y"], "d": {"bytes": None, "path": "p"}}


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le"])
@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl"])
def test_a_file_of_wide_characters_without_a_mark_is_refused(tmp_path, name, encoding):
    text = "text,label\nhello,1\n" if name == "rows.csv" else '{"text": "hello"}\n'
    (tmp_path / name).write_bytes(text.encode(encoding))
    with pytest.raises(UserError, match=r"rows\.\w+:1: NUL characters.*\nhint: a file in UTF-16 looks like this"):
        read_rows(tmp_path / name)


def test_a_file_whose_end_was_lost_is_refused_with_the_line(tmp_path):
    (tmp_path / "rows.csv").write_bytes(b"text,label\nhello,1\n" + b"\0" * 50)
    with pytest.raises(UserError, match=r"rows.csv:3: NUL characters"):
        read_rows(tmp_path / "rows.csv")


def test_the_mark_of_a_file_that_was_put_behind_another_is_no_text(tmp_path):
    (tmp_path / "rows.csv").write_bytes(b"text,label\nhello,1\n\xef\xbb\xbfworld,0\n")
    assert [row["text"] for row in read_rows(tmp_path / "rows.csv").values()] == ["hello", "world"]


def test_commas_in_a_tsv_are_read_and_several_signs_are_not_guessed(tmp_path):
    (tmp_path / "rows.tsv").write_text("text,label\nhello,1\n")
    assert read_rows(tmp_path / "rows.tsv") == {2: {"text": "hello", "label": "1"}}
    (tmp_path / "rows.tsv").write_text("text,a;label\nhello,1\n")
    with pytest.raises(UserError, match="several other signs"):
        read_rows(tmp_path / "rows.tsv")


def test_a_packed_file_that_unpacks_to_far_more_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(unpacking, "MOST_UNPACKED", 2**20)
    with gzip.open(tmp_path / "rows.csv.gz", "wb") as file:
        file.write(b"text,label\n" + b"a" * 2**24)
    with pytest.raises(UserError, match=r"bytes unpack to more than .*\nhint: "):
        read_rows(tmp_path / "rows.csv.gz")
    with gzip.open(tmp_path / "rows.csv.gz", "wb") as file:
        file.write(b"text,label\n" + b"".join(b"%d,%d\n" % (n * n, n % 2) for n in range(2**17)))
    assert len(read_rows(tmp_path / "rows.csv.gz")) == 2**17

"""Data are looked at with care: what cannot be used is refused with the reason and the way out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import pandas
import pytest

from manyhands.checks.sandbox.contracts import SandboxPolicy
from manyhands.errors import InputError
from manyhands.mind.converting import open_given
from manyhands.mind.data import MAX_DATA_BYTES, open_data


def write(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def test_a_table_is_described(tmp_path: Path) -> None:
    path = write(tmp_path, "my data.csv", b"Date,CO2,site\n1958-03-01,315.7,a\n1958-04-01,,b\n")
    file = open_data([path])["my_data"]
    assert [(c.name, c.kind, c.empty) for c in file.columns] == [
        ("Date", "text", 0),
        ("CO2", "number", 1),
        ("site", "text", 0),
    ]
    assert file.rows == 2
    assert "1 empty" in file.describe()


def test_semicolons_tabs_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    path = write(tmp_path, "x.csv", b"\xef\xbb\xbfa;b\n1;2\n")
    assert open_data([path])["x"].column_names == ("a", "b")


def test_two_files_of_one_name_stay_apart(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    paths = [write(tmp_path, "x.csv", b"a\n1\n"), write(tmp_path / "other", "x.csv", b"b\n1\n")]
    assert set(open_data(list(paths))) == {"x", "x_2"}


def test_rows_and_frames_from_memory_become_files() -> None:
    files = open_data({"rows": [{"a": 1, "b": 2}, {"a": 3, "b": 4}]})
    assert files["rows"].rows == 2
    with pytest.raises(InputError, match="is no table"):
        open_data({"x": 42})


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.csv", b"", "is empty"),
        ("binary.csv", b"\x01\x02\x00\x00", "is binary"),
        ("book.xlsx", b"PK\x03\x04\x00\x00\x00", "is a workbook"),
        ("plot.png", b"\x89PNG\r\n\x1a\n", "is a picture"),
        ("paper.pdf", b"%PDF-1.7\n", "is a PDF document"),
        ("prose.txt", b"hello text\n", "looks like text"),
        ("prose.txt", b"Dear all,\nit rains, and it pours, here.\n", "looks like text"),
        ("latin.csv", b"name\nM\xfcller\n", "not UTF-8: byte 0xfc in line 2"),
        ("bad.json", b"{", "not valid JSON"),
        ("object.json", b'{"a": 1}', "no list of objects"),
    ],
)
def test_unusable_files_are_refused_by_name(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    path = write(tmp_path, name, content)
    with pytest.raises(InputError, match=said) as caught:
        open_data([path])
    assert name in caught.value.message
    assert caught.value.hint


FRAME = pandas.DataFrame({"site": ["a", "b"], "co2": [315.7, None]})


@pytest.mark.parametrize("orient", ["columns", "records", "index", "split", "table"])
def test_every_table_that_pandas_writes_as_json_is_read(
    tmp_path: Path, orient: Literal["columns", "records", "index", "split", "table"]
) -> None:
    FRAME.to_json(tmp_path / "x.json", orient=orient)
    file = open_data([tmp_path / "x.json"])["x"]
    assert [(c.name, c.kind, c.empty) for c in file.columns] == [
        ("site", "text", 0),
        ("co2", "number", 1),
    ]
    assert file.rows == 2


def test_row_labels_of_json_stay_and_so_do_columns_that_some_rows_lack(tmp_path: Path) -> None:
    FRAME.set_axis(["one", "two"]).to_json(tmp_path / "x.json")
    assert open_data([tmp_path / "x.json"])["x"].column_names == ("index", "site", "co2")
    assert open_data({"rows": [{"a": 1}, {"b": 2}]})["rows"].column_names == ("a", "b")


YEARS = pandas.DataFrame({"2020": [1, 2, 5], "2021": [3, 4, 6]})
LANDS = pandas.DataFrame({"gdp": [1, 2], "pop": [3, 4]}, index=["DE", "FR"])


@pytest.mark.parametrize(
    ("frame", "orient", "columns", "first"),
    [
        (YEARS, "columns", ("2020", "2021"), ("1", "3")),
        (YEARS, "index", ("2020", "2021"), ("1", "3")),
        (YEARS, "split", ("2020", "2021"), ("1", "3")),
        (LANDS.set_axis([2020, 2021]), "index", ("index", "gdp", "pop"), ("2020", "1", "3")),
        (LANDS.set_axis([2020, 2021]), "split", ("index", "gdp", "pop"), ("2020", "1", "3")),
        (LANDS, "columns", ("index", "gdp", "pop"), ("DE", "1", "3")),
        (LANDS, "split", ("index", "gdp", "pop"), ("DE", "1", "3")),
        (LANDS, "table", ("index", "gdp", "pop"), ("DE", "1", "3")),
        (LANDS.rename_axis("land"), "table", ("land", "gdp", "pop"), ("DE", "1", "3")),
    ],
)
def test_json_is_not_read_with_rows_for_columns_and_no_label_is_lost(
    tmp_path: Path,
    frame: pandas.DataFrame,
    orient: Literal["columns", "index", "split", "table"],
    columns: tuple[str, ...],
    first: tuple[str, ...],
) -> None:
    frame.to_json(tmp_path / "x.json", orient=orient)
    file = open_data([tmp_path / "x.json"])["x"]
    assert file.column_names == columns
    assert file.sample[0] == first


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (json.dumps({f"c{at}": {f"r{at}": 1} for at in range(1000)}), "1,000,000 cells for 1,000"),
        (json.dumps([{f"c{at}": 1} for at in range(1000)]), "1,000,000 cells for 1,000"),
        ("[" * 100_000, "not valid JSON"),
    ],
)
def test_json_that_would_fill_the_memory_is_refused(
    tmp_path: Path, content: str, said: str
) -> None:
    with pytest.raises(InputError, match=rf"x\.json.*{said}"):
        open_data([write(tmp_path, "x.json", content.encode())])


@pytest.mark.anyio
@pytest.mark.parametrize("ending", ["csv", "parquet"])
async def test_a_home_of_nobody_is_told(ending: str) -> None:
    with pytest.raises(InputError, match=rf"~no-such-user/x\.{ending}.*no such user"):
        await open_given(f"~no-such-user/x.{ending}", SandboxPolicy())


@pytest.mark.anyio
@pytest.mark.parametrize("ending", ["parquet", "feather"])
async def test_parquet_and_feather_are_read_in_the_sandbox(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"x.{ending}"
    getattr(FRAME, f"to_{ending}")(path)
    file = (await open_given([path], SandboxPolicy()))["x"]
    assert file.column_names == ("site", "co2")
    assert file.rows == 2
    path.write_bytes(b"PAR1 and nothing else")
    with pytest.raises(InputError, match=rf"x\.{ending}.*cannot be read as {ending}"):
        await open_given([path], SandboxPolicy())


def test_numbers_in_a_text_file_are_a_table(tmp_path: Path) -> None:
    assert open_data([write(tmp_path, "x.txt", b"x\n1\n2.5\n")])["x"].rows == 2
    assert open_data([write(tmp_path, "y.dat", b"a\tb\n1\tz\n")])["y"].rows == 1


def test_a_huge_file_is_refused_without_reading_it(tmp_path: Path) -> None:
    path = tmp_path / "huge.csv"
    with path.open("wb") as out:
        out.truncate(2 * 1024**3)  # sparse: takes no space
    assert path.stat().st_size > MAX_DATA_BYTES
    with pytest.raises(InputError, match="MB can be used"):
        open_data([path])


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.csv"):
        open_data([tmp_path / "nothing.csv"])
    with pytest.raises(InputError, match="is a folder"):
        open_data([tmp_path])

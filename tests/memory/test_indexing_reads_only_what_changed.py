"""Files become memories piece by piece; only what changed is read, embedded and dropped."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import anyio
import pytest
from helpers_memory import HashEmbedder

from manyhands.errors import InputError
from manyhands.memory import Memory
from manyhands.memory.ingest.indexing import IndexReport, index_paths, watch_paths

ON_BOTH = True
pytestmark = pytest.mark.anyio

DATE = 1_600_000_000  # long ago, so that a file's date alone tells that it is unchanged


def notebook(title: str, cells: list[str]) -> str:
    told: list[dict[str, Any]] = [
        {"id": "title", "cell_type": "markdown", "source": f"# {title}\n## Loading the data"}
    ]
    for number, source in enumerate(cells):
        output = {"output_type": "stream", "text": [f"printed {number}\n"]}
        told.append(
            {"id": f"c{number}", "cell_type": "code", "source": source, "outputs": [output]}
        )
    return json.dumps({"cells": told, "nbformat": 4, "nbformat_minor": 5})


def write(path: Path, text: str, *, later: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    os.utime(path, (DATE + later, DATE + later))
    return path


def pdf(pages: list[str]) -> bytes:
    """A PDF with one line on each page."""
    import io

    from pypdf import PdfWriter
    from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

    writer = PdfWriter()
    font = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
        }
    )
    for text in pages:
        page = writer.add_blank_page(200, 100)
        fonts = DictionaryObject({NameObject("/F1"): font})
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
        drawn = DecodedStreamObject()
        drawn.set_data(f"BT /F1 12 Tf 10 50 Td ({text}) Tj ET".encode())
        page[NameObject("/Contents")] = drawn
    held = io.BytesIO()
    writer.write(held)
    return held.getvalue()


async def test_a_cell_is_found_with_its_title_section_and_output(
    file: Path, tmp_path: Path
) -> None:
    book = write(tmp_path / "work" / "penguins.ipynb", notebook("Penguins", ["df = read(p)"]))
    async with await Memory.open(file, embedder=HashEmbedder()) as memory:
        report = await index_paths(memory, [tmp_path / "work"], scope="study")
        assert (report.files, report.added, report.refused) == (1, 2, [])
        hit = (await memory.recall("loading the penguins, printed", scope="study"))[0]
        assert hit.id == f"study:{book}#c0"
        assert hit.context.startswith("penguins.ipynb › Penguins › Loading the data")
        assert hit.text == "df = read(p)"
        assert (hit.trust, hit.meta["output"]) == ("file", "printed 0\n")


async def test_python_is_cut_by_function_and_the_rest_is_kept(file: Path, tmp_path: Path) -> None:
    source = (
        '"""Tools for tides."""\nimport os\n\nLIMIT = 3\n\n'
        "@cache\ndef high(x):\n    return x\n\n"
        "class Moon:\n    phase = 1\n    def pull(self):\n        return 2\n"
    )
    path = write(tmp_path / "work" / "tides.py", source)
    async with await Memory.open(file) as memory:
        await index_paths(memory, [path])
        shown = {
            name: (await memory.show(f"{path}#{name}")).item.text
            for name in ("high", "Moon", "Moon.pull", "module")
        }
    assert shown["high"] == "@cache\ndef high(x):\n    return x\n"
    assert shown["Moon"] == "class Moon:\n    phase = 1\n"
    assert shown["Moon.pull"] == "    def pull(self):\n        return 2\n"
    assert "LIMIT = 3" in shown["module"]
    assert "return" not in shown["module"]


async def test_markdown_sections_csv_schemas_and_texts(file: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    write(work / "notes.md", "intro\n# One\n```\n# not a heading\n```\n## Two\nsecond\n")
    write(work / "rain.csv", "day;mm;place\n1;2.5;Bern\n2;3.5;Basel\n")
    write(work / "plain.txt", "first paragraph\n\nsecond paragraph\n")
    async with await Memory.open(file) as memory:
        await index_paths(memory, [work])
        (hit,) = await memory.recall("second", kinds=["document"], k=1)
        assert hit.context in ("notes.md › One › Two", "plain.txt")
        one = await memory.show(f"{work}/notes.md#section One")
        assert "# not a heading" in one.item.text
        (table,) = await memory.recall("rain in Bern", kinds=["schema"])
        assert "- day (integer): 1, 2" in table.text
        assert "- mm (number): 2.5, 3.5" in table.text
        assert "- place (text): Bern, Basel" in table.text


async def test_pages_of_a_pdf_and_columns_of_a_parquet_file(file: Path, tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    (tmp_path / "report.pdf").write_bytes(pdf(["The walrus sleeps.", "Tides rise at noon."]))
    table = pyarrow.table({"station": ["Mauna Loa"], "co2_ppm": [424.1]})
    parquet.write_table(table, tmp_path / "air.parquet")
    (tmp_path / "torn.pdf").write_bytes(b"%PDF-1.4 torn")
    (tmp_path / "torn.parquet").write_bytes(b"PAR1 torn")
    async with await Memory.open(file) as memory:
        report = await index_paths(memory, [tmp_path])
        assert {name.rpartition("/")[2] for name, _ in report.refused} == {
            "torn.pdf",
            "torn.parquet",
        }
        page = (await memory.recall("tides at noon"))[0]
        assert (page.meta["page"], page.source.endswith("report.pdf#page 2")) == (2, True)
        schema = (await memory.recall("co2 ppm column"))[0]
        assert schema.meta["columns"] == ["station", "co2_ppm"]
        assert "co2_ppm (double)" in schema.text


async def test_one_edited_cell_of_many_notebooks_is_one_embedded_text(
    file: Path, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    for number in range(30):
        write(work / f"n{number}.ipynb", notebook(f"Book {number}", [f"a{number} = 1", "b = 2"]))
    embedder = HashEmbedder()
    async with await Memory.open(file, embedder=embedder) as memory:
        first = await index_paths(memory, [work])
        assert (first.files, first.added, first.unchanged) == (30, 90, 0)
        embedder.texts.clear()
        again = await index_paths(memory, [work])
        assert (again.unchanged, again.added, again.changed) == (30, 0, 0)
        assert embedder.texts == []
        write(work / "n7.ipynb", notebook("Book 7", ["a7 = 1", "b = 'changed'"]), later=60)
        edited = await index_paths(memory, [work])
        assert (edited.unchanged, edited.added, edited.changed) == (29, 0, 1)
        assert len(embedder.texts) == 1
        assert "changed" in embedder.texts[0]


async def test_what_is_gone_from_the_files_is_gone_from_memory(file: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    write(work / "a.ipynb", notebook("A", ["one", "two"]))
    write(work / "b.md", "# B\nbeta\n")
    async with await Memory.open(file) as memory:
        await index_paths(memory, [work])
        write(work / "a.ipynb", notebook("A", ["one"]), later=60)
        (work / "b.md").unlink()
        report = await index_paths(memory, [work])
        assert report.removed == 2
        assert await memory.recall("two") == []
        assert await memory.recall("beta") == []


async def test_a_forgotten_cell_does_not_come_back(file: Path, tmp_path: Path) -> None:
    book = write(tmp_path / "work" / "a.ipynb", notebook("A", ["password = 'x'", "two"]))
    async with await Memory.open(file) as memory:
        await index_paths(memory, [book])
        await memory.forget(f"{book}#c0")
        write(book, notebook("A", ["password = 'x'", "three"]), later=60)
        await index_paths(memory, [book])
        assert "password" not in [hit.text for hit in await memory.recall("password")]
        assert (await memory.recall("three"))[0].id == f"{book}#c1"


@pytest.mark.parametrize("repository", [True, False], ids=["in git", "no git"])
async def test_gitignore_is_honoured(file: Path, tmp_path: Path, repository: bool) -> None:
    work = tmp_path / "work"
    write(work / ".gitignore", "secret*\nbuild/\n!secret-but-shown.md\n")
    for name in ("kept.md", "secret.md", "secret-but-shown.md", "build/out.md", ".hidden/x.md"):
        write(work / name, f"# Title\n{name} walrus\n")
    if repository:
        await anyio.run_process(["git", "init", "-q", str(work)])
    async with await Memory.open(file) as memory:
        report = await index_paths(memory, [work])
        assert report.gitignore
        found = {Path(hit.source.split("#")[0]).name for hit in await memory.recall("walrus")}
        assert found == {"kept.md", "secret-but-shown.md"}


async def test_what_cannot_be_read_is_named_and_the_rest_is_read(
    file: Path, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    write(work / "bad.ipynb", "{not json")
    write(work / "odd.ipynb", "[1]")
    write(work / "bad.py", "def broken(:\n")
    write(work / "good.md", "# Fine\ngood\n")
    (work / "huge.txt").touch()
    os.truncate(work / "huge.txt", 50_000_001)
    async with await Memory.open(file) as memory:
        report = await index_paths(memory, [work])
        assert {Path(name).name for name, _ in report.refused} == {
            "bad.ipynb", "odd.ipynb", "bad.py", "huge.txt",
        }  # fmt: skip
        assert all(reason for _, reason in report.refused)
        assert await memory.recall("good")
        with pytest.raises(InputError, match="no file or folder"):
            await index_paths(memory, [tmp_path / "nowhere"])


async def test_it_goes_on_where_it_was_stopped(file: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    for number in range(9):
        write(work / f"n{number}.md", f"# N{number}\nwalrus {number}\n")
    async with await Memory.open(file) as memory:
        with anyio.CancelScope() as scope:

            def stop(done: int, total: int, name: str) -> None:
                assert total == 9
                if done == 5:
                    scope.cancel()

            await index_paths(memory, [work], progress=stop)
        report = await index_paths(memory, [work])
        assert (report.unchanged, report.added) == (5, 4)


async def test_watching_takes_in_what_is_written_meanwhile(file: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    write(work / "a.md", "# A\nalpha\n")
    rounds: list[IndexReport] = []
    async with await Memory.open(file) as memory:
        with anyio.fail_after(30):
            async with anyio.create_task_group() as group:

                def told(report: IndexReport) -> None:
                    rounds.append(report)
                    if len(rounds) == 1:
                        write(work / "b.md", "# B\nbeta\n")
                    else:
                        group.cancel_scope.cancel()

                await watch_paths(memory, [work], every_s=0.01, told=told)
        assert [report.added for report in rounds] == [1, 1]
        assert (await memory.recall("beta"))[0].text == "# B\nbeta\n"

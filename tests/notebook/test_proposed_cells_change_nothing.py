"""A proposed chart runs in the user's kernel and changes none of their files and variables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers_notebook import running_kernel
from manyhands_jupyter.acting.private import private_cell

DRAWS = '''import matplotlib.pyplot as plt
import pandas as pd

t = pd.read_csv("t.csv")
note = """two
lines"""
with open("t.csv") as lines:
    assert len(lines.readlines()) == 3
t.to_csv("t.csv")
fig, ax = plt.subplots(figsize=(8, 5))
ax.bar(t["shop"], t["sales"])
ax.set_title("Sales by shop")
ax.set_xlabel("shop")
ax.set_ylabel("sales")
plt.savefig("mine.png")
plt.show()'''
STEP = {
    "id": "c", "hand": "visualize", "task": "Draw sales by shop.", "data": ["t"], "chart": "bar",
    "x": "shop", "y": "sales",
}  # fmt: skip
SCRIPT = f"""
[[model]]
name = "all"

[[model.reply]]
when = "Draw sales by shop\\\\.\\n(?s:.*)working folder"
say = '''
```python
{DRAWS}
```
'''

[[model.reply]]
when = "Question: chart"
system = "you are the framer"
say = '''{json.dumps({"goal": "a chart", "route": "plan", "steps": [STEP]})}'''

[[model.reply]]
say = "It is drawn."
"""
MINE = "shop,sales\na,1\nb,2\nc,30\n"


def test_a_proposed_chart_changes_no_file_and_no_variable(tmp_path: Path) -> None:
    (tmp_path / "play.toml").write_text(SCRIPT)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "t.csv").write_text(MINE)
    (tmp_path / "mine.png").write_bytes(b"my own picture")
    with running_kernel(tmp_path) as notebook:
        notebook.run("%load_ext manyhands\n%mind rehearse play.toml")
        setting_up = [
            "import pandas as pd",
            "t = pd.read_csv('t.csv')",
            "t = t[t.sales < 10]",
            "t.to_csv('elsewhere/t.csv', index=False)",
            "t.to_parquet('elsewhere/t.parquet', index=False)",
            "kept, fig, note = t, 'fig', 'note'",
        ]
        assert not notebook.run("\n".join(setting_up)).error
        before = {path: path.read_bytes() for path in files_of(tmp_path)}
        for given in ("t", "elsewhere/t.csv", "elsewhere/t.parquet"):
            asked = notebook.run(f"%mind --wait --to found --data {given} chart")
            assert notebook.value("len(found.cells)") == "1", asked.all_text
            assert "verified" in notebook.value("found.cells[0].title")
            source = notebook.value("found.cells[0].source")
            indented = [line.strip() for line in source.splitlines()]
            assert all(line.strip() in indented for line in DRAWS.splitlines())
            ran = notebook.run(source)
            assert not ran.error, ran.error
            assert any("image/png" in shown for shown in ran.displays)
            assert {path: path.read_bytes() for path in files_of(tmp_path)} == before
            assert notebook.value("fig, note, len(kept)") == "('fig', 'note', 2)"
            assert notebook.value("t is kept") == "True"
            assert Path(notebook.value("__import__('os').getcwd()")) == tmp_path


def files_of(folder: Path) -> list[Path]:
    """The user's; pictures that the journal keeps lie in a folder of their own."""
    kinds = (".csv", ".png", ".parquet")
    found = (*folder.iterdir(), *(folder / "elsewhere").iterdir())
    return sorted(path for path in found if path.suffix in kinds)


@pytest.mark.parametrize(
    "program",
    [
        "count = 0\ndef more():\n    global count\n    count += 1\nmore()",
        "sum = sum([1, 2])",
        "from math import *",
        "from __future__ import annotations",
        "print(globals()['t'])",
        "print(of_the_user)",
        "class A:\n    pass",
    ],
)
def test_a_program_that_would_mean_something_else_in_a_function_is_no_cell(program: str) -> None:
    assert private_cell("print(df)", "t", table="t")
    assert private_cell(program, "t", table="t") == ""


def test_a_file_that_pandas_reads_its_own_way_and_a_name_of_the_cell_itself_are_no_cell() -> None:
    assert private_cell("print(df)", "t", path="t.json") == ""
    assert private_cell("print(df)", "folder", table="folder") == ""

"""Arrays and tables cross from a program to its caller as data: nothing that unpickles, ever."""

from __future__ import annotations

import pytest

from manyhands.checks.sandbox import SandboxResult, SandboxRun, run
from manyhands.checks.sandbox.crossing import read_array, read_json, read_table
from manyhands.errors import SandboxError

pytestmark = pytest.mark.anyio

PROGRAM = """
import json, pickle
import numpy as np
import pyarrow as pa
from pyarrow import feather

class Boom:
    def __reduce__(self):
        return print, ("unpickled",)

np.save("plain.npy", np.arange(6.0).reshape(2, 3))
np.save("objects.npy", np.array([Boom()], dtype=object), allow_pickle=True)
table = pa.table({"a": [1, 2], "b": ["x", None]})
feather.write_feather(table, "table.arrow", compression="uncompressed")
with pa.OSFile("stream.arrows", "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
    writer.write_table(table)
whole = open("table.arrow", "rb").read()
open("cut.arrow", "wb").write(whole[:-40])
open("value.json", "w").write(json.dumps({"a": [1, 2.5, None]}))
open("value.pkl", "wb").write(pickle.dumps(Boom()))
"""


@pytest.fixture
async def result() -> SandboxResult:
    patterns = ("*.npy", "*.arrow", "*.arrows", "*.json", "*.pkl")
    told = await run(SandboxRun(code=PROGRAM, collect=patterns))
    assert told.status == "ok", told.stderr
    return told


async def test_arrays_tables_and_json_come_out_as_they_were(result: SandboxResult) -> None:
    assert read_array(result, "plain.npy").tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    for name in ("table.arrow", "stream.arrows"):
        assert read_table(result, name).to_pydict() == {"a": [1, 2], "b": ["x", None]}
    assert read_json(result, "value.json") == {"a": [1, 2.5, None]}


async def test_a_pickle_in_any_dress_is_refused_and_never_run(
    result: SandboxResult, capsys: pytest.CaptureFixture[str]
) -> None:
    for reader, name in (
        (read_array, "objects.npy"), (read_array, "value.pkl"), (read_table, "value.pkl"),
        (read_json, "value.pkl"), (read_table, "cut.arrow"), (read_array, "absent.npy"),
    ):  # fmt: skip
        with pytest.raises(SandboxError, match=name.replace(".", r"\.")):
            reader(result, name)
    assert "unpickled" not in capsys.readouterr().out

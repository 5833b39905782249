"""A case that is handed over chooses no file; a program finds its table by the name it was told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from manyhands.errors import InputError
from manyhands.hands.contracts import OWN_WORD, HandName, Status
from manyhands.mind.mind import Mind
from manyhands.mind.single import plan_step, work_one
from manyhands.rehearsal.stage import scripted_tiers
from manyhands.roles.loader import load_roles
from manyhands.settings import Settings

ROLES = load_roles()
DRAWS = """```python
import pandas as pd
import matplotlib.pyplot as plt
sums = pd.read_csv("my_sales_2.csv").groupby("region")["units"].sum()
fig, ax = plt.subplots()
ax.bar(sums.index, sums.values)
ax.set_xlabel("region")
ax.set_ylabel("units")
```
"""

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("known", [False, True])
async def test_a_case_that_names_a_file_is_refused_by_the_hand_whoever_wrote_it(
    tmp_path: Path, settings_in: Callable[[Path], Settings], known: bool
) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n42\n")
    data = {"name": "a.csv", "path": str(secret), "sha256": "0" * 64} if known else str(secret)
    case = {"kind": "program", "code": "print(open('data.csv').read())", "data": data}
    step = plan_step(HandName.VERIFY, {"task": OWN_WORD, "subject": json.dumps(case)})
    mind = Mind(settings_in(tmp_path), roles=ROLES, simulated=True)
    with pytest.raises(InputError, match="names a file"):
        await work_one(mind, step, {}, lambda _: None, "test")


async def test_a_chart_finds_its_table_by_the_name_that_its_model_was_told(
    tmp_path: Path, settings_in: Callable[[Path], Settings]
) -> None:
    table = tmp_path / "my sales 2.csv"
    table.write_text("region,units\nNorth,3\nSouth,5\nNorth,4\n")
    step = plan_step(
        HandName.VISUALIZE,
        {"task": "Units", "data": ["my_sales_2"], "chart": "bar", "x": "region", "y": "units",
         "agg": "sum"},
    )  # fmt: skip
    with scripted_tiers(settings_in(tmp_path), lambda _: DRAWS) as rehearsed:
        mind = Mind(rehearsed, roles=ROLES, simulated=True)
        _, result = await work_one(mind, step, {"my_sales_2": table}, lambda _: None, "test")
    assert result.status is Status.VERIFIED, result

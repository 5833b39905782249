"""Traps of the trade: a wrong claim that a trap makes look right is refuted, a right one is not."""

from __future__ import annotations

import pytest

from manyhands.checks.outcome import Verdict
from manyhands.checks.programs.claim_changes import TableFacts, TrapKind
from manyhands.checks.programs.claim_text import agrees, number_steps, read_claim, statistic_named
from manyhands.checks.programs.claim_traps import traps_in
from manyhands.checks.programs.claim_words import words_unheeded
from manyhands.checks.programs.claims import check_claim

FACTS = TableFacts(
    columns=("day", "shop", "sales", "cost", "load"),
    numeric=("sales", "cost"),
    groups={"shop": ("North", "South")},
    misordered={"load": ["max"]},
)


def program(body: str) -> str:
    lines = "\n".join(f"    {line}" for line in body.split("\n"))
    return f"import numpy as np\nimport pandas as pd\n\ndef claim(df):\n{lines}\n"


def kinds(body: str, text: str = "") -> set[TrapKind]:
    return {trap.kind for trap in traps_in(program(body), text, FACTS)}


@pytest.mark.parametrize(
    ("kind", "body", "text"),
    [
        (TrapKind.DROPPED_GAPS, "return df.dropna()['sales'].mean() > 3", "Mean sales pass 3."),
        (TrapKind.FILLED_GAPS, "return df['sales'].fillna(0).mean() > 3", "Mean sales pass 3."),
        (TrapKind.INNER_JOIN, "return len(df.merge(t, on='shop')) > 3", ""),
        (TrapKind.MANY_JOIN, "return len(df.merge(t, on='shop', how='left')) > 3", ""),
        (TrapKind.DEGREES, "return np.std(df['sales']) > 3", "The standard deviation passes 3."),
        (TrapKind.DEGREES, "return df['sales'].std(ddof=0) > 3", "The spread passes 3."),
        (TrapKind.DEGREES, "return df['sales'].std() > 3", "The population spread passes 3."),
        (TrapKind.WINDOW, "return df['sales'].rolling(6).mean().max() > 3", "7-day moving average"),
        (TrapKind.WINDOW, "return df['sales'].rolling(window=6).mean().max() > 3", "7-day rolling"),
        (TrapKind.WINDOW, "return df['sales'].head(9).sum() > 3", "In the first 10 days …"),
        (TrapKind.WINDOW, "return df['sales'][:9].sum() > 3", "In the first 10 days …"),
        (TrapKind.WINDOW, "return df['sales'].iloc[1:11].sum() > 3", "In the first 10 days …"),
        (TrapKind.WINDOW, "return df['sales'].iloc[-6:].sum() > 3", "In the last 7 days …"),
        (TrapKind.WINDOW, "return df['sales'].iloc[-7:-1].sum() > 3", "In the last 7 days …"),
        (TrapKind.LEAKAGE, "return df['sales'].shift(-1).sum() > 3", "Predicted by …"),
        (TrapKind.LEAKAGE, "return df['sales'].rolling(3, center=True).mean().max() > 3", ""),
        (TrapKind.LEAKAGE, "return df['sales'].bfill().sum() > 3", ""),
        (TrapKind.BOUNDARY, "return (df['sales'] >= 50).sum() == 3", "3 days had more than 50."),
        (TrapKind.BOUNDARY, "return (df['sales'] > 50).sum() == 3", "3 days had at least 50."),
        (TrapKind.BOUNDARY, "return (df['sales'] <= 50).sum() == 3", "3 days were below 50."),
        (TrapKind.STATISTIC, "return df['sales'].mean() > 3", "The median day passes 3."),
        (TrapKind.COLUMN, "return df['cost'].sum() > 3", "The sales pass 3."),
        (TrapKind.VALUE, "return (df['shop'] == 'South').sum() > 3", "North has more than 3 days."),
        (TrapKind.TOLERANCE, "return abs(df['sales'].mean() - 12.5) < 5", "The mean is 12.5."),
        (TrapKind.TOLERANCE, "return np.isclose(df['sales'].mean(), 12.5, atol=5)", "It is 12.5."),
        (TrapKind.REPEATS, "return df['sales'].count() == 3", "There are 3 different sales."),
        (TrapKind.TEXT_ORDER, "return df['load'].max() == '9 kg'", "The heaviest load is 9 kg."),
        (TrapKind.FLOAT_EQUAL, "return df['sales'].mean() == 0.3", ""),
        (TrapKind.CONSTANT, "return True", ""),
    ],
)
def test_a_trap_is_seen_in_the_program(kind: TrapKind, body: str, text: str) -> None:
    assert kind in kinds(body, text)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("return df.dropna()['sales'].mean() > 3", "Over the complete rows the mean passes 3."),
        ("return df['sales'].dropna().mean() > 3", "The mean of sales passes 3."),
        ("return df['sales'].std() > 3", "The standard deviation of sales passes 3."),
        ("return np.std(df['sales']) > 3", "The population standard deviation of sales passes 3."),
        ("return df['sales'].rolling(7).mean().max() > 3", "The 7-day moving average of sales"),
        ("return df['sales'].iloc[-7:].sum() > 3", "In the last 7 days sales passed 3."),
        ("return df['sales'][:10].sum() > 3", "In the first 10 days sales passed 3."),
        ("return df['sales'].shift(1).sum() > 3", "The sales of the previous day"),
        ("return (df['sales'] > 50).sum() == 3", "On 3 days more than 50 sales were made."),
        ("return df['sales'].sum() / len(df) > 3", "The mean of sales passes 3."),
        ("return abs(df['sales'].mean() - 12.5) < 0.05", "The mean of sales is 12.5."),
        ("return abs(df['sales'].mean() - 12.5) < 0.5", "The mean of sales is about 12.5."),
        ("return (df['shop'] == 'North').sum() > 3", "North has more than 3 sales."),
        ("return df['load'].min() == '1 kg'", "The lightest load is 1 kg."),
    ],
)
def test_an_honest_program_shows_no_trap(body: str, text: str) -> None:
    assert kinds(body, text) == set()


@pytest.mark.parametrize(
    ("body", "text", "new"),
    [
        ("return df['sales'].std(ddof=0) > 3", "", "std(ddof=1)"),
        ("return (df['sales'] >= 50).sum() == 3", "more than 50", "df['sales'] > 50"),
        ("return df['cost'].sum() > 3", "The sales pass 3.", "df['sales'].sum()"),
        ("return len(df.merge(t, on='shop')) > 3", "", "how='left'"),
        ("return df['sales'].mean() > 3", "The median", "df['sales'].median()"),
    ],
)
def test_the_trap_is_taken_out_of_the_program(body: str, text: str, new: str) -> None:
    assert any(new in trap.without for trap in traps_in(program(body), text, FACTS))


@pytest.mark.parametrize(
    ("kind", "body", "text", "new"),
    [
        (TrapKind.SHARE, "return abs(df['sales'].sum() / df['cost'].sum() - 0.27) < 0.005",
         "Sales are 0.27 % of the cost.", "0.0027"),
        (TrapKind.UNREAD, "return round((df['shop'] == 'North').mean() * 100) == 30",
         "North has 30% of all sales.", ""),
        (TrapKind.METHOD, "return df['sales'].corr(df['cost'], method='spearman') > 0.5",
         "The Pearson correlation passes 0.5.", "'pearson'"),
        (TrapKind.UNKNOWN, "return (df['sales'] > 3).mean() > 0.5",
         "Half of the days with known sales …", "df['sales'].dropna() > 3"),
        (TrapKind.MEAN_OF_MEANS, "return df.groupby('shop')['sales'].mean().mean() > 3",
         "The mean over the days passes 3.", "return df['sales'].mean()"),
        (TrapKind.WEIGHTS, "return df['cost'].mean() > 3", "The sales-weighted mean cost …",
         "(df['cost'] * df['sales']).sum() / df['sales'].sum()"),
        (TrapKind.PRODUCT, "return df['sales'].sum() * df['cost'].mean() > 3", "The total is …",
         "(df['sales'] * df['cost']).sum()"),
        (TrapKind.TIE, "return df['sales'].idxmax() == 3", "Day 3 alone has the most sales.",
         "iloc[::-1].idxmax()"),
        (TrapKind.QUANTIFIER, "return (df['sales'] > 3).any()", "Every day has more than 3.",
         "(df['sales'] > 3).all()"),
        (TrapKind.PERCENTILE, "return np.percentile(df['sales'], 0.9) > 3",
         "The 90th percentile passes 3.", "90.0"),
        (TrapKind.PERCENTILE, "return df['sales'].quantile(0.95) > 3",
         "The 90th percentile passes 3.", "0.9)"),
        (TrapKind.AXES, "return np.polyfit(df['sales'], df['cost'], 1)[0] > 3",
         "The slope of sales on cost passes 3.", "np.polyfit(df['cost'], df['sales'], 1)"),
        (TrapKind.GROWTH, "return (m.iloc[-1] - m.iloc[0]) / m.iloc[-1] > 3",
         "Sales rose by 5 %.", "/ m.iloc[0]"),
        (TrapKind.SPELLING, "return (df['shop'] == 'North').sum() == 3", "3 days are North's.",
         "str.strip().str.casefold() == 'north'"),
    ],
)  # fmt: skip
def test_a_word_that_the_program_does_not_heed_is_a_trap(
    kind: TrapKind, body: str, text: str, new: str
) -> None:
    found = [t for t in words_unheeded(program(body), text, FACTS) if t.kind is kind]
    assert found
    assert new in found[0].without


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("return df['sales'].sum() / df['cost'].sum() * 100 > 0.5", "Sales are over 0.5 %."),
        ("return df['sales'].mean() == 0.5", "Sales rose by 0.5 % a day."),
        ("return (df['shop'] == 'North').sum() == 30", "There are 30 days without sales."),
        ("return df['sales'].corr(df['cost']) > 0.5", "The Pearson correlation passes 0.5."),
        ("return df.groupby('shop')['sales'].mean().mean() > 3", "The mean of the shop means …"),
        ("return np.average(df['cost'], weights=df['sales']) > 3", "The sales-weighted mean …"),
        ("return not (df['sales'] <= 3).any()", "Every day has more than 3."),
        ("return (df['sales'] > 50).any()", "Some day of all had more than 50 sales."),
        ("return np.percentile(df['sales'], 90) > 3", "The 90th percentile passes 3."),
        ("return np.polyfit(df['cost'], df['sales'], 1)[0] > 3", "The slope of sales on cost …"),
        ("return (m.iloc[0] - m.iloc[-1]) / m.iloc[0] > 3", "Sales fell by 5 %."),
    ],
)
def test_a_word_that_the_program_heeds_is_none(body: str, text: str) -> None:
    kinds = {trap.kind for trap in words_unheeded(program(body), text, FACTS)}
    assert kinds <= {TrapKind.SPELLING}  # taken out, it changes nothing here


SALES = [3, 9, 4, 8, 5, 60, 2, 7, 50, 6, 5, 4]
TABLE = "day,shop,sales,cost,note\n" + "".join(
    f"2024-03-{at + 1:02d},{'North' if at % 3 else 'South'},{value},{value + 1},"
    f"{'' if at % 4 == 0 else 'ok'}\n"
    for at, value in enumerate(SALES)
)
TARGETS = "t = pd.DataFrame({'shop': ['North', 'South', 'South'], 'goal': [1, 2, 3]})\n"
DOUBLED = sum(SALES) + sum(SALES[::3])
COMPLETE = [v for at, v in enumerate(SALES) if at % 4]
POPULATION = 19.39


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("body", "text", "verdict"),
    [
        (
            f"{TARGETS}return df.merge(t, on='shop')['sales'].sum() == {DOUBLED}",
            f"Both shops together sold {DOUBLED}.",
            Verdict.REFUTED,
        ),
        (
            f"return abs(df.dropna()['sales'].mean() - {sum(COMPLETE) / 9:.2f}) < 0.01",
            f"A day brings {sum(COMPLETE) / 9:.2f} on the average.",
            Verdict.REFUTED,
        ),
        (
            f"return df['sales'].iloc[-2:].sum() == {sum(SALES[-2:])}",
            f"In the last 3 days {sum(SALES[-2:])} were sold.",
            Verdict.REFUTED,
        ),
        (
            "return (df['sales'] >= 50).sum() == 2",
            "On two days more than 50 were sold.",
            Verdict.REFUTED,
        ),
        (
            f"return df['cost'].sum() == {sum(SALES) + 12}",
            f"All sales of the month add up to {sum(SALES) + 12}.",
            Verdict.REFUTED,
        ),
        (
            "t = df.set_index('day')['cost'] // 10\nreturn t.idxmin() == '2024-03-01'",
            "The first of March alone was cheapest.",
            Verdict.REFUTED,
        ),
        (
            "t = df.set_index('day')['sales']\nreturn t.idxmax() == '2024-03-06'",
            "The sixth of March alone sold most.",
            Verdict.SUPPORTED,
        ),
        (
            "return 'South' in df.groupby('shop')['sales'].mean().index",
            "The shop with the highest mean sales is South.",
            Verdict.REFUTED,
        ),
        (
            "return (df['sales'] > 50).sum() == 1",
            "On one day more than 50 were sold.",
            Verdict.SUPPORTED,
        ),
        (
            f"return df['sales'].iloc[-3:].sum() == {sum(SALES[-3:])}",
            f"In the last 3 days {sum(SALES[-3:])} were sold.",
            Verdict.SUPPORTED,
        ),
    ],
)
async def test_what_is_true_only_through_a_trap_is_refuted(
    body: str, text: str, verdict: Verdict
) -> None:
    told = await check_claim(TABLE, program(body), text)
    assert told.verdict is verdict, told


@pytest.mark.parametrize(
    ("text", "value", "right"),
    [
        ("The mean of sales is 12.35.", 12.349, True),
        ("The mean of sales is 12.35.", 12.36, False),
        ("The total sales for shop = North is at least 40", 40, True),
        ("The total sales for shop = North is at least 40", 39.9, False),
        ("The median sales is about 100.", 104, True),
        ("The median sales is about 100.", 106, False),
        ("There are 1,200 rows.", 1200, True),
        ("The correlation between sales and cost is negative.", 0.2, False),
        ("Sales rose from 3 to 9.", [3, 9], True),
        ("Sales rose from 3 to 9.", [9, 3], False),
        ("Sales grew by 50 % from the first to the last day.", [4, 6], True),
        ("Sales grew by 33.3 %.", [4, 6], False),
        ("Sales fell by 25 %.", [4, 3], True),
        ("North has the highest total sales.", "north", True),
    ],
)
def test_a_sentence_is_read_and_compared_with_what_the_table_gives(
    text: str, value: object, right: bool
) -> None:
    statement = read_claim(text)
    assert statement is not None
    assert agrees(statement, value) is right


@pytest.mark.parametrize(
    "text", ["", "Sales are good.", "The mean is 3 and the sum is 9.", "1 2 3"]
)
def test_a_sentence_of_another_form_is_not_guessed_at(text: str) -> None:
    assert read_claim(text) is None


def test_the_numbers_and_the_statistic_of_a_sentence_are_read() -> None:
    assert number_steps("12.50 of 1,200 in q3-4") == [(12.5, 0.005), (1200.0, 0.5)]
    assert statistic_named("The average is 3.") == "mean"
    assert statistic_named("The average and the median are 3.") is None

# ruff: noqa: E501 - one program a line reads better than one wrapped over ten
"""Table claims for the benchmark: right ones, and wrong ones that a trap makes look right."""

from __future__ import annotations

import random
import statistics
from dataclasses import dataclass

__all__ = ["Claim", "make_claims"]


@dataclass(frozen=True)
class Claim:
    """One claim and whether it is right."""

    name: str
    csv: str
    code: str
    text: str
    right: bool


def _claim(body: str) -> str:
    lines = "\n".join("    " + line for line in body.split("\n"))
    return f"import pandas as pd\nimport numpy as np\n\ndef claim(df):\n{lines}\n"


def make_claims(seed: int, count: int = 4) -> list[Claim]:
    """`count` rounds of every form, on fresh tables."""
    dice = random.Random(seed)
    out: list[Claim] = []
    for _ in range(count):
        out += _round(dice)
    return out


def _round(dice: random.Random) -> list[Claim]:
    rows = []
    for day in range(1, 25):
        score = "" if day % 6 == 0 else dice.randint(10, 99)
        rows.append((f"2024-05-{day:02d}", dice.choice("ABC"), dice.randint(50, 150), score, f"{dice.randint(1, 200)} kg"))  # fmt: skip
    shuffled = dice.sample(rows, len(rows))
    head = "day,team,sales,score,weight\n"

    def table(lines: list[tuple]) -> str:  # type: ignore[type-arg]
        return head + "".join(",".join(map(str, r)) + "\n" for r in lines)

    csv = table(rows)
    sales = [r[2] for r in rows]
    mean = sum(sales) / len(sales)
    whole = [r[2] for r in rows if r[3] != ""]
    mean_whole = sum(whole) / len(whole)
    scores = [r[3] for r in rows if r[3] != ""]
    mean_filled = sum(scores) / len(rows)
    sample, population = statistics.stdev(sales), statistics.pstdev(sales)
    team = {t: sum(r[2] for r in rows if r[1] == t) for t in sorted({r[1] for r in rows})}
    best = max(team, key=lambda t: (team[t], t))
    worst = min(team, key=lambda t: (team[t], t))
    joined = sum(r[2] for r in rows) + sum(r[2] for r in rows if r[1] == "A")
    kept = sum(r[2] for r in rows if r[1] != "C")
    seven = sum(sales[-7:]) / 7
    six = sum(sales[-6:]) / 6
    targets = "t = pd.DataFrame({'team': ['A', 'A', 'B', 'C'], 'goal': [1, 2, 3, 4]})"
    some = "t = pd.DataFrame({'team': ['A', 'B'], 'goal': [1, 2]})"
    weights = {r[4] for r in rows}
    heaviest = max(weights)  # by text
    lightest = str(max(int(w.split()[0]) for w in weights))
    last = shuffled[-1][2]
    bound = sorted(sales)[-4]
    above, from_ = sum(v > bound for v in sales), sum(v >= bound for v in sales)
    middle = statistics.median(sales)
    teams = {t: [r[2] for r in rows if r[1] == t] for t in team}
    first_team, other_team = min(team), max(team)
    other_mean = sum(teams[other_team]) / len(teams[other_team])
    first_mean = sum(teams[first_team]) / len(teams[first_team])
    share = 100 * len(whole) / len(rows)
    growth = 100 * (sales[-1] - sales[0]) / sales[0]
    backwards = 100 * (sales[-1] - sales[0]) / sales[-1]
    half = sum(sales[:12]) / 12
    tied = len(set(sales)) != len(sales)
    cases = [
        ("mean", csv, f"return round(df['sales'].mean(), 2) == {mean:.2f}", f"The mean of sales is {mean:.2f}.", True),
        ("wrong mean", csv, f"return abs(df['sales'].mean() - {mean + 3:.2f}) < 0.01", f"The mean of sales is {mean + 3:.2f}.", False),
        ("mean of complete rows", csv, f"return abs(df.dropna()['sales'].mean() - {mean_whole:.2f}) < 0.01", f"On the average {mean_whole:.2f} were sold a day.", abs(mean_whole - mean) < 0.01),
        ("gaps as zero", csv, f"return abs(df['score'].fillna(0).mean() - {mean_filled:.2f}) < 0.01", f"The scores are {mean_filled:.2f} on the average.", False),
        ("wrong degrees", csv, f"return abs(np.std(df['sales']) - {population:.2f}) < 0.01", f"The standard deviation of sales is {population:.2f}.", False),
        ("right degrees", csv, f"return abs(df['sales'].std() - {sample:.2f}) < 0.01", f"The standard deviation of sales is {sample:.2f}.", True),
        ("rows multiplied", csv, f"{targets}\nreturn int(df.merge(t, on='team')['sales'].sum()) == {joined}", f"All teams together sold {joined}.", joined == sum(sales)),
        ("rows lost", csv, f"{some}\nreturn int(df.merge(t, on='team')['sales'].sum()) == {kept}", f"All teams together sold {kept}.", kept == sum(sales)),
        ("join that keeps", csv, f"{some}\nreturn int(df.merge(t, on='team', how='left')['sales'].sum()) == {sum(sales)}", f"All teams together sold {sum(sales)}.", True),
        ("window of six", csv, f"return abs(df['sales'].rolling(6).mean().iloc[-1] - {six:.3f}) < 0.01", f"The 7-day moving average of sales ends at {six:.2f}.", False),
        ("window of seven", csv, f"return abs(df['sales'].rolling(7).mean().iloc[-1] - {seven:.3f}) < 0.01", f"The 7-day moving average of sales ends at {seven:.2f}.", True),
        ("text compared", csv, f"return df['weight'].max() == {heaviest!r}", f"The heaviest weight was {heaviest}.", heaviest.split()[0] == lightest),
        ("unsorted last", table(shuffled), f"return df['sales'].iloc[-1] == {last}", f"On the last day {last} were sold.", last == rows[-1][2]),
        ("sorted last", table(shuffled), f"return df.sort_values('day')['sales'].iloc[-1] == {rows[-1][2]}", f"On the last day {rows[-1][2]} were sold.", True),
        ("best team", csv, f"return df.groupby('team')['sales'].sum().idxmax() == {best!r}", f"{best} has the highest total sales.", True),
        ("worst as best", csv, f"return df.groupby('team')['sales'].sum().idxmin() == {worst!r}", f"{worst} has the highest total sales.", False),
        ("count", csv, f"return len(df) == {len(rows)}", f"There are {len(rows)} rows.", True),
        ("maximum", csv, f"return df['sales'].max() == {max(sales)}", f"The maximum sales is {max(sales)}.", True),
        ("maximum of the first", csv, f"return df['sales'].head(10).max() == {max(sales[:10])}", f"The maximum sales is {max(sales[:10])}.", max(sales[:10]) == max(sales)),
        ("change", csv, f"return df['sales'].iloc[0] == {sales[0]} and df['sales'].iloc[-1] == {sales[-1]}", f"Sales changed from {sales[0]} to {sales[-1]}.", True),
        ("bound taken in", csv, f"return int((df['sales'] >= {bound}).sum()) == {from_}", f"On {from_} days more than {bound} were sold.", above == from_),
        ("bound left out", csv, f"return int((df['sales'] > {bound}).sum()) == {above}", f"On {above} days more than {bound} were sold.", True),
        ("median for mean", csv, f"return abs(df['sales'].median() - {middle:.2f}) < 0.005", f"On an average day {middle:.2f} pieces were sold.", abs(middle - mean) < 0.005),
        ("wrong group", csv, f"return abs(df[df['team'] == {other_team!r}]['sales'].mean() - {other_mean:.2f}) < 0.006", f"A day of team {first_team} brings {other_mean:.2f} sales on the average.", first_team == other_team or abs(first_mean - other_mean) < 0.006),
        ("right group", csv, f"return abs(df[df['team'] == {first_team!r}]['sales'].mean() - {first_mean:.2f}) < 0.006", f"A day of team {first_team} brings {first_mean:.2f} sales on the average.", True),
        ("wide tolerance", csv, f"return abs(df['sales'].mean() - {mean + 4:.1f}) < 10", f"A day brings {mean + 4:.1f} sales on the average.", False),
        ("share of the wrong whole", csv, f"return abs(100 * len(df.dropna()) / len(df) - {share:.1f}) < 0.06", f"{100 - share:.1f} % of the days have a score.", abs(share - 50) < 0.05),
        ("share", csv, f"return abs(100 * df['score'].notna().mean() - {share:.1f}) < 0.06", f"{share:.1f} % of the days have a score.", True),
        ("growth on the wrong base", csv, f"s = df['sales']\nreturn abs(100 * (s.iloc[-1] - s.iloc[0]) / s.iloc[-1] - {backwards:.1f}) < 0.06", f"Sales grew by {backwards:.1f} % from the first to the last day.", abs(growth - backwards) < 0.06),
        ("repeats counted as different", csv, f"return df['sales'].count() == {len(sales)}", f"There are {len(sales)} different values of sales.", not tied),
        ("half of the table", csv, f"return abs(df['sales'].iloc[:12].mean() - {half:.2f}) < 0.006", f"The mean of sales is {half:.2f}.", abs(half - mean) < 0.006),
        ("always true", csv, "return df['sales'].sum() != 0", "The teams did well.", False),
        ("false program", csv, f"return df['sales'].sum() > {sum(sales) + 10}", "A great deal was sold.", False),
    ]  # fmt: skip
    return [Claim(name, data, _claim(body), text, right) for name, data, body, text, right in cases]

"""The line that a complaint names is the line where the key stands."""

from __future__ import annotations

from manyhands.configuration.toml_lines import parse_toml

TEXT = '''\
# name = "not this"
name = "x"
prompt = """
name = "nor this"
[table]
"""
literal = \'\'\'
a = 1 # \'\'\'
after = [
  1, # ]
  "]",
]
"quoted key" = 1
dotted.inner = 2

[table]  # tiers = 3
a = 1
[table.sub."odd.name"]
b = { c = 1, d = [1,
2] }

[[turn]]
role = "user"
[[turn]]
role = "assistant"
[turn.more]
deep = 1
'''


def test_each_key_is_found_on_its_line() -> None:
    text = parse_toml(TEXT)
    lines = {
        ("name",): 2,
        ("prompt",): 3,
        ("literal",): 7,
        ("after",): 9,
        ("quoted key",): 13,
        ("dotted", "inner"): 14,
        ("table",): 16,
        ("table", "a"): 17,
        ("table", "sub", "odd.name"): 18,
        ("table", "sub", "odd.name", "b"): 19,
        ("turn", 0): 22,
        ("turn", 0, "role"): 23,
        ("turn", 1): 24,
        ("turn", 1, "role"): 25,
        ("turn", 1, "more", "deep"): 27,
    }
    assert {key: text.line_of(key) for key in lines} == lines


def test_a_key_inside_an_inline_table_is_found_on_the_tables_line() -> None:
    assert parse_toml(TEXT).line_of(("table", "sub", "odd.name", "b", "c")) == 19


def test_an_absent_key_is_placed_at_its_table_or_the_first_line() -> None:
    text = parse_toml(TEXT)
    assert text.line_of(("table", "missing")) == 16
    assert text.line_of(("missing",)) == 1

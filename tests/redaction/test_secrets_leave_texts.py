"""Secrets leave a text; everything else stays as it was."""

from __future__ import annotations

import pytest

from manyhands.redaction import MARK, redact, redact_value

# Written in two parts, so that no scanner takes a made-up key for a real one.
SECRETS = [
    "AKIA" + "IOSFODNN7EXAMPLE",
    "ghp_" + "a1B2" * 9,
    "github_pat_" + "11AAAAAAA0" * 4,
    "glpat-" + "x7Y_" * 5,
    "sk-ant-" + "api03-" + "Ab1_" * 10,
    "sk-proj-" + "Ab1-" * 10,
    "sk-" + "Z9" * 20,
    "hf_" + "aB" * 17,
    "AIza" + "Sy_-1" * 7,
    "xoxb-" + "123456789012-abcDEF",
    "sk_live_" + "4eC39HqLyjWDarjtT1",
    "SG." + "a" * 22 + "." + "b" * 43,
    "npm_" + "q" * 36,
    "dapi" + "0123456789abcdef" * 2,
    "eyJhbGciOiJI" + ".eyJzdWIiOiIx" + ".SflKxwRJSM",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----",
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("text", ["{}", "key is {}, use it", 'x = "{}"\nprint(x)', "[{}]"])
def test_known_keys_are_removed(secret: str, text: str) -> None:
    cleaned = redact(text.format(secret))
    assert secret not in cleaned
    assert MARK in cleaned


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("password = 'correct horse'", "correct horse"),
        ('DB_PASSWORD="hunter22"', "hunter22"),
        ("api_key: 9f8e7d6c5b", "9f8e7d6c5b"),
        ('{"client_secret": "s3cr3t-value"}', "s3cr3t-value"),
        ("postgresql://ada:lovelace1@db/x", "lovelace1"),
        ("Authorization: Bearer abc.def-123", "abc.def-123"),
        ("export AUTH_TOKEN=abcdef123456", "abcdef123456"),
    ],
)
def test_named_values_are_removed_and_their_names_stay(text: str, secret: str) -> None:
    cleaned = redact(text)
    assert secret not in cleaned
    assert cleaned.split(secret[0])[0][:4] == text[:4]


@pytest.mark.parametrize(
    "text",
    [
        "tokens: 1240, 18 tokens/s",
        "max_tokens = 4096",
        "password = getpass.getpass()",
        "token = os.environ['TOKEN']",
        "api_key = settings.api_key",
        "api_key = None",
        "sha256:" + "ab" * 32,
        "The secret of the garden is water.",
        "https://example.org:8080/path",
        "df['token'].value_counts()",
        "num_ctx=16384 temperature=0.6",
        "",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


def test_values_are_cleaned_inside_and_keep_their_shape() -> None:
    value = {"a": ["ok", SECRETS[0]], "n": 3, "none": None, "deep": {"t": SECRETS[1]}}
    assert redact_value(value) == {
        "a": ["ok", MARK],
        "n": 3,
        "none": None,
        "deep": {"t": MARK},
    }


def test_cleaning_twice_changes_nothing() -> None:
    text = "\n".join([*SECRETS, "password = 'correct horse'", "postgresql://a:bcdef@h/x"])
    assert redact(redact(text)) == redact(text)

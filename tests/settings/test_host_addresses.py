"""The address of a server is understood in the forms in which Ollama's own variable is written."""

from __future__ import annotations

import pytest

from manyhands.configuration.hosts import host_url


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("", "http://127.0.0.1:11434"),
        ("  'localhost' ", "http://localhost:11434"),
        ("gpu", "http://gpu:11434"),
        ("gpu:8080", "http://gpu:8080"),
        (":8080", "http://127.0.0.1:8080"),
        ("8080", "http://127.0.0.1:8080"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:8080", "http://127.0.0.1:8080"),
        ("http://0.0.0.0:8080/", "http://127.0.0.1:8080"),
        ("::", "http://[::1]:11434"),
        ("[::]:8080", "http://[::1]:8080"),
        ("[::1]", "http://[::1]:11434"),
        ("fe80::2", "http://[fe80::2]:11434"),
        ("http://gpu", "http://gpu:80"),
        ("https://gpu", "https://gpu:443"),
        ("HTTPS://gpu:8443/base/", "https://gpu:8443/base"),
    ],
)
def test_an_address_is_made_whole(written: str, meant: str) -> None:
    assert host_url(written) == meant
    assert host_url(meant) == meant


@pytest.mark.parametrize(
    "written",
    [
        "ftp://gpu",
        "gpu:0",
        "gpu:65536",
        "gpu:port",
        "http://me:pw@gpu",
        "two words",
        "[::1",
        "http://",
    ],
)
def test_what_is_no_address_is_refused(written: str) -> None:
    with pytest.raises(ValueError):
        host_url(written)

"""Our handlers serve only who is let into the Jupyter server, and refuse nonsense in words."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from helpers_browser import Lab

pytestmark = pytest.mark.browser  # they share a JupyterLab with the browser tests


def refused(lab: Lab, path: str, body: Any = None, *, token: bool = True) -> tuple[int, str]:
    with pytest.raises(urllib.error.HTTPError) as found:
        lab.get(path, body, token=token)
    told = found.value.read().decode()
    found.value.close()
    return found.value.code, told


def test_without_the_token_nothing_is_told_and_nothing_approved(lab: Lab) -> None:
    assert refused(lab, "manyhands/status", token=False)[0] == 403
    yes = {"id": "x", "choice": "once"}
    assert refused(lab, "manyhands/approvals", yes, token=False)[0] == 403
    assert refused(lab, "manyhands/stop", {"chat": "x"}, token=False)[0] == 403
    rating = {"run_id": "run_x", "good": True}
    assert refused(lab, "manyhands/ratings", rating, token=False)[0] == 403
    cell = {"run_id": "run_x", "source": "1", "seconds": 1, "choice": "once"}
    assert refused(lab, "manyhands/cells", cell, token=False)[0] == 403
    artifact = f"manyhands/artifacts/sha256:{'0' * 64}"
    assert refused(lab, artifact, token=False)[0] == 403
    assert refused(lab, "manyhands/tab", token=False)[0] == 403


def test_a_form_of_another_site_cannot_approve(lab: Lab) -> None:
    """A cookie alone, which a browser sends along, is not enough: the XSRF check stands."""
    request = urllib.request.Request(
        f"{lab.url}/manyhands/approvals", data=json.dumps({"id": "x", "choice": "once"}).encode()
    )
    request.add_header("Cookie", "username-127-0-0-1=forged")
    with pytest.raises(urllib.error.HTTPError) as found:
        urllib.request.urlopen(request, timeout=10)
    assert found.value.code == 403
    found.value.close()


def test_nonsense_is_refused_in_words(lab: Lab) -> None:
    assert lab.get("manyhands/status")["turns"] == []
    code, told = refused(lab, "manyhands/approvals", {"id": "x", "choice": "once"})
    assert (code, "Nothing waits" in told) == (404, True)
    code, told = refused(lab, "manyhands/approvals", {"id": "x", "choice": "maybe"})
    assert (code, "once, session or no" in told) == (400, True)
    code, told = refused(lab, "manyhands/approvals", ["x"])
    assert (code, "must be a JSON object" in told) == (400, True)
    assert refused(lab, "manyhands/stop", {"chat": "x"})[0] == 404
    code, told = refused(lab, "manyhands/ratings", {"run_id": "run_x", "good": True})
    assert (code, "run_x" in told) == (404, True)
    assert refused(lab, "manyhands/ratings", {"run_id": "run_x", "good": "yes"})[0] == 400
    cell = {"run_id": "run_x", "source": "1", "seconds": 1, "cell": "a", "path": "", "tab": "left"}
    code, told = refused(lab, "manyhands/cells", cell)
    assert (code, "run_x" in told) == (409, True)
    assert refused(lab, "manyhands/cells", {**cell, "choice": "always"})[0] == 400
    assert refused(lab, "manyhands/cells", {**cell, "seconds": "soon"})[0] == 400
    long = {"run_id": "run_x", "good": True, "reason": "x" * 1_001}
    code, told = refused(lab, "manyhands/ratings", long)
    assert (code, "1001 characters, 1000 fit" in told) == (400, True)
    code, told = refused(lab, f"manyhands/artifacts/sha256:{'0' * 64}")
    assert (code, "No artifact" in told) == (404, True)
    assert refused(lab, "manyhands/artifacts/../status")[0] == 404

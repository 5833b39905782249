"""A Modelfile is read as Ollama's own command line reads it, and written so that it reads back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyhands.errors import RoleError
from manyhands.roles.model import Role
from manyhands.roles.modelfile import Modelfile, parse_modelfile
from manyhands.roles.render import check_role_modelfile, render, shipped_settings


def test_every_instruction_is_read() -> None:
    read = parse_modelfile(
        "\ufeff# a comment\r\n"
        "from qwen3:8b\r\n"
        "\n"
        "PARAMETER temperature 0.5\n"
        "parameter num_ctx\t4096\n"
        "PARAMETER use_mmap false\n"
        'PARAMETER stop "<|end|>"\n'
        "PARAMETER stop User:\n"
        'SYSTEM """one\n# two\n"three" """\n'
        "MESSAGE user hello there\n"
        'MESSAGE assistant "hi\nyou"\n'
        "ADAPTER ./a.gguf\n"
        "ADAPTER ./b.gguf\n"
        "LICENSE free\n"
        "REQUIRES 0.14.0\n"
    )
    assert read == Modelfile(
        bases=("qwen3:8b",),
        parameters={
            "temperature": 0.5,
            "num_ctx": 4096,
            "use_mmap": False,
            "stop": ("<|end|>", "User:"),
        },
        system='one\n# two\n"three" ',
        messages=(("user", "hello there"), ("assistant", "hi\nyou")),
        adapter="./b.gguf",
        license="free",
        requires="0.14.0",
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no FROM"),
        ("# FROM a", "no FROM"),
        ("FROM a\nFORM b", "F:2: 'FORM' is no instruction"),
        ("FROM a\nMESSAGE tool x", "F:2: MESSAGE has the role 'tool'"),
        ('FROM a\n\nSYSTEM """x\ny', "F:3: the value that starts here"),
        ("FROM a\nPARAMETER num_ctx many", "F:2: PARAMETER num_ctx cannot be 'many'"),
        ("FROM a\nPARAMETER use_mmap 3", "F:2: PARAMETER use_mmap"),
        ("FROM", "F:1: FROM has no value"),
        ("FROM a\nPARAMETER temperature", "F:2: PARAMETER has no value"),
    ],
)
def test_a_broken_one_names_its_line(text: str, said: str) -> None:
    with pytest.raises(RoleError) as caught:
        parse_modelfile(text, "F")
    assert said in caught.value.message


plain = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], include_characters="\n\t"),
    min_size=1,
    max_size=60,
)


@given(
    prompt=plain, turn=plain, temperature=st.floats(0, 2), stop=st.sampled_from(["a b", "#", "|"])
)
def test_what_a_role_renders_to_reads_back_the_same(
    prompt: str, turn: str, temperature: float, stop: str
) -> None:
    fields = {
        "name": "a",
        "title": "A",
        "summary": "A.",
        "tier": "mind",
        "prompt": prompt,
        "sampling": {"temperature": temperature, "stop": [stop]},
        "messages": [{"role": "user", "content": turn}],
    }
    try:
        role = Role.model_validate(fields)
    except ValueError:
        assert not prompt.strip() or '"' in prompt + turn or not turn.strip()
        return
    written = render(role, shipped_settings().tier("mind"))
    assert parse_modelfile(str(written)) == written


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("PARAMETER num_ctx 4096", "num_ctx is 4096, but tier mind has 32768"),
        ("PARAMETER num_ctx 32768\nPARAMETER num_gpu 3", "num_gpu is 3, but tier mind has none"),
        ("PARAMETER temperature 1", "num_ctx is not set, but tier mind has 32768"),
        ("PARAMETER num_ctx 32768\nTEMPLATE x", "must not set TEMPLATE"),
        ("PARAMETER num_ctx 32768\nRENDERER qwen3-coder", "must not set RENDERER"),
        ("PARAMETER num_ctx 32768\nPARSER qwen3-coder", "must not set PARSER"),
    ],
)
def test_a_modelfile_that_would_reload_the_weights_is_refused(change: str, said: str) -> None:
    fields = {"name": "a", "title": "A", "summary": "A.", "tier": "mind", "prompt": "p"}
    role, tier = Role.model_validate(fields), shipped_settings().tier("mind")
    with pytest.raises(RoleError) as caught:
        check_role_modelfile(parse_modelfile(f"FROM qwen3:30b-a3b\n{change}"), role, tier, "F")
    assert said in caught.value.message
    assert "roles render" in caught.value.hint

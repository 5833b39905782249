"""Keys whose shape tells what they are: vendors publish it so that leaked ones can be found.

Each has a fixed beginning or a fixed form (`ghp_` of GitHub, `AKIA` of AWS, a PEM block); none is
found by how random it looks.
"""

from __future__ import annotations

import re

__all__ = ["MARK", "remove_shaped"]

MARK = "[secret removed]"

#: What a text must hold (any of these) for a shape to be looked for, and the shape.
_SHAPES: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("PRIVATE KEY",),
        r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----[\s\S]*?"
        r"(?:-----END (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----|\Z)",
    ),
    (("AGE-SECRET-KEY-1",), r"\bAGE-SECRET-KEY-1[A-Z0-9]{50,}"),
    (("AKIA", "ASIA", "ABIA", "ACCA"), r"\bA(?:KI|SI|BI|CC)A[A-Z0-9]{16}\b"),  # AWS
    (("gh", "github_pat_"), r"\bgh[pousr]_[A-Za-z0-9]{20,255}\b|\bgithub_pat_\w{20,255}\b"),
    (("gl",), r"\bgl(?:pat|dt|rt|cbt|ptt|soat)-[\w-]{20,}"),  # GitLab
    (("sk-",), r"\bsk-(?:ant-|proj-|svcacct-|or-v1-)?[\w-]{20,}"),  # Anthropic, OpenAI, OpenRouter
    (("hf_",), r"\bhf_[A-Za-z0-9]{30,}\b"),  # Hugging Face
    (
        ("gsk_", "pplx-", "xai-", "r8_", "nvapi-", "pcsk_", "csk-"),  # model hosts, vector stores
        r"\b(?:gsk|pplx|xai|r8|nvapi|pcsk|csk)[_-][\w-]{30,}",
    ),
    (("lsv2_",), r"\blsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}\b"),  # LangSmith
    (("AIza",), r"\bAIza[\w-]{35}(?![\w-])"),  # Google
    (("ya29.", "GOCSPX-"), r"\bya29\.[\w-]{20,}|\bGOCSPX-[\w-]{28}"),  # Google OAuth
    (("xox", "xapp-"), r"\bxox[abposre]-[\w-]{10,}|\bxapp-\d-[\w-]{10,}"),  # Slack
    (("hooks.slack.com",), r"(?<=hooks\.slack\.com/services/)T\w{6,}/B\w{6,}/\w{16,}"),
    (("api/webhooks/",), r"(?<=discord\.com/api/webhooks/)\d{17,20}/[\w-]{60,}"),
    (
        ("_live_", "_test_", "whsec_"),  # Stripe
        r"\b(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,}\b|\bwhsec_[A-Za-z0-9+/=]{24,}",
    ),
    (("sq0",), r"\bsq0(?:atp|csp)-[\w-]{22,}"),  # Square
    (("shp",), r"\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}\b"),  # Shopify
    (("SG.",), r"\bSG\.[\w-]{16,}\.[\w-]{16,}"),  # SendGrid
    (("-us",), r"\b[0-9a-f]{32}-us\d{1,2}\b"),  # Mailchimp
    (("SK",), r"\bSK[0-9a-f]{32}\b"),  # Twilio
    (
        ("npm_", "pypi-", "dckr_pat_"),  # package registries
        r"\bnpm_[A-Za-z0-9]{36}\b|\bpypi-[\w-]{40,}|\bdckr_pat_[\w-]{20,}",
    ),
    (("AKCp",), r"\bAKCp[A-Za-z0-9]{60,}"),  # Artifactory
    (("dapi",), r"\bdapi[0-9a-f]{32}\b"),  # Databricks
    (("hvs.", "hvb.", "hvr."), r"\bhv[sbr]\.[\w-]{24,}"),  # Vault
    (("_v1_",), r"\bdo[opr]_v1_[0-9a-f]{64}\b"),  # DigitalOcean
    (("glsa_", "glc_"), r"\bgl(?:sa|c)_[\w=+/-]{32,}"),  # Grafana
    (("ntn_",), r"\bntn_[A-Za-z0-9]{40,}"),  # Notion
    (("lin_api_",), r"\blin_api_[A-Za-z0-9]{32,}"),  # Linear
    (("PMAK-",), r"\bPMAK-[0-9a-f]{24}-[0-9a-f]{34}\b"),  # Postman
    (("tskey-",), r"\btskey-[a-z]+-[\w-]{16,}"),  # Tailscale
    (("sbp_",), r"\bsbp_[0-9a-f]{40}\b"),  # Supabase
    (("NRAK-",), r"\bNRAK-[A-Z0-9]{27}\b"),  # New Relic
    (("AccountKey=",), r"(?<=AccountKey=)[A-Za-z0-9+/]{60,}={0,2}"),  # Azure storage
    (("sig=",), r"(?<=[?&]sig=)[\w%+/-]{30,}"),  # a signed Azure address
    (("X-Amz-Signature=",), r"(?<=X-Amz-Signature=)[0-9a-f]{64}\b"),  # a signed AWS address
    (("eyJ",), r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*"),  # JSON web token
    ((":",), r"\b\d{8,10}:[\w-]{35}(?![\w-])"),  # Telegram's bots
    ((".",), r"\b[MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,}"),  # Discord's bots
)
_COMPILED = tuple((hints, re.compile(shape)) for hints, shape in _SHAPES)
#: No shape matches a shorter text; the shortest is Slack's.
_SHORTEST = 15


def remove_shaped(text: str) -> str:
    """The text with every key of a known shape replaced by `MARK`."""
    if len(text) < _SHORTEST:
        return text
    for hints, shape in _COMPILED:
        if any(hint in text for hint in hints):
            text = shape.sub(MARK, text)
    return text

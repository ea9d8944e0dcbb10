"""The catalogue of the pages' texts: two languages each, every one asked for there, none that nobody asks for."""

import json
import re
from importlib.resources import files

PORTAL = files("server.portal")
TEXTS: dict[str, list[str]] = json.loads(PORTAL.joinpath("static/texts.json").read_text())
MADE = (
    "state_", "rule_", "kind_", "role_", "done_", "proven_", "pause_", "resume_", "revoke_", "dispute_", "withdraw_",
    "objection_", "stage_", "power_", "act_",
    "demand_", "place_", "decline_", "offer_", "loan_", "class_", "report_", "guarantee_", "repayment_", "industry_",
    "instalment_", "told_",
)  # fmt: skip
"""Beginnings of keys that are put together from a word of the service."""


def sources() -> str:
    folders = (PORTAL.joinpath("templates"), PORTAL.joinpath("static"))
    return "\n".join(
        entry.read_text() for folder in folders for entry in folder.iterdir() if entry.name.endswith((".html", ".js"))
    )


def test_every_text_is_there_in_both_languages() -> None:
    for key, said in TEXTS.items():
        assert len(said) == 2 and all(text.strip() for text in said), key
        zh, en = (sorted(re.findall(r"\{\d\}", text)) for text in said)
        assert zh == en, key


def test_every_key_that_is_asked_for_is_there_and_every_one_there_is_asked_for() -> None:
    asked = set(re.findall(r"\bt\(\s*['\"](\w+)['\"]\s*[,)]", sources()))
    assert asked <= set(TEXTS)
    named = set(re.findall(r"['\"](\w+)['\"]", sources()))
    assert {key for key in TEXTS if key not in named and not key.startswith(MADE)} == set()

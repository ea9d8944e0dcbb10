"""Authorizations as a platform keeps copies of them: what a test does not care about is filled in."""

from typing import Any

from xinyidai.authorization import Authorization, Disclosure
from xinyidai.identifiers import EnclaveId


def copied_authorization(**members: Any) -> Authorization:
    """Of one category, once, for `members`: enterprise, bank, ids and times."""
    return Authorization(
        enclaves=(EnclaveId("lianyungang-1"),),
        bank_certificate="a" * 43,
        notice_hash="0" * 64,
        categories=("tax_payment",),
        purpose="loan_origination",
        purpose_version=1,
        disclosure=Disclosure.TOTAL,
        precision_points=0,
        max_assessments=1,
        catalogue="c@1",
        catalogue_digest="0" * 64,
        **members,
    )

"""What the enclave answers, asked directly by a platform nobody has to trust: exact scores, and their receipts."""

from typing import Any

import numpy as np
from xinyidai.authorization import Disclosure
from xinyidai.framing import decode_answer
from xinyidai.identity import Role, TrustAnchor, verify_with_chain
from xinyidai.parameters import LINEAR_4096_T1024
from xinyidai.receipt import RECEIPT_TYPE, answer_digest, parse_receipt
from xinyidai.v1 import assessment_pb2

from tests.support.bare import BareEnclave
from tests.support.parties import plain_score, random_points


def test_a_score_is_exact_and_the_receipt_proves_it(bare: BareEnclave) -> None:
    enterprise = bare.enterprise(0)
    points = random_points(bare.catalogue, np.random.default_rng(1))
    model = bare.direct.register(bare.bank, points)
    digest = bare.direct.submit(enterprise, enterprise.terms(bare.bank))

    signed = bare.bank.request(model.model_id, [(enterprise.uscc, digest)])
    assessment = bare.direct.assess(signed)

    (part,) = assessment.parts
    assert len(part.answer) <= 15 * 1024
    score = model.secret.decrypt_coefficient(decode_answer(part.answer))
    assert score == plain_score(bare.catalogue, points, bare.cells_of(0))
    anchor = TrustAnchor.from_pem(Role.ENCLAVE, bare.deployment.anchor("enclave").read_bytes())
    receipt = parse_receipt(verify_with_chain(assessment.receipt, RECEIPT_TYPE, anchor).claims)
    assert (receipt.enterprise, receipt.bank, receipt.model) == (enterprise.uscc, "bank-a", model.model_id)
    assert receipt.centibits == LINEAR_4096_T1024.centibits(0) == 1004
    assert receipt.answers[0].digest == answer_digest(part.answer)


def test_categories_not_authorized_never_enter_the_computation(bare: BareEnclave) -> None:
    enterprise = bare.enterprise(1)
    catalogue = bare.catalogue
    granted = ("annual_report", "tax_payment", "electricity_usage")
    points = random_points(catalogue, np.random.default_rng(2))
    model = bare.direct.register(bare.bank, points)
    digest = bare.direct.submit(enterprise, enterprise.terms(bare.bank, categories=granted))
    cells = {
        f.code: cell if set(f.sources) <= set(granted) else f.not_authorized
        for f, cell in zip(catalogue.features, bare.cells[1].tolist(), strict=True)
    }
    assert bare.direct.score(bare.bank, model, enterprise.uscc, digest) == plain_score(catalogue, points, cells)


def test_by_category_answers_once_a_category_within_the_precision(bare: BareEnclave) -> None:
    enterprise = bare.enterprise(2)
    catalogue = bare.catalogue
    granted = ("tax_payment", "electricity_usage")
    points = random_points(catalogue, np.random.default_rng(3))
    model = bare.direct.register(bare.bank, points)
    terms: dict[str, Any] = {"categories": granted, "disclosure": Disclosure.BY_CATEGORY, "precision_points": 31}
    digest = bare.direct.submit(enterprise, enterprise.terms(bare.bank, **terms))
    request = bare.bank.request(
        model.model_id, [(enterprise.uscc, digest)], disclosure=Disclosure.BY_CATEGORY, precision_points=31
    )
    parts = bare.direct.assess(request).parts
    assert [part.category for part in parts] == sorted(granted)
    cells = bare.cells_of(2)
    for part in parts:
        own = {f.code: cells[f.code] for f in catalogue.category(part.category).features}
        exact = plain_score(catalogue, points, own)
        got = model.secret.decrypt_coefficient(decode_answer(part.answer))
        assert min((got - exact) % 1024, (exact - got) % 1024) <= 31
    (usage,) = bare.direct.usage(enterprise).usages
    assert usage.centibits == 2 * LINEAR_4096_T1024.centibits(31)


def test_an_enterprise_without_records_looks_like_any_other(bare: BareEnclave) -> None:
    enterprise = bare.enterprise(90_000)
    points = random_points(bare.catalogue, np.random.default_rng(4))
    model = bare.direct.register(bare.bank, points)
    digest = bare.direct.submit(enterprise, enterprise.terms(bare.bank))
    missing = {f.code: f.missing for f in bare.catalogue.features}
    got = bare.direct.score(bare.bank, model, enterprise.uscc, digest)
    assert got == plain_score(bare.catalogue, points, missing)


def test_many_items_of_one_stream(bare: BareEnclave) -> None:
    """One stream, four requests of 16 items: everything answered once, in order, exactly."""
    points = random_points(bare.catalogue, np.random.default_rng(13))
    model = bare.direct.register(bare.bank, points)
    numbers = range(43, 59)
    items = []
    for number in numbers:
        enterprise = bare.enterprise(number)
        items.append((enterprise.uscc, bare.direct.submit(enterprise, enterprise.terms(bare.bank))))
    signed = [bare.bank.request(model.model_id, items[at : at + 4]) for at in range(0, 16, 4)]
    requests = (assessment_pb2.AssessRequest(request=s) for s in signed)
    scores = []
    for response in bare.direct.stub.AssessMany(requests, timeout=30):
        for outcome in response.outcomes:
            frame = outcome.assessment.parts[0].answer
            scores.append(model.secret.decrypt_coefficient(decode_answer(frame)))
    assert scores == [plain_score(bare.catalogue, points, bare.cells_of(n)) for n in numbers]

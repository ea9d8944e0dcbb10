"""What is noted of the outcomes of an assessment request."""

from dataclasses import replace

from xinyidai.identifiers import EnclaveId
from xinyidai.requests import AssessmentRequest
from xinyidai.v1 import assessment_pb2

from server.assessments.errors import ReceiptUnreadable
from server.assessments.service import note_assessments, read_assessment_id
from server.audit.models import Kind
from server.audit.service import OK, Event
from server.relay.journal import Journal

_MAX_OUTCOME = 64


def drafts(request: AssessmentRequest, enclave: EnclaveId) -> list[Event]:
    """An event for each item, as the bank's document claims it."""
    return [
        Event(
            Kind.ASSESS,
            OK,
            enclave,
            bank=request.stamp.issuer[:63],
            enterprise=item.enterprise,
            model=request.model,
            authorization=item.authorization,
        )
        for item in request.items
    ]


async def write_outcomes(
    journal: Journal, request: AssessmentRequest, enclave: EnclaveId, answer: assessment_pb2.AssessResponse
) -> None:
    """Raises `ReceiptUnreadable` for an answer that does not fit the request."""
    events, passed = [], {}
    waiting = drafts(request, enclave)
    for outcome in answer.outcomes:
        if not 0 <= outcome.item < len(waiting):
            raise ReceiptUnreadable("the enclave answered an item that was not asked")
        event = waiting[outcome.item]
        if outcome.WhichOneof("result") == "assessment":
            assessment = read_assessment_id(outcome.assessment.receipt)
            passed[assessment] = event.authorization or ""
            events.append(replace(event, assessment=assessment))
        else:
            events.append(replace(event, outcome=outcome.refusal.reason[:_MAX_OUTCOME]))
    await journal.write(Kind.ASSESS, events, lambda session, now: note_assessments(session, passed, now))

"""What a bank meets: gRPC with mutual TLS, in front of a real enclave."""

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from xinyidai.framing import decode_answer
from xinyidai.identity import Role
from xinyidai.reasons import Reason
from xinyidai.statements import Action
from xinyidai.status import read_error
from xinyidai.v1 import assessment_pb2, authorization_pb2, bank_pb2_grpc, catalogue_pb2, model_pb2

from tests.support.certificates import make_authority
from tests.support.parties import RawModel, plain_score, stamp
from tests.support.platform import PlatformUnderTest


@pytest.fixture(scope="module")
def model(platform: PlatformUnderTest) -> RawModel:
    return platform.register_model()


def request(signed: str) -> assessment_pb2.AssessRequest:
    return assessment_pb2.AssessRequest(request=signed)


def reason(caught: pytest.ExceptionInfo[grpc.RpcError]) -> Reason | None:
    wire = read_error(caught.value)
    return wire.reason if wire else None


def test_a_bank_gets_the_exact_score_through_a_platform_that_sees_none(
    platform: PlatformUnderTest, model: RawModel
) -> None:
    enterprise = platform.enterprise(1)
    digest = platform.grant(enterprise)
    signed = platform.bare.bank.request(model.model_id, [(enterprise.uscc, digest)])
    answer = platform.bank_stub().Assess(request(signed))
    score = model.secret.decrypt_coefficient(decode_answer(answer.outcomes[0].assessment.parts[0].answer))
    assert score == plain_score(platform.bare.catalogue, model.points, platform.bare.cells_of(1))
    noted = platform.audit()[-1]
    assert (noted["kind"], noted["outcome"], noted["bank"]) == ("assess", "OK", "bank-a")
    assert (noted["enterprise"], noted["model"], noted["authorization"]) == (enterprise.uscc, model.model_id, digest)
    assert noted["assessment"]


def test_a_stream_answers_every_item_and_notes_each(platform: PlatformUnderTest, model: RawModel) -> None:
    enterprise = platform.enterprise(2)
    digest = platform.grant(enterprise)
    before = len(platform.audit())
    items = [(enterprise.uscc, digest), *((enterprise.uscc, f"{number:064x}") for number in range(19))]
    requests = [request(platform.bare.bank.request(model.model_id, items)) for _ in range(12)]
    answers = list(platform.bank_stub().AssessMany(iter(requests)))
    assert sum(answer.last for answer in answers) == 12
    assert all(len(answer.outcomes) <= 16 for answer in answers)
    kinds = [outcome.WhichOneof("result") for answer in answers for outcome in answer.outcomes]
    assert (kinds.count("assessment"), kinds.count("refusal")) == (12, 228)
    outcomes = [row["outcome"] for row in platform.audit()[before:]]
    assert (outcomes.count("OK"), outcomes.count("AUTHORIZATION_UNKNOWN")) == (12, 228)


def test_an_empty_stream_ends_as_it_began(platform: PlatformUnderTest) -> None:
    assert list(platform.bank_stub().AssessMany(iter(()))) == []


def test_a_refused_request_ends_its_stream_with_the_enclaves_reason(
    platform: PlatformUnderTest, model: RawModel
) -> None:
    enterprise = platform.enterprise(3)
    digest = platform.grant(enterprise)
    signed = platform.bare.bank.request(model.model_id, [(enterprise.uscc, digest)])
    platform.bank_stub().Assess(request(signed))
    with pytest.raises(grpc.RpcError) as caught:
        list(platform.bank_stub().AssessMany(iter([request(signed)])))
    assert reason(caught) is Reason.NONCE_SPENT
    assert platform.audit()[-1]["outcome"] == "NONCE_SPENT"


def test_the_platform_stops_nonsense_within_a_stream_and_the_bank_learns_why(platform: PlatformUnderTest) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        list(platform.bank_stub().AssessMany(iter([request("not a document")])))
    assert reason(caught) is Reason.DOCUMENT_MALFORMED


def test_lists_show_models_and_grants_with_state_and_use(platform: PlatformUnderTest, model: RawModel) -> None:
    stub, enterprise = platform.bank_stub(), platform.enterprise(4)
    digest = platform.grant(enterprise)
    listed = stub.ListModels(model_pb2.ListModelsRequest()).models
    assert model.model_id in [entry.model_id for entry in listed]
    asked = authorization_pb2.ListAuthorizationsRequest(enterprise=enterprise.uscc)
    active, paused = (authorization_pb2.AUTHORIZATION_STATE_ACTIVE, authorization_pb2.AUTHORIZATION_STATE_PAUSED)
    (entry,) = stub.ListAuthorizations(asked).authorizations
    assert (entry.state, entry.assessments) == (active, 0)
    for _ in range(2):
        stub.Assess(request(platform.bare.bank.request(model.model_id, [(enterprise.uscc, digest)])))
    statement = enterprise.statement(Action.PAUSE, digest)
    assert platform.http.post("/v1/statements", json={"statement": statement}).json()["state"] == "paused"
    (entry,) = stub.ListAuthorizations(asked).authorizations
    assert (entry.state, entry.assessments) == (paused, 1)
    with pytest.raises(grpc.RpcError) as caught:
        stub.Assess(request(platform.bare.bank.request(model.model_id, [(enterprise.uscc, digest)])))
    assert reason(caught) is Reason.AUTHORIZATION_PAUSED


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (authorization_pb2.ListAuthorizationsRequest(enterprise="no such code"), Reason.USCC_INVALID),
        (authorization_pb2.ListAuthorizationsRequest(page_size=501), Reason.REQUEST_INVALID),
        (authorization_pb2.ListAuthorizationsRequest(page_token="x"), Reason.REQUEST_INVALID),
    ],
)
def test_lists_refuse_what_is_out_of_bounds(
    platform: PlatformUnderTest, asked: authorization_pb2.ListAuthorizationsRequest, expected: Reason
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        platform.bank_stub().ListAuthorizations(asked)
    assert reason(caught) is expected


def test_the_catalogue_passes_unchanged(platform: PlatformUnderTest) -> None:
    answer = platform.bank_stub().GetCatalogue(catalogue_pb2.GetCatalogueRequest())
    assert answer.document == platform.bare.catalogue.canonical
    with pytest.raises(grpc.RpcError) as caught:
        platform.bank_stub().GetCatalogue(catalogue_pb2.GetCatalogueRequest(reference="other@1"))
    assert reason(caught) is Reason.CATALOGUE_UNKNOWN


def test_a_bank_of_the_right_authority_that_is_not_registered_is_refused(platform: PlatformUnderTest) -> None:
    for call in (
        lambda stub: stub.GetCatalogue(catalogue_pb2.GetCatalogueRequest()),
        lambda stub: list(stub.AssessMany(iter(()))),
    ):
        with pytest.raises(grpc.RpcError) as caught:
            call(platform.bank_stub("bank-b"))
        assert reason(caught) is Reason.BANK_NOT_REGISTERED


def test_a_bank_cannot_relay_what_another_bank_signed(platform: PlatformUnderTest, model: RawModel) -> None:
    enterprise = platform.enterprise(5)
    signed = platform.bare.other_bank.request(model.model_id, [(enterprise.uscc, "0" * 64)])
    for call in (
        lambda: platform.bank_stub().Assess(request(signed)),
        lambda: list(platform.bank_stub().AssessMany(iter([request(signed)]))),
    ):
        with pytest.raises(grpc.RpcError) as caught:
            call()
        assert reason(caught) is Reason.CERTIFICATE_INVALID


def test_a_request_for_another_platforms_enclave_is_refused(platform: PlatformUnderTest, model: RawModel) -> None:
    bank, enterprise = platform.bare.bank, platform.enterprise(6)
    elsewhere = stamp(bank.bank_id, audience=("nanjing-1",))
    with pytest.raises(grpc.RpcError) as caught:
        platform.bank_stub().Assess(
            request(bank.request(model.model_id, [(enterprise.uscc, "0" * 64)], stamp=elsewhere))
        )
    assert reason(caught) is Reason.AUDIENCE_MISMATCH


def test_two_items_in_assess_are_refused_before_anything_is_charged(
    platform: PlatformUnderTest, model: RawModel
) -> None:
    enterprise = platform.enterprise(7)
    digest = platform.grant(enterprise)
    with pytest.raises(grpc.RpcError) as caught:
        platform.bank_stub().Assess(
            request(
                platform.bare.bank.request(model.model_id, [(enterprise.uscc, digest), (enterprise.uscc, "0" * 64)])
            )
        )
    assert reason(caught) is Reason.REQUEST_INVALID
    assert list(platform.bare.direct.usage(enterprise).usages) == []


def test_without_a_certificate_or_with_a_strangers_there_is_no_connection(platform: PlatformUnderTest) -> None:
    roots = platform.bare.deployment.anchor("platform").read_bytes()
    stranger = make_authority("Stranger").issue(Role.BANK, "bank-a")
    for credentials in (
        grpc.ssl_channel_credentials(roots),
        grpc.ssl_channel_credentials(roots, stranger.key_pem, stranger.chain_pem),
    ):
        with grpc.secure_channel(platform.grpc_address, credentials) as channel:
            stub = bank_pb2_grpc.BankServiceStub(channel)  # type: ignore[no-untyped-call]
            with pytest.raises(grpc.RpcError) as caught:
                stub.GetCatalogue(catalogue_pb2.GetCatalogueRequest(), timeout=5)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_a_message_beyond_the_limit_never_reaches_the_service(platform: PlatformUnderTest) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        platform.bank_stub().RegisterModel(model_pb2.RegisterModelRequest(registration="x", weights=bytes(300_000)))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_health_and_reflection_answer(platform: PlatformUnderTest) -> None:
    channel = platform.channel("bank-a")
    probe = health_pb2_grpc.HealthStub(channel)
    for service in ("", "xinyidai.v1.BankService", "xinyidai.v1.MarketService"):
        answer = probe.Check(health_pb2.HealthCheckRequest(service=service))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    asked = reflection_pb2.ServerReflectionRequest(list_services="")
    (answer,) = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter([asked]))
    assert "xinyidai.v1.BankService" in [entry.name for entry in answer.list_services_response.service]

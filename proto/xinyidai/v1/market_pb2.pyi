from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ProductTerms(_message.Message):
    __slots__ = ("name_zh", "name_en", "amount_least_fen", "amount_most_fen", "months_least", "months_most", "rate_least_bp", "rate_most_bp", "repayments", "guarantee", "quota_fen", "valid_until", "regions", "industries", "purposes", "months_in_business_least")
    NAME_ZH_FIELD_NUMBER: _ClassVar[int]
    NAME_EN_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_LEAST_FEN_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_MOST_FEN_FIELD_NUMBER: _ClassVar[int]
    MONTHS_LEAST_FIELD_NUMBER: _ClassVar[int]
    MONTHS_MOST_FIELD_NUMBER: _ClassVar[int]
    RATE_LEAST_BP_FIELD_NUMBER: _ClassVar[int]
    RATE_MOST_BP_FIELD_NUMBER: _ClassVar[int]
    REPAYMENTS_FIELD_NUMBER: _ClassVar[int]
    GUARANTEE_FIELD_NUMBER: _ClassVar[int]
    QUOTA_FEN_FIELD_NUMBER: _ClassVar[int]
    VALID_UNTIL_FIELD_NUMBER: _ClassVar[int]
    REGIONS_FIELD_NUMBER: _ClassVar[int]
    INDUSTRIES_FIELD_NUMBER: _ClassVar[int]
    PURPOSES_FIELD_NUMBER: _ClassVar[int]
    MONTHS_IN_BUSINESS_LEAST_FIELD_NUMBER: _ClassVar[int]
    name_zh: str
    name_en: str
    amount_least_fen: int
    amount_most_fen: int
    months_least: int
    months_most: int
    rate_least_bp: int
    rate_most_bp: int
    repayments: _containers.RepeatedScalarFieldContainer[str]
    guarantee: str
    quota_fen: int
    valid_until: int
    regions: _containers.RepeatedScalarFieldContainer[str]
    industries: _containers.RepeatedScalarFieldContainer[str]
    purposes: _containers.RepeatedScalarFieldContainer[str]
    months_in_business_least: int
    def __init__(self, name_zh: _Optional[str] = ..., name_en: _Optional[str] = ..., amount_least_fen: _Optional[int] = ..., amount_most_fen: _Optional[int] = ..., months_least: _Optional[int] = ..., months_most: _Optional[int] = ..., rate_least_bp: _Optional[int] = ..., rate_most_bp: _Optional[int] = ..., repayments: _Optional[_Iterable[str]] = ..., guarantee: _Optional[str] = ..., quota_fen: _Optional[int] = ..., valid_until: _Optional[int] = ..., regions: _Optional[_Iterable[str]] = ..., industries: _Optional[_Iterable[str]] = ..., purposes: _Optional[_Iterable[str]] = ..., months_in_business_least: _Optional[int] = ...) -> None: ...

class Product(_message.Message):
    __slots__ = ("product_id", "version", "state", "terms", "quota_left_fen")
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    QUOTA_LEFT_FEN_FIELD_NUMBER: _ClassVar[int]
    product_id: str
    version: int
    state: str
    terms: ProductTerms
    quota_left_fen: int
    def __init__(self, product_id: _Optional[str] = ..., version: _Optional[int] = ..., state: _Optional[str] = ..., terms: _Optional[_Union[ProductTerms, _Mapping]] = ..., quota_left_fen: _Optional[int] = ...) -> None: ...

class PublishProductRequest(_message.Message):
    __slots__ = ("code", "replaces", "terms")
    CODE_FIELD_NUMBER: _ClassVar[int]
    REPLACES_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    code: str
    replaces: int
    terms: ProductTerms
    def __init__(self, code: _Optional[str] = ..., replaces: _Optional[int] = ..., terms: _Optional[_Union[ProductTerms, _Mapping]] = ...) -> None: ...

class WithdrawProductRequest(_message.Message):
    __slots__ = ("product_id",)
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    product_id: str
    def __init__(self, product_id: _Optional[str] = ...) -> None: ...

class ListProductsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListProductsResponse(_message.Message):
    __slots__ = ("products",)
    PRODUCTS_FIELD_NUMBER: _ClassVar[int]
    products: _containers.RepeatedCompositeFieldContainer[Product]
    def __init__(self, products: _Optional[_Iterable[_Union[Product, _Mapping]]] = ...) -> None: ...

class MatchReason(_message.Message):
    __slots__ = ("rule", "points", "zh", "en")
    RULE_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    ZH_FIELD_NUMBER: _ClassVar[int]
    EN_FIELD_NUMBER: _ClassVar[int]
    rule: str
    points: int
    zh: str
    en: str
    def __init__(self, rule: _Optional[str] = ..., points: _Optional[int] = ..., zh: _Optional[str] = ..., en: _Optional[str] = ...) -> None: ...

class MarketDemand(_message.Message):
    __slots__ = ("demand_id", "version", "state", "enterprise", "amount_fen", "months", "purpose", "guarantees", "region", "industry", "months_in_business", "posted_at", "expires_at", "place", "held_until", "authorization", "product_id", "product_version", "points", "reasons")
    DEMAND_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ENTERPRISE_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FEN_FIELD_NUMBER: _ClassVar[int]
    MONTHS_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    GUARANTEES_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    INDUSTRY_FIELD_NUMBER: _ClassVar[int]
    MONTHS_IN_BUSINESS_FIELD_NUMBER: _ClassVar[int]
    POSTED_AT_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    HELD_UNTIL_FIELD_NUMBER: _ClassVar[int]
    AUTHORIZATION_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_VERSION_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    demand_id: str
    version: int
    state: str
    enterprise: str
    amount_fen: int
    months: int
    purpose: str
    guarantees: _containers.RepeatedScalarFieldContainer[str]
    region: str
    industry: str
    months_in_business: int
    posted_at: int
    expires_at: int
    place: str
    held_until: int
    authorization: str
    product_id: str
    product_version: int
    points: int
    reasons: _containers.RepeatedCompositeFieldContainer[MatchReason]
    def __init__(self, demand_id: _Optional[str] = ..., version: _Optional[int] = ..., state: _Optional[str] = ..., enterprise: _Optional[str] = ..., amount_fen: _Optional[int] = ..., months: _Optional[int] = ..., purpose: _Optional[str] = ..., guarantees: _Optional[_Iterable[str]] = ..., region: _Optional[str] = ..., industry: _Optional[str] = ..., months_in_business: _Optional[int] = ..., posted_at: _Optional[int] = ..., expires_at: _Optional[int] = ..., place: _Optional[str] = ..., held_until: _Optional[int] = ..., authorization: _Optional[str] = ..., product_id: _Optional[str] = ..., product_version: _Optional[int] = ..., points: _Optional[int] = ..., reasons: _Optional[_Iterable[_Union[MatchReason, _Mapping]]] = ...) -> None: ...

class ListDemandsRequest(_message.Message):
    __slots__ = ("places", "page_size", "page_token")
    PLACES_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    places: _containers.RepeatedScalarFieldContainer[str]
    page_size: int
    page_token: str
    def __init__(self, places: _Optional[_Iterable[str]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListDemandsResponse(_message.Message):
    __slots__ = ("demands", "next_page_token")
    DEMANDS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    demands: _containers.RepeatedCompositeFieldContainer[MarketDemand]
    next_page_token: str
    def __init__(self, demands: _Optional[_Iterable[_Union[MarketDemand, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class StreamDemandsRequest(_message.Message):
    __slots__ = ("resume_token",)
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    resume_token: str
    def __init__(self, resume_token: _Optional[str] = ...) -> None: ...

class DemandNotice(_message.Message):
    __slots__ = ("resume_token", "kind", "demand")
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    DEMAND_FIELD_NUMBER: _ClassVar[int]
    resume_token: str
    kind: str
    demand: MarketDemand
    def __init__(self, resume_token: _Optional[str] = ..., kind: _Optional[str] = ..., demand: _Optional[_Union[MarketDemand, _Mapping]] = ...) -> None: ...

class GrabRequest(_message.Message):
    __slots__ = ("demand_id",)
    DEMAND_ID_FIELD_NUMBER: _ClassVar[int]
    demand_id: str
    def __init__(self, demand_id: _Optional[str] = ...) -> None: ...

class DeclineRequest(_message.Message):
    __slots__ = ("demand_id", "reason")
    DEMAND_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    demand_id: str
    reason: str
    def __init__(self, demand_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class OfferTerms(_message.Message):
    __slots__ = ("amount_fen", "annual_rate_bp", "months", "fee_fen", "repayment", "valid_until")
    AMOUNT_FEN_FIELD_NUMBER: _ClassVar[int]
    ANNUAL_RATE_BP_FIELD_NUMBER: _ClassVar[int]
    MONTHS_FIELD_NUMBER: _ClassVar[int]
    FEE_FEN_FIELD_NUMBER: _ClassVar[int]
    REPAYMENT_FIELD_NUMBER: _ClassVar[int]
    VALID_UNTIL_FIELD_NUMBER: _ClassVar[int]
    amount_fen: int
    annual_rate_bp: int
    months: int
    fee_fen: int
    repayment: str
    valid_until: int
    def __init__(self, amount_fen: _Optional[int] = ..., annual_rate_bp: _Optional[int] = ..., months: _Optional[int] = ..., fee_fen: _Optional[int] = ..., repayment: _Optional[str] = ..., valid_until: _Optional[int] = ...) -> None: ...

class OfferRequest(_message.Message):
    __slots__ = ("demand_id", "demand_version", "product_id", "terms", "idempotency_key")
    DEMAND_ID_FIELD_NUMBER: _ClassVar[int]
    DEMAND_VERSION_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    demand_id: str
    demand_version: int
    product_id: str
    terms: OfferTerms
    idempotency_key: str
    def __init__(self, demand_id: _Optional[str] = ..., demand_version: _Optional[int] = ..., product_id: _Optional[str] = ..., terms: _Optional[_Union[OfferTerms, _Mapping]] = ..., idempotency_key: _Optional[str] = ...) -> None: ...

class MarketOffer(_message.Message):
    __slots__ = ("offer_id", "demand_id", "demand_version", "product_id", "product_version", "state", "terms", "made_at")
    OFFER_ID_FIELD_NUMBER: _ClassVar[int]
    DEMAND_ID_FIELD_NUMBER: _ClassVar[int]
    DEMAND_VERSION_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_VERSION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    MADE_AT_FIELD_NUMBER: _ClassVar[int]
    offer_id: str
    demand_id: str
    demand_version: int
    product_id: str
    product_version: int
    state: str
    terms: OfferTerms
    made_at: int
    def __init__(self, offer_id: _Optional[str] = ..., demand_id: _Optional[str] = ..., demand_version: _Optional[int] = ..., product_id: _Optional[str] = ..., product_version: _Optional[int] = ..., state: _Optional[str] = ..., terms: _Optional[_Union[OfferTerms, _Mapping]] = ..., made_at: _Optional[int] = ...) -> None: ...

class WithdrawOfferRequest(_message.Message):
    __slots__ = ("offer_id",)
    OFFER_ID_FIELD_NUMBER: _ClassVar[int]
    offer_id: str
    def __init__(self, offer_id: _Optional[str] = ...) -> None: ...

class FulfilRequest(_message.Message):
    __slots__ = ("demand_id",)
    DEMAND_ID_FIELD_NUMBER: _ClassVar[int]
    demand_id: str
    def __init__(self, demand_id: _Optional[str] = ...) -> None: ...

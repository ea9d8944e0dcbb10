"""What the market refuses.

Refused
 └─ MarketRefused
     ├─ NonceSpent                                     the document was used before
     ├─ DemandUnknown, ProductUnknown, OfferUnknown    there is none, or it is not the caller's
     ├─ DemandClosed                                   the demand is in no state that allows this
     ├─ DemandChanged, ProductChanged                  another version is in force
     ├─ DemandFull                                     as many banks as the enterprise wants are at work
     ├─ CriteriaNotMet                                 the offer lies outside its product, or the demand does
     ├─ QuotaExhausted                                 the product's quota does not cover the loan any more
     ├─ OfferExists                                    the bank has made its offer for this version
     ├─ OfferClosed                                    the offer no longer stands
     ├─ GrantUnfit                                     no such authorization of this enterprise, bank and demand
     ├─ TooManyDemands, TooManyProducts                as many are open as one party may have
     └─ KeyReplaced                                    signed with a key the enterprise no longer uses
"""

from xinyidai.reasons import Reason

from server.errors import Refused


class MarketRefused(Refused):
    pass


class DemandUnknown(MarketRefused):
    reason = Reason.DEMAND_UNKNOWN

    def __init__(self) -> None:
        super().__init__("no such demand that concerns the caller")


class ProductUnknown(MarketRefused):
    reason = Reason.PRODUCT_UNKNOWN

    def __init__(self) -> None:
        super().__init__("no such product of this bank")


class OfferUnknown(MarketRefused):
    reason = Reason.OFFER_UNKNOWN

    def __init__(self) -> None:
        super().__init__("no such offer that concerns the caller")


class DemandClosed(MarketRefused):
    reason = Reason.DEMAND_STATE


class DemandChanged(MarketRefused):
    reason = Reason.DEMAND_VERSION


class DemandFull(MarketRefused):
    reason = Reason.DEMAND_FULL

    def __init__(self) -> None:
        super().__init__("as many banks as the enterprise wants are at work on this demand")


class ProductChanged(MarketRefused):
    reason = Reason.PRODUCT_VERSION


class CriteriaNotMet(MarketRefused):
    reason = Reason.PRODUCT_CRITERIA


class QuotaExhausted(MarketRefused):
    reason = Reason.QUOTA_EXHAUSTED

    def __init__(self) -> None:
        super().__init__("the product's quota does not cover this loan any more; accept another offer")


class OfferExists(MarketRefused):
    reason = Reason.OFFER_EXISTS

    def __init__(self) -> None:
        super().__init__("this bank has made its offer for this version of the demand")


class OfferClosed(MarketRefused):
    reason = Reason.OFFER_STATE


class GrantUnfit(MarketRefused):
    reason = Reason.AUTHORIZATION_UNKNOWN


class KeyReplaced(MarketRefused):
    reason = Reason.KEY_NOT_REGISTERED

    def __init__(self) -> None:
        super().__init__("register this key first; the platform knows none, or another one, of this enterprise")


class NonceSpent(MarketRefused):
    reason = Reason.NONCE_SPENT

    def __init__(self) -> None:
        super().__init__("this document was used before; sign a new one")


class TooManyDemands(MarketRefused):
    reason = Reason.DEMAND_LIMIT


class TooManyProducts(MarketRefused):
    reason = Reason.PRODUCT_LIMIT

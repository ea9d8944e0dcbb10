"""The enterprise's own program: its key, its grants, and its view of every use of its data."""

from clients.wallet.market import WalletMarket
from clients.wallet.platform import PlatformRefused, PlatformUnreachable, WalletError
from clients.wallet.terms import GrantTerms
from clients.wallet.uses import Use
from clients.wallet.wallet import Wallet, WalletLocked

__all__ = [
    "GrantTerms",
    "PlatformRefused",
    "PlatformUnreachable",
    "Use",
    "Wallet",
    "WalletError",
    "WalletLocked",
    "WalletMarket",
]

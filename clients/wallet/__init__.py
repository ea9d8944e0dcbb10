"""The enterprise's own program: its key, its grants, and its view of every use of its data."""

from clients.wallet.platform import PlatformRefused, PlatformUnreachable, WalletError
from clients.wallet.wallet import GrantTerms, Use, Wallet, WalletLocked

__all__ = ["GrantTerms", "PlatformRefused", "PlatformUnreachable", "Use", "Wallet", "WalletError", "WalletLocked"]

"""Who is at the other end of a connection."""

from collections.abc import Iterable, Mapping
from functools import lru_cache

from xinyidai.identity import CertificateInvalid, Role, identity_of, load_chain, thumbprint

from server.relay.banks import BankPeer


def peer_of(auth_context: Mapping[str, Iterable[bytes]]) -> BankPeer:
    """TLS has checked the chain up to the banks' authority. Raises `CertificateInvalid`."""
    certificates = list(auth_context.get("x509_pem_cert", ()))
    if len(certificates) != 1:
        raise CertificateInvalid("call with the bank's client certificate")
    return _read(certificates[0])


@lru_cache(maxsize=1024)
def _read(pem: bytes) -> BankPeer:
    leaf = load_chain(pem)[0]
    identity = identity_of(leaf)
    if identity.role is not Role.BANK:
        raise CertificateInvalid("call with the bank's client certificate")
    return BankPeer(identity.name, thumbprint(leaf))

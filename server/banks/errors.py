"""BankNotRegistered, CertificateInUse: refusals of this domain."""

from xinyidai.reasons import Reason

from server.errors import Refused


class BankNotRegistered(Refused):
    """Unknown, disabled, or with another certificate than the registered one: the caller learns no more than that."""

    reason = Reason.BANK_NOT_REGISTERED

    def __init__(self, message: str = "this certificate is not that of a registered bank; ask the platform") -> None:
        super().__init__(message)


class CertificateInUse(Refused):
    """The certificate names another bank, or is registered for one."""

    reason = Reason.CERTIFICATE_INVALID

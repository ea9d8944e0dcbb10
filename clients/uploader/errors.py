"""What can go wrong with a delivery."""

from xinyidai.reasons import Reason


class UploadError(Exception):
    """Base of this package's errors; the text says what to do.

    UploadError
     ├─ UnreadableFile      the file cannot be taken apart at all
     ├─ DomainUnavailable   no answer from the data domain, after several tries
     └─ RefusedByDomain     the data domain said no; `reason` is one of xinyidai.reasons
    """


class UnreadableFile(UploadError):
    pass


class DomainUnavailable(UploadError):
    pass


class RefusedByDomain(UploadError):
    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(f"{message} ({reason})")
        self.reason = reason

"""A service for a bank's own tests, in this process: real clients, encryption and receipts, and no security at all.

    with InMemoryService() as service:
        service.grant("91320706MA088WXJ02", {"reg_age_months": 30.0})
        with service.client() as client:
            model = client.register(scorecard)
            assert client.assess("91320706MA088WXJ02", model).score == ...

What is real: the client and everything it checks, mutual TLS on localhost under throwaway authorities, the encryption
of the model, scorecard or trees, its evaluation under encryption, signed authorizations and receipts. What is not
there: masks, flooding, the disclosure ledger with its budgets, an enclave, durability. An answer of this service
reveals more than its score, and whoever runs it sees the cells of every enterprise: never give it anything of an
enterprise that exists.
"""

from bank_sdk.testing.service import InMemoryService
from bank_sdk.testing.servicer import Charge

__all__ = ["Charge", "InMemoryService"]

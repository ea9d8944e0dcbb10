"""The bank's side of `xyd-dev up`, as the README shows it: run in a bank's folder with an address and an enterprise."""

import sys
from pathlib import Path

from bank_sdk import BankClientSync, BankCredentials, BankSdkError, KeyStore
from clients.demo.scorecard import expert_scorecard
from clients.dev.deployment import ENCLAVE_ID

_MODEL = Path("model.txt")


def main(address: str, enterprise: str) -> None:
    roots = Path("../../ca")
    credentials = BankCredentials.from_files(
        "bank.pem", "bank.key", roots / "platform.pem", enclave_ca=roots / "enclave.pem"
    )
    store = KeyStore("keys", "development")
    with BankClientSync.connect(address, credentials, [ENCLAVE_ID], key_store=store) as client:
        if not _MODEL.exists():
            # Once: every registration is a model of its own, and a question about another model is another question.
            _MODEL.write_text(client.register(expert_scorecard(client.catalogue())).model_id)
        result = client.assess(enterprise, _MODEL.read_text())
        print(f"得分 / score {result.score}  数据截至 / as of {result.as_of}")
        print(f"本次计入 / charged {result.centibits_charged / 100:.2f} bits  重取 / repeated {result.repeated}")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except BankSdkError as error:
        sys.exit(f"{type(error).__name__}: {error}")

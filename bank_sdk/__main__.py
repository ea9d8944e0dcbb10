"""`python -m bank_sdk` is `xyd-bank`."""

from bank_sdk.cli import main

main()

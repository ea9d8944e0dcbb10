"""The commands of `xyd-bank`. Only bank_sdk.cli imports this package: it needs the extra `cli`."""

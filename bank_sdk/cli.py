"""`xyd-bank`: the entry point. The command line is an extra; without it, one line says how to get it."""

import sys

_NEEDED = ("typer", "rich")


def main() -> None:
    try:
        from bank_sdk.commands.app import app
    except ModuleNotFoundError as error:
        if error.name not in _NEEDED:
            raise
        message = "命令行工具未安装 / the command line is not installed: pip install 'xinyidai-bank-sdk[cli]'"
        print(message, file=sys.stderr)
        sys.exit(2)
    app()

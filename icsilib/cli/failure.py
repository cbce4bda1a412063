"""How every command of `icsi` ends when it cannot do what it was asked."""

from typing import NoReturn

import typer


def fail(error: Exception | str) -> NoReturn:
    """End with the error's one line on standard error and exit code 1."""
    typer.echo(f"Error: {error}", err=True)
    raise typer.Exit(1) from None

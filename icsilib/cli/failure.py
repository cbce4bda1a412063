"""How every command of `icsi` ends when it cannot do what it was asked: with one line."""

import errno
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from icsilib.errors import printable


def fail(error: Exception | str) -> NoReturn:
    """End with the error's one line on standard error and exit code 1."""
    typer.echo(f"Error: {printable(str(error))}", err=True)
    raise typer.Exit(1) from None


class OneLineErrors(TyperGroup):
    """Commands whose refusals, and those of the operating system, are one line instead of a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that `ctx` names."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            typer.echo("Stopped.", err=True)
            raise typer.Exit(130) from None
        except OSError as error:
            if error.errno == errno.EPIPE:  # the reader of the output has gone, which click handles
                raise
            fail(f"{error.filename}: {error.strerror}" if error.filename and error.strerror else error)
        except ValueError as error:  # the library's own, `icsilib.errors.IcsiError`, among them
            fail(error)

"""The command `icsi`: one module per group of subcommands, joined here."""

import typer

from icsilib.cli.agree import agree
from icsilib.cli.data import data
from icsilib.cli.detection import detect
from icsilib.cli.failure import OneLineErrors
from icsilib.cli.phantom import phantom
from icsilib.cli.provenance import provenance
from icsilib.cli.segmentation import segment
from icsilib.cli.study import study

app = typer.Typer(cls=OneLineErrors, no_args_is_help=True, help="Data, phantoms and results of ICSI Reproduced.")
app.add_typer(agree, name="agree")
app.add_typer(data, name="data")
app.add_typer(detect, name="detect")
app.add_typer(phantom, name="phantom")
app.add_typer(segment, name="segment")
app.add_typer(study, name="study")
app.command("provenance")(provenance)

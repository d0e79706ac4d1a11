"""``parity train``."""

import json
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from parity_runtime import InputError
from parity_training.loop import EpochResult
from parity_training.run import EVALUATION, Run
from parity_training.train import XORSettings, train_xor

_DEFAULTS = XORSettings()


@click.command(context_settings={"show_default": True})
@click.argument("data")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The run folder to make.")
@click.option("--size", default=_DEFAULTS.size, help="Training points.")
@click.option("--test-size", default=_DEFAULTS.test_size, help="Held-out points.")
@click.option("--std", default=_DEFAULTS.std, help="Standard deviation of the noise.")
@click.option("--hidden", default=_DEFAULTS.hidden, help="Neurons of the hidden layer.")
@click.option("--learning-rate", default=_DEFAULTS.learning_rate, help="Of SGD.")
@click.option("--batch-size", default=_DEFAULTS.batch_size, help="Rows of one step.")
@click.option("--epochs", default=_DEFAULTS.epochs, help="Passes over the data.")
@click.option("--seed", default=_DEFAULTS.seed, help="Of points, weights and order.")
@click.option("--force", is_flag=True, help="Replace a run that stands there already.")
def train(data: str, out: Path, force: bool, **settings: Any) -> None:
    """Train a network on DATA and write a run. DATA is xor, the notebook's continuous XOR problem."""
    if data != "xor":
        raise InputError(f"unknown data {data!r}; known is xor")
    chosen = XORSettings(**settings)
    with tqdm(total=chosen.epochs, desc="training", unit="epoch", disable=None, leave=False) as bar:

        def advance(result: EpochResult) -> None:
            bar.set_postfix(loss=f"{result.loss:.4f}", accuracy=f"{result.accuracy:.2%}", refresh=False)
            bar.update()

        run = train_xor(out, chosen, replace=force, on_epoch=advance)
    click.echo(_story(run, chosen))


def _story(run: Run, settings: XORSettings) -> str:
    evaluation = json.loads((run.path / EVALUATION).read_text(encoding="utf-8"))
    return (
        f"trained on {settings.size} points for {settings.epochs} epochs; "
        f"{evaluation['accuracy']:.2%} of {evaluation['rows']} held-out points are right\nrun: {run.path}"
    )

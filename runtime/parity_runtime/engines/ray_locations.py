"""Tables that Ray reads, and a folder that it writes."""

import logging
from typing import Any

from parity_runtime.arguments import argument, options_are_named
from parity_runtime.engines.batch_scorer import BatchScorer
from parity_runtime.engines.locations import LocationsJob
from parity_runtime.engines.ray_engine import RayEngine
from parity_runtime.engines.ray_errors import ray_errors
from parity_runtime.errors import InputError, ParityError, first_line
from parity_runtime.scoring.folder_job import SUCCESS
from parity_runtime.scoring.score_table import BATCH
from parity_runtime.tables.chunk import listed


def _answers(batch: Any, scorer: BatchScorer) -> Any:
    """Answer a dataset's batch, in whatever process; each opens the package once."""
    import pyarrow  # noqa: PLC0415 -- of the [ray] extra

    with options_are_named():
        answers = scorer.answers(batch.combine_chunks().to_batches(), "a batch of the dataset")
        return pyarrow.Table.from_batches(answers, scorer.schema(batch.schema, scorer.worker.open().contract))


def predict_with_ray(job: LocationsJob, address: str | None, gpus: int = 0) -> None:
    """Answer tables that Ray reads into a folder that it writes.

    Ray marks no folder as complete: an empty ``_SUCCESS`` is written where the folder is a local one (``file://``).

    Raises:
        InputError: Ray cannot read the tables, or write the folder; or as `parity_runtime.ray.predict`.
        ParityError: what a task raised.
    """
    local = job.local_out
    if local is not None and local.exists():
        raise InputError(f"{job.out} is there already; choose another folder with {argument('out')}, or remove it")
    for place in (*job.tables, job.out):
        _check_scheme(place)
    with RayEngine(address, gpus):
        dataset = _explained(lambda: _read(job), f"Ray cannot read {listed(job.tables)}")
        scorer = job.scorer(_explained(lambda: dataset.schema().names, f"Ray cannot read {listed(job.tables)}"))
        answers = dataset.map_batches(_answers, fn_kwargs={"scorer": scorer}, batch_format="pyarrow", batch_size=BATCH,
                                      num_gpus=gpus or None)  # fmt: skip
        with job.no_empty_folder():
            _explained(lambda: _write(answers, job), f"Ray cannot write {job.out}")
    if local is not None:
        (local / SUCCESS).touch()


def _check_scheme(place: str) -> None:
    from pyarrow import ArrowInvalid, fs  # noqa: PLC0415 -- of the [ray] extra

    try:
        fs.FileSystem.from_uri(place)
    except ArrowInvalid as error:
        if "Unrecognized" in str(error):
            raise InputError(f"{place}: Ray does not know this file system: {first_line(error)}") from error


def _read(job: LocationsJob) -> Any:
    from ray import data  # noqa: PLC0415 -- of the [ray] extra

    data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # what goes wrong is said in one line
    tables = list(job.tables)
    if job.format == "csv":
        from pyarrow import csv, string  # noqa: PLC0415

        contract = job.worker.open().contract
        kinds = {feature.name: string() for feature in contract.columns}
        options = csv.ConvertOptions(column_types=kinds, strings_can_be_null=True, null_values=[""])
        return data.read_csv(tables, convert_options=options)
    return data.read_parquet(tables) if job.format == "parquet" else data.read_json(tables, lines=True)


def _write(answers: Any, job: LocationsJob) -> None:
    from ray import data  # noqa: PLC0415 -- of the [ray] extra

    write = {"csv": answers.write_csv, "jsonl": answers.write_json, "parquet": answers.write_parquet}[job.format]
    write(job.out, mode=data.SaveMode.ERROR)


def _explained(call: Any, what: str) -> Any:
    try:
        with ray_errors():
            return call()
    except ParityError:
        raise
    except Exception as error:
        raise InputError(f"{what}: {first_line(error)}") from error

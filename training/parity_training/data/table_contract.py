"""The contract of a table: its features, its target, and the names that it may not have."""

from parity_runtime import Feature, InputError, ModelContract, TensorSpec
from parity_runtime.arguments import argument
from parity_runtime.contract import LABEL, VALUE, binary_logit_threshold, classifier_outputs
from parity_runtime.printable import shown
from parity_training.data.columns import Columns
from parity_training.data.table_features import table_inputs
from parity_training.data.table_settings import TableSettings
from parity_training.data.target_meaning import TargetMeaning


def table_contract(
    columns: Columns, meaning: TargetMeaning, features: tuple[Feature, ...], settings: TableSettings, name: str
) -> ModelContract:
    """Return what a network for a table takes and gives.

    Args:
        columns: the table.
        meaning: what its target is.
        features: fitted on the training rows.
        settings: what was said of it.
        name: of the model.

    Raises:
        InputError: a column or a class has a name that cannot stand in a header, or that predictions take.
    """
    _refuse_taken_names(columns, meaning)
    for target in settings.targets:
        _refuse_unprintable_names(columns, meaning, target)
    binary = meaning.task == "binary"
    outputs = (
        (TensorSpec(VALUE, "float32", ("batch", len(settings.targets))),)
        if meaning.task == "regression"
        else classifier_outputs(len(meaning.classes))
    )
    return ModelContract(
        name=name,
        task=meaning.task,
        inputs=table_inputs(features),
        outputs=outputs,
        features=features,
        targets=settings.targets,
        classes=meaning.classes,
        positive=meaning.classes[1] if binary else None,
        threshold=settings.threshold if binary else None,
        logit_threshold=binary_logit_threshold(settings.threshold) if binary else None,
        missing_values=settings.missing_values,
    )


def _refuse_unprintable_names(columns: Columns, meaning: TargetMeaning, target: str) -> None:
    """Refuse names that would break a header or a line: of columns, and of classes."""
    where = columns.where
    for name in (*columns.kinds, target):
        if not name.isprintable():
            what = f"the column {shown(name)} has a name that does not print; rename it in the table"
            raise InputError(f"{where}: {what}", column=name)
    for label in meaning.classes:
        if not str(label).isprintable() or not str(label).strip():
            raise InputError(
                f"{where}: {target} has the class {shown(label)}, which does not print; write it otherwise",
                column=target,
            )


def _refuse_taken_names(columns: Columns, meaning: TargetMeaning) -> None:
    """Refuse features that bear the name of a column which predictions add to a table."""
    added = {LABEL, *(f"probability_{label}" for label in meaning.classes)} if meaning.classes else set()
    taken = [name for name in columns.kinds if name in added]
    if taken:
        drop = argument("drop_columns", tuple(taken))
        raise InputError(
            f"{columns.where}: {', '.join(taken)} is the name of a column that predictions add; rename it, or "
            f"leave it out with {drop}",
            column=taken[0],
        )

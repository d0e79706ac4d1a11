"""Whether a server may merge requests into one batch."""

import re

from parity_runtime.contract import ModelContract, batch_name

_WORD = re.compile(r"[^\W\d]\w*")


def why_not_merged(contract: ModelContract) -> str | None:
    """Return why requests must not be merged into one batch, in a clause; None where they may be.

    A server puts the rows of several requests one behind the other and hands each its own rows back: right where the
    first axis of every input and output counts rows, and no row changes what another gets.

    >>> from parity_runtime import Package
    >>> why_not_merged(Package.open("tests/data/xor").contract) is None
    True
    """
    tensors = [*contract.inputs, *contract.outputs]
    batch = batch_name(contract)
    if contract.row_independent is None:
        return "whether rows influence one another was not measured"
    if not contract.row_independent:
        return "rows of one batch influence one another"
    if batch is None:
        return "the number of rows is fixed"
    for spec in tensors:
        if spec.shape[:1] != (batch,):
            return f"the first axis of {spec.name} does not count rows"
        if any(batch in _WORD.findall(str(size)) for size in spec.shape[1:]):
            return f"another axis of {spec.name} counts rows as well"
    return None

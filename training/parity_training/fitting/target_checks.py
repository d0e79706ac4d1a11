"""Whether a loss can be taken of a target, and whether its rows weigh anything."""

from parity_runtime import InputError
from parity_runtime.arguments import argument
from parity_training.data.problem import PARTS, Problem


def has_validation(problem: Problem) -> bool:
    """Whether there are validation rows, and one of them weighs anything."""
    weights = problem.weights("validation")
    return problem.num_rows("validation") > 0 and (weights is None or bool((weights > 0).any()))


def refuse_no_weights(problem: Problem) -> None:
    """Refuse weights that leave no row to train on, or none of those that decide when to stop.

    Raises:
        InputError: says which rows have none.
    """
    problem.mean_weight()
    if problem.num_rows("validation") and not has_validation(problem):
        raise InputError(
            "every validation row has the weight 0, so that no epoch is better than another; one at least must weigh "
            f"more, or give {argument('validation', 0)}"
        )


def refuse_no_counts(problem: Problem) -> None:
    """Refuse a target that no Poisson rate gives: one with a negative number, or with nothing but zeros.

    Raises:
        InputError: names the target, and the number.
    """
    names = problem.contract.targets
    lows = [target.reshape(len(target), -1).amin(dim=0) for part in PARTS for *_, target in problem.pieces(part)]
    for place, name in enumerate(names):
        low = min(float(one[place]) for one in lows)
        if low < 0:
            raise InputError(
                f"{name} holds {low:g}, and a Poisson regression predicts counts, 0 or more; leave out "
                f"{argument('loss', 'poisson')}"
            )
    sums = sum(target.reshape(len(target), -1).sum(dim=0) for *_, target in problem.pieces("train"))
    for place, name in enumerate(names):
        if not float(sums[place]) > 0:  # type: ignore[index]
            raise InputError(f"{name} is 0 in every training row, of which no rate can be learned")

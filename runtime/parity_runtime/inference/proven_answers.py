"""What a certified graph proves of its answers: labels that no compliant backend changes, and error bounds."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime.contract import CERTIFIED, ERROR_BOUND, LABEL, LOGITS, ModelContract
from parity_runtime.errors import InputError
from parity_runtime.inference.buffer_pool import OutputNames
from parity_runtime.inference.input_validation import Rows
from parity_runtime.inference.output_validation import check_labels
from parity_runtime.inference.probability_bound import probability_error_bound
from parity_runtime.tasks import no_certified_graph


class ProvenAnswers(ABC):
    """The answers that a predictor has with ``certified=True``, and what it says without.

    Attributes:
        contract: what the model takes and gives.
    """

    contract: ModelContract
    _names: list[str]
    _of_logits: bool

    @abstractmethod
    def _run(self, names: OutputNames, rows: Any) -> Any:
        """Return one output of the graph as an array, several as a list."""

    def certified(self, rows: Rows) -> NDArray[np.bool_]:
        """Return whether each row's label is proven, bool ``[batch]``: no compliant backend gives another.

        docs/explanation/proof.md says what a compliant backend is.

        Args:
            rows: as in `predict`.

        Raises:
            InputError: the rows do not fit the contract, the model is no classifier, or the predictor was not made
                with ``certified=True``.
            ConformanceError: the graph predicts a label that is no class of the contract.
        """
        labels, certified = self._run((LABEL, self._certified_output(CERTIFIED)), rows)
        check_labels(self.contract, labels)
        found: NDArray[np.bool_] = certified
        return found

    def error_bound(self, rows: Rows) -> NDArray[np.float32]:
        """Return how far any compliant evaluation can be from the exact logits or values, in their own unit.

        Args:
            rows: as in `predict`.

        Returns:
            float32, of the shape of ``logits`` or ``value``; infinite where nothing is proven.

        Raises:
            InputError: the rows do not fit the contract, or the predictor was not made with ``certified=True``.
        """
        error_bound: NDArray[np.float32] = self._run(self._certified_output(ERROR_BOUND), rows)
        return error_bound

    def probability_error_bound(self, rows: Rows) -> NDArray[np.float32]:
        """Return how far any compliant evaluation's probabilities can be from the exact ones.

        They follow from `error_bound` of the logits; how, docs/explanation/proof.md says.

        Args:
            rows: as in `predict`.

        Returns:
            float32, of the shape of ``probabilities``; infinite where nothing is proven.

        Raises:
            InputError: the rows do not fit the contract, the model is no classifier, the predictor was not made with
                ``certified=True``, or the certified graph does not say that its probabilities are those of its logits:
                the module returns them itself, or an older version exported it.
        """
        self._certified_output(CERTIFIED)
        if not self._of_logits:
            raise InputError(
                f"{self.contract.name} has no error bound of its probabilities: its certified graph does not say that "
                "they are computed from its logits; export it again, from a module that returns logits"
            )
        logits, error_bound = self._run((LOGITS, self._certified_output(ERROR_BOUND)), rows)
        return probability_error_bound(logits, error_bound)

    @property
    def has_error_bounds(self) -> bool:
        """Whether it runs the certified graph."""
        return ERROR_BOUND in self._names

    def _certified_output(self, output: str) -> str:
        if output not in self._names:
            if self.has_error_bounds:
                raise InputError(f"{self.contract.name} is not a classifier")
            if "certified" in self.contract.graphs:
                raise InputError(f"{self.contract.name} was opened without certified=True")
            raise InputError(no_certified_graph(self.contract.name, self.contract.task))
        return output

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
    """The methods of a predictor that need ``certified=True``, and the errors that they raise without it.

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
        """Return whether each row's label is proven, bool ``[batch]``: no compliant backend gives another label.

        A backend is compliant if its operators round as the proof assumes: docs/explanation/proof.md says how.

        Args:
            rows: as in `predict`.

        Raises:
            InputError: the rows do not fit the contract, the model is not a classifier, or the predictor was made
                without ``certified=True``.
            ConformanceError: the graph predicts a label that is not a class of the contract.
        """
        labels, certified = self._run((LABEL, self._certified_output(CERTIFIED)), rows)
        check_labels(self.contract, labels)
        found: NDArray[np.bool_] = certified
        return found

    def error_bound(self, rows: Rows) -> NDArray[np.float32]:
        """Return the error bound: how far a compliant backend's logits or values can be from the exact ones.

        Args:
            rows: as in `predict`.

        Returns:
            float32, of the shape and in the unit of ``logits`` or ``value``; infinite where nothing is proven.

        Raises:
            InputError: the rows do not fit the contract, or the predictor was made without ``certified=True``.
        """
        error_bound: NDArray[np.float32] = self._run(self._certified_output(ERROR_BOUND), rows)
        return error_bound

    def probability_error_bound(self, rows: Rows) -> NDArray[np.float32]:
        """Return how far a compliant backend's probabilities can be from the exact ones.

        The bound is computed from the `error_bound` of the logits: docs/explanation/proof.md says how.

        Args:
            rows: as in `predict`.

        Returns:
            float32, of the shape of ``probabilities``; infinite where nothing is proven.

        Raises:
            InputError: the rows do not fit the contract, the model is not a classifier, the predictor was made without
                ``certified=True``, or the certified graph does not state that it computes its probabilities from its
                logits: the module itself returns probabilities, or an older version of Parity exported it.
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
        """Whether the predictor runs the certified graph."""
        return ERROR_BOUND in self._names

    def _certified_output(self, output: str) -> str:
        if output not in self._names:
            if self.has_error_bounds:
                raise InputError(f"{self.contract.name} is not a classifier")
            if "certified" in self.contract.graphs:
                raise InputError(f"{self.contract.name} was opened without certified=True")
            raise InputError(no_certified_graph(self.contract.name, self.contract.task))
        return output

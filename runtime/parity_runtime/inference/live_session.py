"""A model's session: made when it is first needed, closed, forgotten in a forked child, left out of a pickle."""

from threading import Lock
from types import TracebackType
from typing import Any, Self

from parity_runtime.contract import ModelContract
from parity_runtime.errors import FormatError, InputError
from parity_runtime.inference.executor import Executor
from parity_runtime.inference.fork_safety import survive_forks
from parity_runtime.inference.memory import give_back
from parity_runtime.inference.probability_bound import OF_LOGITS
from parity_runtime.inference.session import create_session, session_provider
from parity_runtime.inference.signature import signature_mismatches
from parity_runtime.package.loader import LoadedModel


class LiveSession:
    """A loaded model with its session. It pickles, with the model in it and without the session.

    Args:
        model: with everything that a session needs.
        options: of `parity_runtime.inference.session.create_session`.

    Raises:
        FormatError: the model and its contract disagree.
        MemoryError: there is not enough memory for onnxruntime or the model.
        ProviderError: the provider is not there.
        MissingExtraError: onnxruntime is not installed.
    """

    contract: ModelContract
    """What the model takes and gives."""
    package_id: str | None
    """sha256 of the package's manifest, in hexadecimal; None for a bare model."""
    provider: str
    """What the session runs on: ``cpu`` or ``cuda``."""

    def __init__(self, model: LoadedModel, options: dict[str, Any]) -> None:
        self._model = model
        self._options = options
        self._lock = Lock()
        self._closed = False
        self.contract, self.package_id = model.contract, model.package_id
        self._executor: Executor | None = None
        self._of_logits = False
        self._running()
        survive_forks(self)

    def _running(self) -> Executor:
        """Return the executor; makes one at the start, and in a forked child at its first run."""
        executor = self._executor
        if executor is not None:
            return executor
        with self._lock:
            if self._closed:
                raise InputError(f"this predictor of {self.contract.name} is closed; open another")
            if self._executor is None:
                session = self._session()
                mismatches = signature_mismatches(session, self.contract, external=False)
                if mismatches:
                    raise FormatError(f"the model and its contract disagree: {mismatches[0]}")
                self.provider = session_provider(session)
                self._of_logits = OF_LOGITS in session.get_modelmeta().custom_metadata_map.items()
                self._executor = Executor(session, self.contract, self._model.widest_row)
            return self._executor

    def _session(self) -> Any:
        model = self._model
        if model.weights is None:
            return create_session(model.data, **self._options)
        give_back()  # what reading the model took
        with model.weights.while_checked() as weights:
            session = create_session(model.data, **self._options, weights=weights)
        del weights
        give_back()  # the arrays, which onnxruntime has copied
        return session

    def close(self) -> None:
        """Close the session. Calls that are running finish; later calls raise `InputError`."""
        with self._lock:
            self._closed = True
            self._executor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the session; a copy of a closed predictor is closed."""
        return {name: value for name, value in self.__dict__.items() if name not in ("_executor", "_lock")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock, self._executor = Lock(), None
        if not self._closed:
            self._running()
        survive_forks(self)

    def _forget_session(self) -> Executor | None:
        """In a forked child: give up the parent's session, which must not be destroyed here, and return it."""
        executor, self._executor, self._lock = self._executor, None, Lock()
        return executor

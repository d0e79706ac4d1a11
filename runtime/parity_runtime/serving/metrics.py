"""What ``/metrics`` tells, in the text format of Prometheus."""

from collections.abc import Callable, Sequence
from time import perf_counter

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

from parity_runtime.serving.exchange import Exchange

CONTENT_TYPE = CONTENT_TYPE_LATEST
_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds


class Metrics:
    """The counters of one service.

    Args:
        models: name and version of each.
        in_flight: returns how many requests are being answered.
    """

    def __init__(self, models: Sequence[tuple[str, str]], in_flight: Callable[[], int]) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "parity_requests", "Answers by model and status.", ["model", "status"], registry=self._registry
        )
        seconds = Histogram(
            "parity_request_seconds", "From the headers of a request to its answer.", ["model"],
            buckets=_BUCKETS, registry=self._registry,
        )  # fmt: skip
        self._seconds = {name: seconds.labels(name) for name, _ in models}
        information = Gauge("parity_model_info", "The models.", ["model", "version"], registry=self._registry)
        for name, version in models:
            information.labels(name, version).set(1)
        Gauge("parity_requests_in_flight", "Requests that are being answered.", registry=self._registry).set_function(
            in_flight
        )
        self._counters: dict[tuple[str, int], Counter] = {}

    def add(self, exchange: Exchange) -> None:
        """Count an answer; a status is told apart, the name of a model that there is not is not."""
        key = exchange.model, exchange.status
        counter = self._counters.get(key)
        if counter is None:
            counter = self._counters[key] = self._requests.labels(exchange.model, str(exchange.status))
        counter.inc()
        if exchange.model:
            self._seconds[exchange.model].observe(perf_counter() - exchange.started)

    def text(self) -> bytes:
        """Return what a scrape gets."""
        return generate_latest(self._registry)

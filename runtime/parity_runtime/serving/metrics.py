"""What ``/metrics`` tells, in the text format of Prometheus."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from time import perf_counter

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from parity_runtime.serving.exchange import Exchange

CONTENT_TYPE = CONTENT_TYPE_LATEST
_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds
_LABELS = [*map(str, _BUCKETS), "+Inf"]


class Metrics(Collector):
    """The counters of one service; all of it runs in the event loop, so that they need no locks.

    Args:
        models: name and version of each.
        in_flight: returns how many requests are being answered.
    """

    def __init__(self, models: Sequence[tuple[str, str]], in_flight: Callable[[], int]) -> None:
        self._models, self._in_flight = models, in_flight
        self._answers: Counter[tuple[str, int]] = Counter()
        self._buckets = {name: [0] * len(_LABELS) for name, _ in models}
        self._seconds = dict.fromkeys(self._buckets, 0.0)
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._registry.register(self)

    def add(self, exchange: Exchange) -> None:
        """Count an answer; a status is told apart, the name of a model that there is not is not."""
        self._answers[exchange.model, exchange.status] += 1
        if exchange.model:
            seconds = perf_counter() - exchange.started
            self._buckets[exchange.model][bisect_left(_BUCKETS, seconds)] += 1
            self._seconds[exchange.model] += seconds

    def collect(self) -> Iterator[Metric]:
        """Yield what is counted so far."""
        answers = CounterMetricFamily("parity_requests", "Responses by model and status.", labels=["model", "status"])
        for (model, status), count in self._answers.items():
            answers.add_metric([model, str(status)], count)
        yield answers
        about = "From the headers of a request to its response."
        seconds = HistogramMetricFamily("parity_request_seconds", about, labels=["model"])
        for model, counts in self._buckets.items():
            buckets = list(zip(_LABELS, map(float, accumulate(counts)), strict=True))
            seconds.add_metric([model], buckets, self._seconds[model])
        yield seconds
        information = GaugeMetricFamily("parity_model_info", "The models.", labels=["model", "version"])
        for name, version in self._models:
            information.add_metric([name, version], 1)
        yield information
        yield GaugeMetricFamily("parity_requests_in_flight", "Requests that are being answered.", self._in_flight())

    def text(self) -> bytes:
        """Return what a scrape gets."""
        return generate_latest(self._registry)

import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.engines.spark_cluster import ROOT, Cluster, absent
from tests.python_path import python_path


@pytest.fixture(scope="package")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A master and two workers, for all tests of this folder; no other's processes have its environment."""
    if reason := absent():
        pytest.skip(reason)
    with Cluster(tmp_path_factory.mktemp("spark")) as started:
        yield started


@pytest.fixture(scope="package")
def session(cluster: Cluster) -> Iterator[Any]:
    """A ``SparkSession`` on the cluster, with an executor on each worker."""
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    before = dict(os.environ)
    os.environ.update(cluster.environment)
    settings = {
        "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1", "spark.driver.memory": "512m",
        "spark.executor.memory": "512m", "spark.executor.cores": "1", "spark.ui.enabled": "false",
        "spark.driver.extraJavaOptions": cluster.java_options, "spark.executor.extraJavaOptions": cluster.java_options,
        # Small jobs: they are sooner done as they stand than planned well.
        "spark.sql.shuffle.partitions": "2", "spark.sql.codegen.wholeStage": "false",
        "spark.sql.adaptive.enabled": "false", "spark.task.maxFailures": "2",
    }  # fmt: skip
    builder = SparkSession.builder.master(cluster.url).appName("parity")
    made = builder.config(map=settings).getOrCreate()
    try:
        yield made
    finally:
        gateway = SparkContext._gateway
        made.stop()
        gateway.shutdown()
        gateway.proc.terminate()
        gateway.proc.stdin.close()
        gateway.proc.wait(30)
        SparkContext._gateway = SparkContext._jvm = None
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="package")
def ray_cluster() -> Iterator[None]:
    """Two nodes, each of its own processes, that this process is connected to."""
    ray = pytest.importorskip("ray", reason="the extra [ray] is not installed")
    from ray.cluster_utils import Cluster as Nodes

    node = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
    nodes = Nodes(initialize_head=True, head_node_args=node | {"include_dashboard": False})
    nodes.add_node(**node | {"num_cpus": 2})
    paths = {"env_vars": {"PYTHONPATH": python_path(str(ROOT))}}
    ray.init(address=nodes.address, log_to_driver=False, runtime_env=paths)
    ray.data.DataContext.get_current().enable_progress_bars = False
    yield
    ray.shutdown()
    nodes.shutdown()

"""The InferenceService, as Kubernetes and KServe would read it."""

from pathlib import Path
from typing import Any

import pytest

from parity_runtime import InputError, Package
from parity_runtime.arguments import options_are_named
from parity_runtime.deployment.inference_service import KServeOptions, deploy_kserve
from parity_runtime.deployment.model_config import TritonOptions
from tests.client_environments import present, run
from tests.deployment.conftest import DATA, PLAIN
from tests.deployment.text_format import parse

URI = "s3://bucket/models"


def manifest_of(folder: Path) -> Any:
    yaml = pytest.importorskip("yaml")
    return yaml.safe_load((folder / "inferenceservice.yaml").read_text())


@pytest.fixture
def written(tmp_path: Path) -> Path:
    options = KServeOptions(URI, "both", triton=TritonOptions(instances=2, threads=3, gpus=1))
    deploy_kserve([DATA / "xor", DATA / "species"], tmp_path / "written", PLAIN, options)
    return tmp_path / "written"


def test_triton_serves_the_repository_that_lies_there(written: Path) -> None:
    found = manifest_of(written)
    assert (found["apiVersion"], found["kind"]) == ("serving.kserve.io/v1beta1", "InferenceService")
    assert found["metadata"] == {"name": "both"}
    model = found["spec"]["predictor"]["model"]
    resources = model.pop("resources")
    assert model == {
        "modelFormat": {"name": "onnx"}, "runtime": "kserve-tritonserver", "runtimeVersion": "25.12-py3",
        "protocolVersion": "v2", "storageUri": URI,
    }  # fmt: skip
    assert resources["limits"] == resources["requests"]
    assert resources["limits"] == {"cpu": "12", "memory": "1280Mi", "nvidia.com/gpu": "1"}
    assert sorted(path.name for path in (written / "models").iterdir()) == ["species", "xor"]
    config = parse((written / "models" / "xor" / "config.pbtxt").read_text())
    assert config["instance_group"] == [{"count": [2], "kind": ["KIND_GPU"], "gpus": [0]}]
    assert (
        f"# 'xor' is the package {Package.open(DATA / 'xor').id}\n" in (written / "inferenceservice.yaml").read_text()
    )


def test_a_folder_of_its_own_is_replaced(tmp_path: Path) -> None:
    for memory, replaced in ((None, False), (4000, True)):
        options = KServeOptions(URI, memory=memory)
        deploy_kserve([DATA / "xor"], tmp_path / "written", PLAIN, options, replace=replaced)
    model = manifest_of(tmp_path / "written")["spec"]["predictor"]["model"]
    assert model["resources"]["limits"] == {"cpu": "1", "memory": "4000Mi"}
    (tmp_path / "written" / "notes.txt").touch()
    with pytest.raises(InputError, match="holds notes.txt, which parity deploy kserve did not write"):
        deploy_kserve([DATA / "xor"], tmp_path / "written", PLAIN, KServeOptions(URI), replace=True)


@pytest.mark.parametrize(
    ("names", "options", "line"),
    [
        (["xor"], KServeOptions("bucket/models"), "--storage-uri is 'bucket/models'; say where the repository"),
        (["xor"], KServeOptions('s3://b/"\n  evil: 1'), "--storage-uri is 's3://b/"),
        (["xor"], KServeOptions(URI, runtime_version="25.12 py3"), "--runtime-version is '25.12 py3', not the tag"),
        (["xor"], KServeOptions(URI, "My_Model"), "called 'My_Model', and .*; add --name my-model"),
        (["xor"], KServeOptions(URI, "1" * 64), "; add --name model"),
        (["xor", "rent"], KServeOptions(URI), "a service of 2 models needs a name; add --name models"),
    ],
)
def test_what_kubernetes_would_not_take(tmp_path: Path, names: list[str], options: KServeOptions, line: str) -> None:
    with options_are_named(), pytest.raises(InputError, match=line):
        deploy_kserve([DATA / name for name in names], tmp_path / "written", PLAIN, options)
    assert [*tmp_path.iterdir()] == []


@present("clients")
@pytest.mark.slow
def test_kserves_own_models_read_the_manifest(written: Path) -> None:
    script = Path(__file__).parent / "clients" / "kserve_manifest.py"
    run("clients", "python", script, written / "inferenceservice.yaml")

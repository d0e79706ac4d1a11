"""KServe's own models read a manifest, in an environment of its own: python kserve_manifest.py FILE."""

import re
import sys
from pathlib import Path

import kserve.models
import yaml
from kubernetes import client


def check(value: object, kind: str, path: str) -> None:
    """Hold a value against a type of the API's description, key by key."""
    if found := re.fullmatch(r"dict\(str, (.*)\)|Dict\[str, (.*)\]", kind):
        assert isinstance(value, dict), path
        for key, item in value.items():
            check(item, found[1] or found[2], f"{path}.{key}")
    elif kind in ("str", "ResourceQuantity"):
        assert isinstance(value, str), path
    else:
        model = getattr(kserve.models, kind, None) or getattr(client, kind, None)
        assert model, (path, kind)
        keys = {json: name for name, json in model.attribute_map.items()}
        assert isinstance(value, dict) and set(value) <= set(keys), (path, value)
        for key, item in value.items():
            check(item, model.openapi_types[keys[key]], f"{path}.{key}")
        model(**{keys[key]: item for key, item in value.items()})


check(yaml.safe_load(Path(sys.argv[1]).read_text()), "V1beta1InferenceService", "")

"""Operators of ``ai.onnx.ml``, which sklearn-onnx and its kin write: linear models, trees and what scales features."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from parity_export.onnx_module.operators.activations import sigmoid
from parity_export.onnx_module.operators.operator import Inputs, Node, NotThisOperatorError, Operator


def _numbers(node: Node, name: str, like: Tensor) -> Tensor:
    return torch.tensor(node.attributes.get(name, []), dtype=like.dtype)


def _floats(x: Tensor, node: Node) -> Tensor:
    """Return features as floats: float64 where those of the graph are."""
    if x.is_floating_point():
        return x
    return x.to(torch.float64 if node.double else torch.float32)


def _scaler(x: Inputs, node: Node) -> Tensor:
    features = _floats(x[0], node)
    offset, scale = _numbers(node, "offset", features), _numbers(node, "scale", features)
    return (features - offset) * scale


def _normalizer(x: Inputs, node: Node) -> Tensor:
    features, norm = _floats(x[0], node), node.text("norm", "MAX")
    size = {
        "MAX": lambda: features.amax(-1, keepdim=True),
        "L1": lambda: features.abs().sum(-1, keepdim=True),
        "L2": lambda: (features * features).sum(-1, keepdim=True).sqrt(),
    }[norm]()
    return torch.where(size == 0, features, features / size)


def _imputer(x: Inputs, node: Node) -> Tensor:
    if not x[0].is_floating_point():
        raise NotThisOperatorError
    values, replaced = _numbers(node, "imputed_value_floats", x[0]), node.number("replaced_value_float", 0.0)
    missing = x[0].isnan() if np.isnan(replaced) else x[0] == replaced
    return torch.where(missing, values, x[0])


_TRANSFORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "NONE": lambda scores: scores,
    "LOGISTIC": sigmoid,
    "SOFTMAX": lambda scores: torch.softmax(scores, -1),
}


def _transformed(scores: Tensor, node: Node) -> Tensor:
    name = node.text("post_transform", "NONE")
    if name not in _TRANSFORMS:
        raise NotThisOperatorError
    return _TRANSFORMS[name](scores)


def _linear(x: Inputs, node: Node, count: int) -> Tensor:
    features = _floats(x[0], node)
    features = features.reshape(1, -1) if features.ndim == 1 else features
    weights = _numbers(node, "coefficients", features).reshape(count, -1)
    bias = _numbers(node, "intercepts", features)
    return features @ weights.T + (bias if bias.numel() else 0)


def _linear_regressor(x: Inputs, node: Node) -> Tensor:
    return _transformed(_linear(x, node, node.integer("targets", 1)), node)


def _labels(node: Node, names: tuple[str, str]) -> Any:
    texts = node.attributes.get(names[0], [])
    return np.array([one.decode() for one in texts], object) if texts else node.integers(names[1], [])


def _chosen(labels: Any, places: Tensor) -> Any:
    return labels[places.numpy()] if isinstance(labels, np.ndarray) else torch.tensor(labels)[places]


def _linear_classifier(x: Inputs, node: Node) -> Any:
    labels, count = _labels(node, ("classlabels_strings", "classlabels_ints")), len(node.attributes["intercepts"])
    if count != len(labels) or count == 1:
        raise NotThisOperatorError
    scores = _linear(x, node, count)
    return _chosen(labels, scores.argmax(-1)), _transformed(scores, node)


_MODES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "BRANCH_LEQ": torch.le,
    "BRANCH_LT": torch.lt,
    "BRANCH_GTE": torch.ge,
    "BRANCH_GT": torch.gt,
    "BRANCH_EQ": torch.eq,
    "BRANCH_NEQ": torch.ne,
}


def _leaves(features: Tensor, node: Node) -> Tensor:
    """Return the leaf that each row reaches in each tree, ``[rows, trees]``, as a place in the list of all nodes."""
    trees, numbers = node.integers("nodes_treeids", []), node.integers("nodes_nodeids", [])
    modes = [one.decode() for one in node.attributes["nodes_modes"]]
    kinds = set(modes) - {"LEAF"}
    if len(kinds) > 1 or not kinds <= set(_MODES):
        raise NotThisOperatorError
    places = {key: index for index, key in enumerate(zip(trees, numbers, strict=True))}
    ways = [
        torch.tensor([places.get(key, 0) for key in zip(trees, node.integers(name, []), strict=True)])
        for name in ("nodes_truenodeids", "nodes_falsenodeids")
    ]
    is_leaf = torch.tensor([mode == "LEAF" for mode in modes])
    columns = torch.tensor(node.integers("nodes_featureids", []))
    limits = _values(node, "nodes_values", features)
    missing = torch.tensor(node.integers("nodes_missing_value_tracks_true", [0] * len(modes))).bool()
    compare = _MODES[kinds.pop()] if kinds else torch.le
    at = torch.tensor([places[key] for key in _roots(node, places)]).expand(len(features), -1)
    for _ in range(len(modes)):  # no way is longer, unless it goes in a circle
        if bool(is_leaf[at].all()):
            return at
        cells = features.gather(1, columns[at])
        goes = compare(cells, limits[at]) | (cells.isnan() & missing[at])
        at = torch.where(is_leaf[at], at, torch.where(goes, ways[0][at], ways[1][at]))
    raise NotThisOperatorError


def _roots(node: Node, places: dict[tuple[int, int], int]) -> list[tuple[int, int]]:
    """Return each tree's root: the node that no other leads to."""
    trees, leaves = node.integers("nodes_treeids", []), [one == b"LEAF" for one in node.attributes["nodes_modes"]]
    led = {
        (tree, way)
        for name in ("nodes_truenodeids", "nodes_falsenodeids")
        for tree, way, leaf in zip(trees, node.integers(name, []), leaves, strict=True)
        if not leaf
    }
    return [key for key in places if key not in led]


def _values(node: Node, name: str, like: Tensor) -> Tensor:
    tensor = node.attributes.get(f"{name}_as_tensor")
    return _numbers(node, name, like) if tensor is None else tensor.to(like.dtype)


def _scores(x: Inputs, node: Node, kind: str, count: int) -> Tensor:
    """Return what the leaves that a row reaches say together, ``[rows, count]``."""
    features = _floats(x[0], node)
    trees, numbers = node.integers(f"{kind}_treeids", []), node.integers(f"{kind}_nodeids", [])
    all_nodes = zip(node.integers("nodes_treeids", []), node.integers("nodes_nodeids", []), strict=True)
    places = {key: index for index, key in enumerate(all_nodes)}
    said = features.new_zeros(len(places), count)
    at = torch.tensor([places[key] for key in zip(trees, numbers, strict=True)])
    weights = _values(node, f"{kind}_weights", features)
    said.index_put_((at, torch.tensor(node.integers(f"{kind}_ids", []))), weights, accumulate=True)
    found = said[_leaves(features, node)]  # [rows, trees, count]
    together = {"SUM": torch.sum, "AVERAGE": torch.mean}.get(node.text("aggregate_function", "SUM"))
    if together is None:
        raise NotThisOperatorError
    base = _values(node, "base_values", features)
    if count > 1 and base.any():  # onnxruntime leaves it out where no leaf that a row reaches speaks of a target
        raise NotThisOperatorError
    return together(found, 1) + (base if base.numel() else 0)


def _tree_regressor(x: Inputs, node: Node) -> Tensor:
    return _transformed(_scores(x, node, "target", node.integer("n_targets", 1)), node)


def _tree_classifier(x: Inputs, node: Node) -> Any:
    labels = _labels(node, ("classlabels_strings", "classlabels_int64s"))
    if len(set(node.integers("class_ids", []))) == 1:  # of two classes with one score onnxruntime decides by rules
        raise NotThisOperatorError
    scores = _scores(x, node, "class", len(labels))
    return _chosen(labels, scores.argmax(-1)), _transformed(scores, node)


def _row(x: Tensor) -> Tensor:
    return x.unsqueeze(0) if x.ndim == 1 else x


def _vectorized(x: Inputs, node: Node) -> Tensor:
    parts = [_row(_floats(one, node)) for one in x]
    sizes = [one.shape[-1] for one in parts]
    if node.integers("inputdimensions", sizes) != sizes:
        raise NotThisOperatorError
    return torch.cat(parts, -1)


_PLAIN: dict[str, Operator] = {
    "Scaler": _scaler,
    "Normalizer": _normalizer,
    "Imputer": _imputer,
    "LinearRegressor": _linear_regressor,
    "LinearClassifier": _linear_classifier,
    "TreeEnsembleRegressor": _tree_regressor,
    "TreeEnsembleClassifier": _tree_classifier,
    "ArrayFeatureExtractor": lambda x, _: _row(x[0])[..., x[1].reshape(-1).long()],
    "FeatureVectorizer": _vectorized,
    "Binarizer": lambda x, node: (x[0] > node.number("threshold", 0.0)).to(x[0].dtype),
}

OPERATORS: dict[str, Operator] = {f"ai.onnx.ml::{name}": operator for name, operator in _PLAIN.items()}

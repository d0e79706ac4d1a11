"""Every file of error_bounds/operators says all that the proof, its tests and its documentation need."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
import torch
from onnx.defs import get_schema, onnx_opset_version

import parity_export
from parity_export.error_bounds import CannotCertifyError, operators
from parity_export.error_bounds.operator_rule import OperatorRule
from parity_export.error_bounds.registry import ATEN, FILES, OPERATORS, RULES, by_onnx_operator
from tests.proof import evaluator
from tests.proof.graphs import certified_graph, value_graph, worst_case_graph

MORE_ATTRIBUTES = {"AveragePool": {"dilations"}}  # elements further apart, but as many


@pytest.mark.parametrize(("file", "rule"), FILES.items(), ids=FILES)
def test_a_file_is_named_by_its_operator_and_says_everything(file: str, rule: OperatorRule) -> None:
    assert file.replace("_", "") == rule.name.lower()
    assert rule.formula and "|" not in rule.formula, "a cell of a table"
    assert bool(rule.aten) != bool(rule.no_aten), "the ATen operators that it stands for, or why there are none"
    assert bool(rule.ends_in) == (rule.matches is not None)


@pytest.mark.parametrize("file", FILES)
def test_a_file_takes_nothing_from_another_operators(file: str) -> None:
    text = (Path(operators.__path__[0]) / f"{file}.py").read_text()
    assert {*re.findall(r"operators[.]([a-z_]+)", text)} <= {"shared"}


@pytest.mark.parametrize("rule", RULES, ids=FILES)
def test_every_rule_has_a_worst_case_with_its_operator(rule: OperatorRule) -> None:
    cases = rule.worst_cases()
    assert cases
    for case in cases:
        assert any(op_type == rule.onnx for op_type, _, _ in case.nodes), case.name
        onnx.checker.check_model(onnx.load_from_string(worst_case_graph(case)[0]))


def test_worst_cases_have_names_of_their_own() -> None:
    names = [case.name for rule in RULES for case in rule.worst_cases()]
    assert len(names) == len({*names})


def test_the_worst_cases_are_the_same_every_time() -> None:
    first, second = ([worst_case_graph(case)[0] for rule in RULES for case in rule.worst_cases()] for _ in range(2))
    assert first == second


@pytest.mark.parametrize("rule", OPERATORS.values(), ids=OPERATORS)
def test_the_evaluator_of_the_tests_knows_every_operator(rule: OperatorRule) -> None:
    assert rule.name in evaluator.OPERATORS


def test_the_evaluator_shares_no_code_with_the_rules() -> None:
    """It takes the exact functions alone, which test_elementary.py holds to mpmath's."""
    for path in (Path(evaluator.__file__), Path(evaluator.__file__).with_name("arithmetic.py")):
        taken = [line for line in path.read_text().splitlines() if line.startswith(("from parity", "import parity"))]
        assert all(line.endswith(("import accuracy", "import ELEMENTARY")) for line in taken), taken


@pytest.mark.parametrize("name", ATEN)
def test_torch_has_every_aten_operator(name: str) -> None:
    assert hasattr(torch.ops.aten, name)
    arguments = {argument.name for overload in getattr(torch.ops.aten, name).overloads()
                 for argument in getattr(getattr(torch.ops.aten, name), overload)._schema.arguments}  # fmt: skip
    assert {*ATEN[name][0].fixed} <= arguments


def test_an_aten_operator_is_the_same_operation_for_all_that_stand_for_it() -> None:
    for rule in RULES:
        for operator in rule.aten:
            assert ATEN[operator.name][1].flow_operations == rule.flow_operations, operator.name


@pytest.mark.parametrize("rule", OPERATORS.values(), ids=OPERATORS)
def test_the_operator_has_the_same_form_from_its_opset_on(rule: OperatorRule) -> None:
    """A new version of ONNX that gives an operator another input or attribute needs a look at its rule."""

    def form(opset: int) -> tuple[list[str], set[str]]:
        schema = get_schema(rule.name, opset)
        return [value.name for value in schema.inputs], {*schema.attributes}

    inputs, attributes = form(rule.opset)
    for opset in range(rule.opset + 1, onnx_opset_version() + 1):
        later_inputs, later_attributes = form(opset)
        assert later_inputs == inputs, opset
        assert later_attributes - attributes <= MORE_ATTRIBUTES.get(rule.name, set()), opset


def test_an_operator_of_an_older_opset_than_its_rule_is_refused() -> None:
    graph, contract = value_graph([("Gelu", ["features"], {})], {}, [1], 1)
    model = onnx.load_from_string(graph)
    model.opset_import[0].version = 19
    with pytest.raises(CannotCertifyError, match=r"operator Gelu at node value \(opset 19; 20 or later\)"):
        certified_graph(model.SerializeToString(), contract)


def test_two_files_of_one_operator_are_an_error() -> None:
    with pytest.raises(ValueError, match="two files of error_bounds/operators are of Relu"):
        by_onnx_operator([*RULES, OPERATORS["Relu"]])


DROPOUT = '''"""Dropout, which does nothing in a graph that is not being trained."""

from parity_export.error_bounds.aten_operator import aten
from parity_export.error_bounds.operator_rule import OperatorRule
from parity_export.error_bounds.operators.shared.movement import unchanged
from parity_export.error_bounds.operators.shared.worst_case_graphs import behind_gemm

OPERATOR = OperatorRule(
    "Dropout", "e", unchanged, lambda: [behind_gemm("Dropout", [("Dropout", ["Gemm0"], {})])], aten("native_dropout")
)
'''
ASKED = """
from parity_export.error_bounds.operator_table import operator_table
from parity_export.error_bounds.registry import ATEN, OPERATORS
from tests.proof.graphs import certified_graph, worst_case_graph
assert "| Dropout | 18 | `native_dropout` | e |" in operator_table() and "native_dropout" in ATEN
for case in OPERATORS["Dropout"].worst_cases():
    print(len(certified_graph(*worst_case_graph(case))))
"""


def test_a_file_is_all_that_an_operator_needs(tmp_path: Path) -> None:
    """The rule, the flows and the table find a file that nothing names, in a copy of the package."""
    copy = shutil.copytree(Path(parity_export.__file__).parent, tmp_path / "parity_export")
    (copy / "error_bounds" / "operators" / "dropout.py").write_text(DROPOUT)
    paths = [str(tmp_path), str(Path(__file__).parents[2]), *sys.path]
    command = [sys.executable, "-W", "ignore", "-c", ASKED]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, done.stderr) == (0, "") and int(done.stdout) > 1000

"""What a predictor shows in a notebook."""

from parity_runtime.contract import ModelContract
from parity_runtime.package.contract_view import contract_view


def predictor_view(
    contract: ModelContract, package_id: str | None, provider: str, certified: bool, closed: bool
) -> str:
    """Return the HTML of a predictor: what it takes and answers, and what it runs on."""
    certificates = "with each prediction, from the certified graph" if certified else "none: the default graph"
    told = [
        ("error bounds", certificates),
        ("runs on", f"{provider}{', closed' if closed else ''}"),
        ("package id", package_id or "none: a bare model"),
    ]
    return contract_view(f"Predictor {contract.name}", contract, told)

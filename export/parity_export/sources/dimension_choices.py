"""Which sizes the dynamic dimensions of a module may have together: what was said of them, and sizes to ask at."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from parity_export.sources.input_domain import is_possible
from parity_runtime import InputError, TensorSpec
from parity_runtime.arguments import did_you_mean
from parity_runtime.dimension_rule import DimensionRule, with_derived
from parity_runtime.printable import shown

_TRIED = 4096  # assignments that are tried before a set of rules is called impossible
_STEPS = (0, 1, 2, 4, 9, 30, 100)  # multiples beyond the smallest size of a dimension with rules


@dataclass(frozen=True)
class DimensionChoices:
    """The dynamic dimensions of some inputs, and their rules.

    Attributes:
        inputs: what has the dimensions.
        rules: what was said of them; no ring among derived ones.
    """

    inputs: tuple[TensorSpec, ...]
    rules: tuple[DimensionRule, ...] = ()

    @property
    def names(self) -> list[str]:
        """All dynamic dimensions, in the inputs' order."""
        return list(dict.fromkeys(size for spec in self.inputs for size in spec.shape if isinstance(size, str)))

    @property
    def free(self) -> list[str]:
        """The dimensions that do not follow from others."""
        derived = {rule.name for rule in self.rules if rule.terms}
        return [name for name in self.names if name not in derived]

    def rule(self, name: str) -> DimensionRule:
        """Return what was said of a dimension; any size where nothing was."""
        return next((rule for rule in self.rules if rule.name == name), DimensionRule(name))

    def nearest(self, wanted: Mapping[str, int]) -> dict[str, int] | None:
        """Return allowed sizes near to those wanted, derived ones with them; None where the rules allow none there.

        Args:
            wanted: of every free dimension.
        """
        sizes: dict[str, int] = {}
        for name in self.free:
            size = self.rule(name).nearest(wanted[name])
            if size is None:
                return None
            sizes[name] = size
        sizes = with_derived(self.rules, sizes)
        allowed = all(self.rule(name).allows(size) for name, size in sizes.items())
        return sizes if allowed and is_possible(self.inputs, sizes) else None

    def apart(self, wanted: Mapping[str, int]) -> dict[str, int] | None:
        """Return allowed sizes near to those wanted, each another one as far as the rules leave room."""
        asked, found = dict(wanted), None
        for _ in range(1 + 8 * len(self.names)):
            sizes = self.nearest(asked)
            if sizes is None:
                return found
            found = sizes
            alike = [name for name in self.free if list(sizes.values()).count(sizes[name]) > 1]
            if not alike:
                break
            asked = sizes | {alike[-1]: sizes[alike[-1]] + 1}
        return found

    def possible(self) -> Iterator[dict[str, int]]:
        """Yield some allowed sizes, small ones first."""
        ladders = [self.ladder(name) for name in self.free]
        for sizes in itertools.islice(itertools.product(*ladders), _TRIED):
            found = self.nearest(dict(zip(self.free, sizes, strict=True)))
            if found is not None:
                yield found

    def ladder(self, name: str) -> list[int]:
        """Return sizes of a dimension from its smallest on, its largest among them."""
        rule = self.rule(name)
        steps = [rule.low + step * rule.multiple for step in _STEPS]
        found = [
            rule.nearest(size) for size in [*steps[:3], *([rule.high] if rule.high is not None else []), *steps[3:]]
        ]
        return list(dict.fromkeys(size for size in found if size is not None))


def checked_rules(texts: Sequence[str], inputs: Sequence[TensorSpec], batch: str | None) -> tuple[DimensionRule, ...]:
    """Read what is said of the dynamic dimensions of some inputs.

    Args:
        texts: such as ``"time in 1..512"``.
        inputs: what has the dimensions.
        batch: the dimension that counts rows.

    Raises:
        InputError: one is no rule, names a dimension that no input has or the one that counts rows, or together they
            leave no size.
    """
    if isinstance(texts, str):
        raise InputError(f"dimensions is {shown(texts)} alone; give a list: dimensions=[{texts!r}]")
    rules: dict[str, DimensionRule] = {}
    names = DimensionChoices(tuple(inputs)).names
    for text in texts:
        rule = DimensionRule.parse(text)
        _check_names(rule, text, names, batch)
        rules[rule.name] = rules[rule.name].joined(rule) if rule.name in rules else rule
    found = tuple(rule for rule in rules.values() if rule.text)
    with_derived(found, dict.fromkeys(names, 1))  # refuses a ring
    if next(DimensionChoices(tuple(inputs), found).possible(), None) is None:
        said = "; ".join([*map(str, found), *(str(spec) for spec in inputs if spec.domain)])
        raise InputError(f"no sizes of the dimensions satisfy {said}")
    return found


def _check_names(rule: DimensionRule, text: str, names: Sequence[str], batch: str | None) -> None:
    for name in (rule.name, *(other for other, _ in rule.terms)):
        if name not in names:
            raise InputError(f"{shown(text)}: no input has the dimension {name}{did_you_mean(name, names)}")
        if name == batch:
            raise InputError(f"{shown(text)}: {name} counts rows, which are run alone and together, in any number")
    if rule.low == rule.high:
        raise InputError(f"{shown(text)}: {rule.name} has one size then; write {rule.low} in the shape instead")

"""A condition on a recording, as a person writes it: ``age >= 18 and site in ("A", "B")``.

Python's grammar, of which comparisons, ``and``, ``or``, ``not``, ``in``, numbers, texts and names are taken; a name
that is no Python name stands in backticks, as in pandas' ``query``. Python itself evaluates nothing: a condition can
compare and nothing else.
"""

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from transferscale.errors import UserError

Value = str | float | None
ORDERS: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


@dataclass(frozen=True)
class Condition:
    """A parsed condition.

    Attributes
    ----------
    text
        As it was written.
    names
        Columns that it reads, in the order of their appearance.
    """

    text: str
    names: tuple[str, ...]
    _tree: ast.expr
    _aliases: Mapping[str, str]

    @classmethod
    def parse(cls, text: str) -> "Condition":
        """Read a condition.

        Raises
        ------
        UserError
            If it is not a condition; the sentence quotes it.
        """
        aliases: dict[str, str] = {}

        def alias(match: re.Match[str]) -> str:
            name = f"_column{len(aliases)}"
            aliases[name] = match[1]
            return name

        try:
            tree = ast.parse(re.sub(r"`([^`]+)`", alias, text.strip()), mode="eval").body
            names = dict.fromkeys(_names(tree))
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            reason = f" ({error})" if type(error) is ValueError else ""
            raise UserError(
                f"condition '{text}' cannot be read{reason}; write it as in age >= 18 and site in ('A', 'B'), "
                "an odd column name in `backticks`"
            ) from None
        return cls(text, tuple(aliases.get(name, name) for name in names), tree, aliases)

    def holds(self, values: Mapping[str, Value]) -> bool:
        """Whether it holds; what compares a missing value is unknown, and what is unknown, also denied, does not hold.

        A quoted text compares as text, a number as a number; two columns as numbers where both are.

        Raises
        ------
        UserError
            If a text that is no number is put in order with a number.
        """
        return self._truth(self._tree, values) is True

    def _truth(self, node: ast.expr, values: Mapping[str, Value]) -> bool | None:
        """True, false, or ``None`` for unknown (Kleene's logic)."""
        match node:
            case ast.BoolOp():
                parts = [self._truth(part, values) for part in node.values]
                decisive = isinstance(node.op, ast.Or)
                if decisive in parts:
                    return decisive
                return None if None in parts else not decisive
            case ast.UnaryOp():
                denied = self._truth(node.operand, values)
                return None if denied is None else not denied
            case ast.Compare():
                sides = [node.left, *node.comparators]
                links = [
                    self._compare(op, left, right, values)
                    for op, left, right in zip(node.ops, sides, sides[1:], strict=False)
                ]
                if False in links:
                    return False
                return None if None in links else True
        raise AssertionError("parse takes nothing else")

    def _compare(
        self, op: ast.cmpop, left: ast.expr, right: ast.expr, values: Mapping[str, Value]
    ) -> bool | None:
        one = self._value(left, values)
        if isinstance(op, ast.In | ast.NotIn):
            items = [(self._value(item, values), _quoted(item)) for item in _items(right)]
            if one is None or any(item is None for item, _ in items):
                return None
            found = any(_equal(one, item, quoted or _quoted(left)) for item, quoted in items)
            return found == isinstance(op, ast.In)
        other = self._value(right, values)
        if one is None or other is None:
            return None
        if isinstance(op, ast.Eq | ast.NotEq):
            return _equal(one, other, _quoted(left) or _quoted(right)) == isinstance(op, ast.Eq)
        pair = [_number(value) for value in (one, other)]
        if None in pair:
            odd = (one, other)[pair.index(None)]
            raise UserError(f"condition '{self.text}': '{odd}' is no number, so it has no order")
        return ORDERS[type(op)](*pair)

    def _value(self, node: ast.expr, values: Mapping[str, Value]) -> Value:
        if isinstance(node, ast.Name):
            return values[self._aliases.get(node.id, node.id)]
        value: Value = ast.literal_eval(node)
        return value


def _names(node: ast.expr) -> list[str]:
    """Names of a condition.

    Raises
    ------
    ValueError
        At anything that is no condition.
    """
    match node:
        case ast.BoolOp():
            return [name for part in node.values for name in _names(part)]
        case ast.UnaryOp(op=ast.Not()):
            return _names(node.operand)
        case ast.Compare():
            found = _operand(node.left)
            for op, side in zip(node.ops, node.comparators, strict=True):
                if isinstance(op, ast.In | ast.NotIn):
                    found += [name for item in _items(side) for name in _operand(item)]
                elif isinstance(op, ast.Eq | ast.NotEq) or type(op) in ORDERS:
                    found += _operand(side)
                else:
                    raise ValueError(f"'{ast.unparse(node)}' compares in no way that is known")
            if not found:
                raise ValueError(f"'{ast.unparse(node)}' names no column")
            return found
    raise ValueError(f"'{ast.unparse(node)}' is no comparison")


def _items(node: ast.expr) -> list[ast.expr]:
    if not isinstance(node, ast.Tuple | ast.List | ast.Set):
        raise ValueError(f"after 'in' stands a list, not '{ast.unparse(node)}'")
    return node.elts


def _operand(node: ast.expr) -> list[str]:
    match node:
        case ast.Name():
            return [node.id]
        case (
            ast.Constant(value=str() | int() | float())
            | ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float()))
        ):
            return []
    raise ValueError(f"'{ast.unparse(node)}' is no column, number or text")


def _quoted(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _equal(one: Value, other: Value, as_text: bool) -> bool:
    numbers = (None, None) if as_text else (_number(one), _number(other))
    return numbers[0] == numbers[1] if None not in numbers else str(one) == str(other)


def _number(value: Value) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    # A text 'nan' is a text like any other.
    return None if math.isnan(number) else number

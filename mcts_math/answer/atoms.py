"""What an expression starts with: numbers, names, brackets, fractions, roots, functions, matrices."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from mcts_math.answer.forms import build
from mcts_math.answer.lexer import Token, Unreadable
from mcts_math.answer.nodes import (
    EMPTY_SET,
    HALF,
    MINUS_ONE,
    ONE,
    ZERO,
    Call,
    Const,
    Group,
    Matrix,
    Node,
    Num,
    PlusMinus,
    Power,
    Prod,
    Quantity,
    Ratio,
    Relation,
    Sym,
    Text,
    negate,
)
from mcts_math.answer.quantities import unit_name
from mcts_math.answer.vocabulary import SCALE_WORDS
from mcts_math.answer.words import REALS, words_value

MAX_DEPTH: Final = 120
FREE_FUNCTIONS: Final = frozenset("fghFGHP") | {"phi", "psi"}
_SIGNED: Final = 11  # binds looser than a power, tighter than a product


class Atoms:
    """Token cursor and everything that can stand at the start of an expression."""

    def __init__(self, tokens: list[Token], spaced: bool = False) -> None:
        self.tokens = tokens
        self.index = 0
        self.depth = 0
        self.bars = 0
        self.spaced = spaced

    @property
    def token(self) -> Token:
        """The next token."""
        return self.tokens[self.index]

    @property
    def previous(self) -> Token:
        """The token that was taken last."""
        return self.tokens[self.index - 1]

    def peek(self, distance: int = 1) -> Token:
        """A token further on."""
        return self.tokens[min(self.index + distance, len(self.tokens) - 1)]

    def advance(self) -> Token:
        """Takes the next token."""
        token = self.tokens[self.index]
        if token.kind == "end":
            raise Unreadable("the text ends too early")
        self.index += 1
        return token

    def expect(self, text: str) -> None:
        """Takes the operator `text`."""
        if self.token.kind != "op" or self.token.text != text:
            raise Unreadable(f"{self.token.text or 'the end'!r} where {text!r} was expected")
        self.index += 1

    def enter(self) -> None:
        """Counts one level of nesting."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Unreadable("nested too deeply")

    def expression(self, minimum: int) -> Node:
        """See `Reader.expression`."""
        raise NotImplementedError

    def comma_list(self, closers: frozenset[str]) -> list[Node]:
        """See `Reader.comma_list`."""
        raise NotImplementedError

    def prefix(self) -> Node:
        """The operand that an expression starts with."""
        token = self.advance()
        if token.kind == "num":
            return self._number(token)
        if token.kind == "sym":
            return self._symbol(token)
        if token.kind == "const":
            return {"empty": EMPTY_SET, "reals": REALS}.get(token.text, Const(token.text))
        if token.kind == "func":
            return self._function(token.text)
        if token.kind == "ctor":
            return self._constructor(token.text)
        if token.kind == "word":
            return self._words(token)
        return self._operator(token.text)

    def _operator(self, text: str) -> Node:
        if text in ("-", "+"):
            operand = self.expression(_SIGNED)
            return negate(operand) if text == "-" else operand
        if text in ("pm", "mp"):
            return PlusMinus(ZERO, self.expression(_SIGNED), 1 if text == "pm" else -1)
        if text == "$":
            amount = self.expression(6)  # up to a word: "$1 million"
            return Quantity(self.unit(amount) if self.token.kind == "word" else amount, "dollar")
        if text == "~":
            return self.expression(5)
        if text in ("(", "[", "]", "{{", "{"):
            return self._brackets(text)
        if text == "|":
            self.bars += 1
            inner = self.expression(0)
            self.bars -= 1
            self.expect("|")
            return Call("abs", (inner,))
        if text in ("lfloor", "lceil"):
            inner = self.expression(0)
            self.expect("r" + text[1:])
            return Call("floor" if text == "lfloor" else "ceil", (inner,))
        if text.startswith("begin "):
            return self._environment(text[6:])
        return self._command(text)

    def _command(self, text: str) -> Node:
        if text == "frac":
            above, below = self._argument(), self._argument()
            if isinstance(above, Num) and isinstance(below, Num) and below.value and not above.digits + below.digits:
                return Num(above.value / below.value)
            return Prod((above, Power(below, MINUS_ONE)))
        if text == "binom":
            return Call("binom", (self._argument(), self._argument()))
        if text == "sqrt":
            return self._root()
        if text == "cbrt":
            return Power(self._argument(), Num(Fraction(1, 3)), root=True)
        raise Unreadable(f"{text!r} in an unexpected place")

    def _number(self, token: Token) -> Node:
        """A number; a fraction of two integers right after an integer makes a mixed number."""
        assert token.value is not None
        number = Num(token.value, token.digits, token.places)
        if not token.text.isdigit():
            return number
        digits = token.text
        while len(digits) <= 12 and self._thousand_follows(digits):
            digits += self.advance().text
            number = Num(Fraction(int(digits)))
        start = self.index
        part: Node | None = None
        if self.token.text == "frac" and self.token.kind == "op":
            self.advance()
            part = self._command("frac")
        elif self.token.kind == "num" and self.token.space and self.peek().text == "/" and self.peek(2).kind == "num":
            above, below = self.token.value, self.peek(2).value
            if above is not None and below and self.token.text.isdigit() and self.peek(2).text.isdigit():
                self.index += 3
                part = Num(above / below)
        if isinstance(part, Num) and not part.digits and part.value > 0 and self.token.text not in ("^",):
            return Num(number.value + part.value)
        self.index = start
        return number

    def _thousand_follows(self, digits: str) -> bool:
        """A space and a group of three digits follow (`10 000`)."""
        token = self.token
        plain = token.kind == "num" and token.space and token.text.isdigit() and len(token.text) == 3
        first = len(digits) if len(digits) <= 3 else 3
        return plain and (1 <= first <= 3) and self.peek().text not in ("/", "^") and self._tail_is_thousands()

    def _tail_is_thousands(self) -> bool:
        following = self.peek()
        return following.kind != "num" or len(following.text) == 3

    def _symbol(self, token: Token) -> Node:
        if token.text in FREE_FUNCTIONS and self.token.text == "(" and not self.token.space:
            self.advance()
            return Call(token.text, tuple(self._list_until(")")), free=True)
        return Sym(token.text)

    def _list_until(self, closer: str) -> list[Node]:
        bars, self.bars = self.bars, 0
        items = self.comma_list(frozenset({closer}))
        self.bars = bars
        self.expect(closer)
        return items

    def _argument(self, whole: bool = False) -> Node:
        """The argument of a LaTeX command: a group, one digit (`whole`: one number), one letter or one command."""
        token = self.token
        if token.text == "{" and token.kind == "op":
            self.advance()
            bars, self.bars = self.bars, 0
            inner = self.expression(0)
            self.bars = bars
            self.expect("}")
            return inner
        if token.kind == "num" and token.text.isdigit() and len(token.text) > 1 and not (whole and token.space):
            self.tokens[self.index] = token._replace(text=token.text[1:], value=Fraction(int(token.text[1:])), space=False)
            return Num(Fraction(int(token.text[0])))
        self.enter()
        self.advance()
        if token.kind == "num" and token.value is not None:
            node: Node = Num(token.value, token.digits, token.places)
        elif token.kind == "sym":
            node = Sym(token.text)
        elif token.text in ("(", "{{") and token.kind == "op":
            node = self._brackets(token.text)
        else:
            self.index -= 1
            node = self.expression(14)
        self.depth -= 1
        return node

    def _root(self) -> Node:
        index: Node | None = None
        if self.token.text == "[":
            self.advance()
            index = self.expression(0) if self.token.text != "]" else None
            self.expect("]")
        inner = self._argument(whole=True)
        if index is None:
            return Power(inner, HALF)
        if isinstance(index, Num) and index.value:
            return Power(inner, Num(1 / index.value), root=True)
        return Power(inner, Power(index, MINUS_ONE), root=True)

    def _function(self, name: str) -> Node:
        """A function's value: with a power or base before the argument, and with or without brackets."""
        power: Node | None = None
        base: Node | None = None
        while self.token.text in ("^", "_") and self.token.kind == "op":
            if self.advance().text == "^":
                power = self._argument() if self.token.text != "-" else self.expression(_SIGNED)
            else:
                base = self._argument()
        if self.token.text == "'":
            raise Unreadable("the derivative of a named function")
        if self.token.kind == "op" and self.token.text == "(":
            self.advance()
            args = self._list_until(")")
        elif self.token.kind == "op" and self.token.text in ("{", "|", "["):
            args = [self.expression(14)]
        else:
            args = [self._bare_argument()]
        if not args:
            raise Unreadable(f"{name} without an argument")
        node = _call(name, args, base)
        if power is None:
            return node
        if power == MINUS_ONE and name in ("sin", "cos", "tan", "cot", "sec", "csc"):
            return Call("a" + name, tuple(args))
        return Power(node, power)

    def _bare_argument(self) -> Node:
        """`\\sin 2x`: factors side by side, up to an operator or another function."""
        factors = [self.expression(14)] if self.token.text not in ("-", "+") else [self.expression(_SIGNED)]
        while self.token.kind in ("num", "sym", "const") or (
            self.token.kind == "op" and self.token.text in ("frac", "sqrt", "(")
        ):
            if self.token.text == "(" and not isinstance(factors[-1], Num):
                break
            factors.append(self.expression(14))
        return factors[0] if len(factors) == 1 else Prod(tuple(factors))

    def _constructor(self, name: str) -> Node:
        """What Python, sympy and numpy print: `Matrix([[1, 2]])`, `Rational(1, 2)`, `Interval.open(0, 1)`."""
        self.expect("(")
        return build(name, self._list_until(")"))

    def _words(self, token: Token) -> Node:
        parts = [token.text]
        while self.token.kind == "word":
            parts.append(self.advance().text)
        return words_value(" ".join(parts)) or Text(" ".join(parts))

    def unit(self, left: Node) -> Node:
        """`left` with the words that follow as its unit."""
        parts: list[str] = []
        while self.token.kind == "word" or (parts and self.token.text in ("^", "/", "in")):
            token = self.advance()
            if token.text == "^":
                power = self._argument()
                if not isinstance(power, Num):
                    raise Unreadable("a unit with a power that is no number")
                parts[-1] += f"^{power.value}"
            elif token.text == "/":
                unit = self.advance()
                parts += ["per", unit.text]
            else:
                parts.append(token.text)
        scale = SCALE_WORDS.get(parts[0].split()[0].lower()) if parts else None
        if scale is not None:
            left, parts = Prod((Num(Fraction(scale)), left)), " ".join(parts).split()[1:]
        return Quantity(left, unit_name(" ".join(parts))) if parts else left

    def degrees(self, left: Node) -> Node:
        """`left` in degrees."""
        if self.token.text in ("C", "F") and self.token.kind == "sym":
            self.advance()
        return Quantity(left, "degree")

    def _brackets(self, left: str) -> Node:
        start = self.index
        bars, self.bars = self.bars, 0
        if left == "{{":
            self.index += self._set_builder()
        items = self.comma_list(frozenset({")", "]", "}}", "}"}))
        self.bars = bars
        closer = self.token
        if left == "{":
            self.expect("}")
            if not items:
                return EMPTY_SET if start == 1 else ONE
            return items[0] if len(items) == 1 else Group("{", "}", tuple(items), self.spaced)
        if closer.kind != "op" or closer.text not in (")", "]", "}}", "["):
            raise Unreadable("a bracket that is not closed")
        trailing = self.previous.text == ","
        self.advance()
        if left == "(" and closer.text == ")" and len(items) == 1 and not trailing:
            return items[0] if not isinstance(items[0], Group) or items[0].left else Group("(", ")", items[0].items)
        if (left == "{{") != (closer.text == "}}"):
            raise Unreadable("brackets that do not match")
        if left == "{{":
            items = [Relation(("=",), item.items) if isinstance(item, Ratio) else item for item in items]
            if len(items) == 1 and isinstance(items[0], Relation) and items[0].ops[0] not in ("=", "~"):
                return items[0]
        if not items and left == "(":
            raise Unreadable("empty brackets")
        opening, closing = {"]": "(", "{{": "{"}.get(left, left), {"[": ")", "}}": "}"}.get(closer.text, closer.text)
        return Group(opening, closing, tuple(items), self.spaced)

    def _set_builder(self) -> int:
        """How many tokens introduce a condition: `x |`, `x :`, `x in R |`; 0 where there is none."""
        if self.token.kind != "sym":
            return 0
        length = 4 if self.peek().text == "in" and self.peek(2).text == "reals" else 2
        if self.peek(length - 1).text not in ("|", ":"):
            return 0
        conditions = ("<", "<=", ">", ">=", "!=", "in")
        return length if any(token.text in conditions for token in self.tokens[self.index + length :]) else 0

    def _environment(self, name: str) -> Node:
        if name.rstrip("*") not in ("matrix", "pmatrix", "bmatrix", "Bmatrix", "vmatrix", "smallmatrix", "array", "cases"):
            raise Unreadable(f"the environment {name}")
        rows: list[tuple[Node, ...]] = []
        cells: list[Node] = []
        while True:
            token = self.token
            if token.text not in ("&", "newline", f"end {name}"):
                cells.append(self._cell())
                token = self.token
            self.advance()
            if token.text == "&":
                continue
            if cells:
                rows.append(tuple(cells))
                cells = []
            if token.text == f"end {name}":
                break
            if token.text != "newline":
                raise Unreadable("a matrix that is not rows of cells")
        if not rows or any(len(row) != len(rows[0]) for row in rows):
            raise Unreadable("rows of different lengths")
        matrix = Matrix(tuple(rows))
        return Call("det", (matrix,)) if name == "vmatrix" else matrix

    def _cell(self) -> Node:
        bars, self.bars = self.bars, 0
        node = self.expression(3)  # "&" separates cells here
        self.bars = bars
        return node

    def bar_power(self, logic: int, product: int) -> int:
        """How a vertical bar after an operand binds: it closes, opens an absolute value, or means "or"."""
        if self.bars:
            return 0
        if self.previous.text == ")" and self.peek().text == "(":
            return logic
        return product


def _call(name: str, args: list[Node], base: Node | None) -> Node:
    if name == "sqrt":
        return Power(args[0], HALF)
    if name == "cbrt":
        return Power(args[0], Num(Fraction(1, 3)), root=True)
    if name == "root" and len(args) == 2:
        return Power(args[0], Power(args[1], MINUS_ONE), root=True)
    if name == "exp" and len(args) == 1:
        return Power(Const("e"), args[0])
    if name in ("log2", "log10"):
        return Call("log", (args[0], Num(Fraction(int(name[3:])))))
    if base is not None:
        if name != "log":
            raise Unreadable(f"{name} with a subscript")
        return Call("log", (args[0], base))
    return Call(name, tuple(args))

"""How many operations one ONNX node takes, from its shapes and attributes. Pure functions; needs no onnx.

Multiply-accumulates (MACs) are counted for what engines compute as matrix products: convolutions, products,
recurrent layers, attention. Everything else that computes is a *plain operation* and counted apart, one an element:
its cost differs by element (an addition, an exponential), and it is seldom what bounds a network. Formulas follow from
the definitions in the ONNX operator specification.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

Shape = tuple[int, ...]
Shapes = Sequence[Shape | None]
"""Shapes of a node's inputs or outputs; None for an optional one that is left out."""


class UncountableError(Exception):
    """The operations of this node cannot be told; the message is the reason, for people."""


@dataclass(frozen=True)
class Operations:
    """Operations of one node. `int8`: its MACs are on 8-bit integers by the operator's definition."""

    macs: int = 0
    plain: int = 0
    int8: bool = False


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


VIEWS = frozenset({"Dropout", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"})
"""Same bytes under another name or shape (Dropout: in inference): no operations and no traffic."""

ASKS_SHAPE = frozenset({"Shape", "Size"})

MOVES = _names(
    """CenterCropPad Compress Concat ConcatFromSequence Constant ConstantOfShape DepthToSpace Expand EyeLike Gather
    GatherElements GatherND Col2Im OneHot Pad Range ReverseSequence Scatter ScatterElements ScatterND Slice
    SpaceToDepth Split Tile TensorScatter Transpose Trilu"""
)
"""Copy elements without computing: traffic only."""

PER_OUTPUT = _names(
    """Abs Acos Acosh Add And Asin Asinh Atan Atanh Bernoulli BitCast BitShift BitwiseAnd BitwiseNot BitwiseOr
    BitwiseXor BlackmanWindow Cast CastLike Ceil Celu Clip Cos Cosh CumProd CumSum DequantizeLinear Div
    DynamicQuantizeLinear Elu Equal Erf Exp Floor Gelu Greater GreaterOrEqual HammingWindow HannWindow HardSigmoid
    HardSwish Hardmax IsInf IsNaN LeakyRelu Less LessOrEqual Log LogSoftmax Max Mean Min Mish Mod Mul Multinomial Neg
    Not Or PRelu Pow QuantizeLinear RandomNormal RandomNormalLike RandomUniform RandomUniformLike Reciprocal Relu
    Resize RotaryEmbedding Round Selu Shrink Sigmoid Sign Sin Sinh Softmax Softplus Softsign Sqrt Sub Sum SwiGLU Swish
    Tan Tanh ThresholdedRelu Upsample Where Xor AffineGrid GridSample LpNormalization BatchNormalization
    GroupNormalization InstanceNormalization LayerNormalization LRN MeanVarianceNormalization
    RMSNormalization"""
)
"""One plain operation per element of the first output: elementwise functions, softmax, normalisations."""

PER_INPUT = _names(
    """ArgMax ArgMin GlobalAveragePool GlobalLpPool GlobalMaxPool NegativeLogLikelihoodLoss ReduceL1 ReduceL2
    ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare
    SoftmaxCrossEntropyLoss TopK Unique"""
)
"""One plain operation per element of the first input: reductions and selections."""

POOLS = frozenset({"AveragePool", "LpPool", "MaxPool"})

_DATA_DEPENDENT = "how much it does depends on its data"
_SUBGRAPH = "how often its body runs depends on its data"
_SEQUENCE = "its values are sequences or text, not tensors of numbers"
UNCOUNTABLE: Mapping[str, str] = {
    "If": _SUBGRAPH,
    "Loop": _SUBGRAPH,
    "Scan": _SUBGRAPH,
    "SequenceMap": _SUBGRAPH,
    "NonMaxSuppression": _DATA_DEPENDENT,
    "NonZero": _DATA_DEPENDENT,
    "RoiAlign": _DATA_DEPENDENT,
    "MaxRoiPool": _DATA_DEPENDENT,
    "MaxUnpool": _DATA_DEPENDENT,
    "Det": "no formula is kept for it",
    "DFT": "it is computed by fast transforms, whose count is the engine's choice",
    "STFT": "it is computed by fast transforms, whose count is the engine's choice",
    "MelWeightMatrix": "no formula is kept for it",
    "LinearAttention": "no formula is kept for it",
    "CausalConvWithState": "no formula is kept for it",
    "ImageDecoder": _SEQUENCE,
    "Optional": _SEQUENCE,
    "OptionalGetElement": _SEQUENCE,
    "OptionalHasElement": _SEQUENCE,
    "RegexFullMatch": _SEQUENCE,
    "SequenceAt": _SEQUENCE,
    "SequenceConstruct": _SEQUENCE,
    "SequenceEmpty": _SEQUENCE,
    "SequenceErase": _SEQUENCE,
    "SequenceInsert": _SEQUENCE,
    "SequenceLength": _SEQUENCE,
    "SplitToSequence": _SEQUENCE,
    "StringConcat": _SEQUENCE,
    "StringNormalizer": _SEQUENCE,
    "StringSplit": _SEQUENCE,
    "TfIdfVectorizer": _SEQUENCE,
}
"""Standard operators that are listed and never guessed, with the reason."""

_CELLS = {"LSTM": (4, 9), "GRU": (3, 9), "RNN": (1, 1)}
"""Gates of a recurrent cell (each a product with input and with state), and plain operations per hidden element and
step: LSTM 3 sigmoids, 2 tanh, 3 products, 1 sum; GRU 2 sigmoids, 1 tanh, 3 products, 3 sums; RNN its activation."""


def operations(operator: str, attributes: Mapping[str, Any], inputs: Shapes, outputs: Shapes) -> Operations:
    """Operations of a node of the standard domain. Raises UncountableError for what is not known or not knowable."""
    if operator in UNCOUNTABLE:
        raise UncountableError(UNCOUNTABLE[operator])
    if operator in VIEWS or operator in ASKS_SHAPE or operator in MOVES:
        return Operations()
    if operator in PER_OUTPUT:
        return Operations(plain=prod(_need(outputs, 0)))
    if operator in PER_INPUT:
        return Operations(plain=prod(_need(inputs, 0)))
    if operator in POOLS:
        return Operations(plain=prod(_need(outputs, 0)) * prod(attributes["kernel_shape"]))
    if operator in _MACS:
        return _MACS[operator](attributes, inputs, outputs)
    if operator in _CELLS:
        return _recurrent(operator, inputs)
    raise UncountableError("no formula is kept for it")


def has_formula(operator: str) -> bool:
    """Whether `operations` knows a standard operator."""
    known = (VIEWS, ASKS_SHAPE, MOVES, PER_OUTPUT, PER_INPUT, POOLS, _MACS, _CELLS)
    return any(operator in group for group in known)


def _need(shapes: Shapes, index: int) -> Shape:
    shape = shapes[index] if index < len(shapes) else None
    if shape is None:
        raise UncountableError("a tensor that its count needs is missing")
    return shape


def _convolution(weight: int, *, int8: bool = False) -> Callable[..., Operations]:
    """Every output element takes channels per group × kernel size products: the weight's shape after its first."""

    def count(_attributes: Mapping[str, Any], inputs: Shapes, outputs: Shapes) -> Operations:
        return Operations(macs=prod(_need(outputs, 0)) * prod(_need(inputs, weight)[1:]), int8=int8)

    return count


def _transposed(_attributes: Mapping[str, Any], inputs: Shapes, _outputs: Shapes) -> Operations:
    # Every input element is multiplied into (output channels per group × kernel size) places.
    return Operations(macs=prod(_need(inputs, 0)) * prod(_need(inputs, 1)[1:]))


def _product(*, int8: bool = False) -> Callable[..., Operations]:
    def count(_attributes: Mapping[str, Any], inputs: Shapes, outputs: Shapes) -> Operations:
        return Operations(macs=prod(_need(outputs, 0)) * _need(inputs, 0)[-1], int8=int8)

    return count


def _gemm(attributes: Mapping[str, Any], inputs: Shapes, outputs: Shapes) -> Operations:
    inner = _need(inputs, 0)[0 if attributes.get("transA") else 1]
    bias = len(inputs) > 2 and inputs[2] is not None
    return Operations(macs=prod(_need(outputs, 0)) * inner, plain=prod(_need(outputs, 0)) if bias else 0)


def _einsum(attributes: Mapping[str, Any], inputs: Shapes, _outputs: Shapes) -> Operations:
    equation = attributes["equation"]
    equation = (equation.decode() if isinstance(equation, bytes) else equation).replace(" ", "")
    terms = equation.partition("->")[0].split(",")
    if len(terms) > 2 or "..." in equation:
        raise UncountableError("its count depends on the order in which the engine multiplies")
    sizes: dict[str, int] = {}
    for index, term in enumerate(terms):
        for label, size in zip(term, _need(inputs, index), strict=True):
            sizes[label] = max(size, sizes.get(label, 1))
    total = prod(sizes.values())
    return Operations(macs=total) if len(terms) == 2 else Operations(plain=total)


def _attention(attributes: Mapping[str, Any], inputs: Shapes, outputs: Shapes) -> Operations:
    """Scores (heads × queries × keys × width) and their product with the values; masked places count in full."""
    query, key, value, out = _need(inputs, 0), _need(inputs, 1), _need(inputs, 2), _need(outputs, 0)
    past = inputs[4][2] if len(inputs) > 4 and inputs[4] is not None else 0
    if len(query) == 4:
        batch, heads, length, width = query
        keys, value_width = key[2] + past, value[3]
    else:
        batch, length, hidden = query
        heads = attributes["q_num_heads"]
        width, keys, value_width = hidden // heads, key[1] + past, out[2] // heads
    scores = batch * heads * length * keys
    return Operations(macs=scores * (width + value_width), plain=scores)


def _recurrent(operator: str, inputs: Shapes) -> Operations:
    """Every step of every direction multiplies input and state with all gates; shorter sequences count in full."""
    gates, plain = _CELLS[operator]
    steps = prod(_need(inputs, 0)[:2])  # sequence × batch, in either layout
    directions, rows, width = _need(inputs, 1)
    hidden = rows // gates
    cells = steps * directions * hidden
    return Operations(macs=cells * gates * (width + hidden), plain=cells * plain)


_MACS: Mapping[str, Callable[..., Operations]] = {
    "Attention": _attention,
    "Conv": _convolution(1),
    "ConvInteger": _convolution(1, int8=True),
    "ConvTranspose": _transposed,
    "DeformConv": _convolution(1),
    "Einsum": _einsum,
    "Gemm": _gemm,
    "MatMul": _product(),
    "MatMulInteger": _product(int8=True),
    "QLinearConv": _convolution(3, int8=True),
    "QLinearMatMul": _product(int8=True),
}

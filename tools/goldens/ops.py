"""
Values and gradients of every op from torch, over awkward shapes, for @sinter/conformance.

Inputs are f32 numbers; results are computed in float64 and rounded once, so an implementation is compared with the truth
and not with torch's own f32 rounding. The format stands in README.md beside this file.
"""

import json

import torch
import torch.nn.functional as F

from common import DTYPES, packed, root, tensor_json, write

generator = torch.Generator().manual_seed(20240)
cases: list[str] = []


# Inputs -----------------------------------------------------------------------------------------------------------------

def real(*shape, low=-2.0, high=2.0):
    """Uniform reals with few digits (the file stays small) that are exactly f32."""
    x = torch.rand(shape, generator=generator, dtype=torch.float64) * (high - low) + low
    return x.mul(1e3).round().div(1e3).float().double()


def distinct(*shape):
    """Reals of which no two are equal, so that minima, maxima and orders have one answer."""
    n = int(torch.tensor(shape).prod()) if shape else 1
    x = torch.randperm(n, generator=generator).double().sub(n / 2).mul(0.11).add(0.013)
    return x.reshape(shape).float().double()


def ints(*shape, low=-9, high=10):
    return torch.randint(low, high, shape, generator=generator, dtype=torch.int32)


def bools(*shape):
    return torch.randint(0, 2, shape, generator=generator).bool()


def reals(values):
    return torch.tensor(values, dtype=torch.float64).float().double()


def case(op, inputs, attrs, f, grad=True):
    """Records `f(*inputs)`; with `grad`, also a seeded cotangent and the gradient of every real input."""
    leaves = [x.clone().requires_grad_(grad and x.is_floating_point()) for x in inputs]
    out = f(*leaves)
    fields = [f'"{op}"', json.dumps(attrs, separators=(',', ':')), f'[{",".join(map(tensor_json, inputs))}]', tensor_json(out)]
    if grad:
        cotangent = real(*out.shape)
        wrt = [x for x in leaves if x.requires_grad]
        found = iter(torch.autograd.grad(out, wrt, cotangent, allow_unused=True)) if out.requires_grad else iter([None] * len(wrt))
        grads = []
        for x in leaves:
            g = next(found) if x.requires_grad else None
            grads.append('null' if not x.requires_grad else packed(torch.zeros_like(x) if g is None else g))
        fields += [packed(cotangent), f'[{",".join(grads)}]']
    cases.append(f'[{",".join(fields)}]')


# Elementwise ------------------------------------------------------------------------------------------------------------

SHAPES = [(), (1,), (7,), (0,), (3, 0, 2), (4, 4), (5, 13), (2, 3, 1, 5), (33,)]
PAIRS = [
    ((), ()), ((5,), ()), ((), (3,)), ((7,), (7,)), ((0,), (1,)), ((3, 1), (1, 5)), ((4, 1, 3), (2, 1)), ((2, 3), (2, 3)),
    ((1,), (2, 1, 3)), ((2, 0, 3), (3,)), ((17,), (1,)), ((3, 2, 2, 5), (2, 1, 5)),
]


def elementwise():
    def binary(op, f, make=real, make_right=None, grad=True):
        for a, b in PAIRS:
            case(op, [make(*a), (make_right or make)(*b)], {}, f, grad)

    def positive(*shape):
        return real(*shape, low=0.2, high=3)

    binary('add', torch.add)
    binary('sub', torch.sub)
    binary('mul', torch.mul)
    binary('div', torch.div, real, lambda *s: positive(*s) * torch.where(real(*s) < 0, -1.0, 1.0))
    binary('pow', torch.pow, positive, real)
    off_grid = lambda *s: real(*s).add(1 / 4096).float().double()  # never equal to one of real()'s: no ties
    binary('min', torch.minimum, real, off_grid)
    binary('max', torch.maximum, real, off_grid)
    case('pow', [reals([-2, -2, 0, 0, 2, 1.5, -3]), reals([3, 2, 0, 2, -1, 0.5, -1])], {}, torch.pow, grad=False)
    case('pow', [reals([-2, -1.5, 0.5, 3]), reals([2])], {}, torch.pow, grad=False)
    case('div', [reals([1, -1, 0, 5]), reals([0, 0, 0, float('inf')])], {}, torch.div, grad=False)
    for op, f in [('min', torch.minimum), ('max', torch.maximum)]:
        case(op, [reals([float('inf'), float('-inf'), float('nan'), 1]), reals([1, 1, 1, float('nan')])], {}, f, grad=False)
    case('mod', [real(3, 5, low=-9, high=9), positive(5)], {}, torch.fmod, grad=False)
    case('mod', [reals([7.5, -7.5, 7.5, -7.5]), reals([2, 2, -2, -2])], {}, torch.fmod, grad=False)

    compare = {'eq': torch.eq, 'ne': torch.ne, 'lt': torch.lt, 'le': torch.le, 'gt': torch.gt, 'ge': torch.ge}
    for op, f in compare.items():
        for a, b in PAIRS[:8]:
            case(op, [ints(*a, low=-2, high=3).double(), ints(*b, low=-2, high=3).double()], {}, f, grad=False)
        case(op, [ints(3, 4, low=-2, high=3), ints(4, low=-2, high=3)], {}, f, grad=False)
        nan, inf = float('nan'), float('inf')
        case(op, [reals([nan, nan, inf, -inf, 0.0, -0.0]), reals([nan, 1, inf, inf, -0.0, 0.0])], {}, f, grad=False)
    for op, f in {'and': torch.logical_and, 'or': torch.logical_or, 'xor': torch.logical_xor}.items():
        for a, b in PAIRS[:8]:
            case(op, [bools(*a), bools(*b)], {}, f, grad=False)

    nonzero = lambda *s: ints(*s, low=1, high=6) * torch.where(ints(*s) < 0, -1, 1).int()
    shift = lambda *s: ints(*s, low=0, high=32)
    wide = lambda *s: ints(*s, low=-2**31, high=2**31 - 1)
    integer = {
        'add': (torch.add, wide, wide), 'sub': (torch.sub, wide, wide), 'mul': (torch.mul, wide, wide),
        'div': (lambda a, b: torch.div(a, b, rounding_mode='trunc'), lambda *s: ints(*s, low=-99, high=99), nonzero),
        'mod': (torch.fmod, lambda *s: ints(*s, low=-99, high=99), nonzero),
        'min': (torch.minimum, ints, ints), 'max': (torch.maximum, ints, ints),
        'and': (torch.bitwise_and, wide, wide), 'or': (torch.bitwise_or, wide, wide), 'xor': (torch.bitwise_xor, wide, wide),
        'shl': (torch.bitwise_left_shift, wide, shift), 'shr': (torch.bitwise_right_shift, wide, shift),
    }
    for op, (f, left, right) in integer.items():
        for a, b in PAIRS[:8]:
            case(op, [left(*a), right(*b)], {}, f, grad=False)

    anywhere, off_zero = real, lambda *s: real(*s).add(1 / 4096).float().double()
    unary = {
        'neg': (torch.neg, anywhere), 'abs': (torch.abs, off_zero), 'exp': (torch.exp, anywhere), 'log': (torch.log, positive),
        'sqrt': (torch.sqrt, positive), 'rsqrt': (torch.rsqrt, positive), 'reciprocal': (torch.reciprocal, positive),
        'sin': (torch.sin, anywhere), 'cos': (torch.cos, anywhere), 'tanh': (torch.tanh, anywhere), 'erf': (torch.erf, anywhere),
        'sigmoid': (torch.sigmoid, anywhere), 'relu': (torch.relu, off_zero), 'silu': (F.silu, anywhere),
        'softplus': (F.softplus, anywhere), 'square': (torch.square, anywhere), 'sign': (torch.sign, off_zero),
        'floor': (torch.floor, off_zero), 'ceil': (torch.ceil, off_zero), 'round': (torch.round, off_zero),
    }
    for op, (f, make) in unary.items():
        for shape in SHAPES:
            case(op, [make(*shape)], {}, f)
    for approximate in ['none', 'tanh']:
        for shape in SHAPES:
            case('gelu', [real(*shape, low=-4, high=4)], {'approximate': approximate}, lambda x: F.gelu(x, approximate=approximate))

    # Far from zero: range reduction, saturation, and what is not a number.
    inf, nan = float('inf'), float('nan')
    far = reals([-100, -88, -50, -20, -10, -1e-3, -1e-7, 0, 1e-7, 1e-3, 10, 20, 50, 88, 100])
    edges = reals([inf, -inf, nan, 0.0, -0.0])
    for op in ['exp', 'tanh', 'erf', 'sigmoid', 'silu', 'softplus', 'sin', 'cos', 'relu', 'abs', 'sign', 'square']:
        case(op, [far], {}, unary[op][0], grad=op not in ('relu', 'abs', 'sign'))
    case('gelu', [far], {'approximate': 'none'}, F.gelu)
    case('gelu', [far], {'approximate': 'tanh'}, lambda x: F.gelu(x, approximate='tanh'))
    for op in ['log', 'sqrt', 'rsqrt', 'reciprocal']:
        case(op, [reals([1e-30, 1e-10, 1e-5, 1, 2, 1e5, 1e10, 1e30])], {}, unary[op][0])
        case(op, [reals([inf, nan, 0.0])], {}, unary[op][0], grad=False)
    for op in ['log', 'sqrt', 'rsqrt']:
        case(op, [reals([-1, -inf])], {}, unary[op][0], grad=False)
    for op in ['exp', 'tanh', 'erf', 'sigmoid', 'relu', 'softplus', 'abs', 'neg', 'floor', 'ceil', 'round']:
        case(op, [edges], {}, unary[op][0], grad=False)
    halves = reals([-3.5, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5, 0.49999997, 8388609, 1e10, -2, 2])
    for op in ['round', 'floor', 'ceil']:
        case(op, [halves], {}, unary[op][0], grad=False)
    case('neg', [ints(5, 3)], {}, torch.neg, grad=False)
    case('abs', [ints(5, 3)], {}, torch.abs, grad=False)
    for shape in SHAPES:
        case('not', [bools(*shape)], {}, torch.logical_not, grad=False)

    sources = {
        'f32': lambda *s: real(*s, low=-9, high=9), 'i32': ints, 'u8': lambda *s: ints(*s, low=0, high=256).to(torch.uint8), 'bool': bools,
    }
    for source, make in sources.items():
        for target, dtype in DTYPES.items():
            wide_type = torch.float64 if target == 'f32' else dtype
            for shape in [(), (0,), (7,), (2, 5)]:
                x = make(*shape)
                x = x.abs() if target == 'u8' and source in ('f32', 'i32') else x  # the sign is nobody's agreement
                case('cast', [x], {'dtype': target}, lambda x: x.to(wide_type), grad=source == target == 'f32')
    case('cast', [reals([-2.7, -1.5, -0.5, 0.5, 1.5, 2.7])], {'dtype': 'i32'}, lambda x: x.to(torch.int32), grad=False)
    case('cast', [reals([0, -0.0, 0.5, -3, nan, inf])], {'dtype': 'bool'}, lambda x: x.to(torch.bool), grad=False)

    for c, a, b in [((), (), ()), ((5,), (5,), (5,)), ((3, 1), (1, 4), ()), ((2, 3), (), (3,)), ((0,), (1,), (0,)), ((4,), (2, 1, 4), (3, 1))]:
        case('where', [bools(*c), real(*a), real(*b)], {}, torch.where)
    case('where', [bools(3, 5), ints(5), ints(3, 1)], {}, torch.where, grad=False)
    for shape in SHAPES:
        case('clamp', [off_zero(*shape)], {'min': -0.75, 'max': 1.25}, lambda x: torch.clamp(x, -0.75, 1.25))
    case('clamp', [edges], {'min': -1, 'max': 2}, lambda x: torch.clamp(x, -1, 2), grad=False)


# Reductions -------------------------------------------------------------------------------------------------------------

def reductions():
    plans = [
        ((), []), ((1,), [0]), ((7,), [0]), ((129,), [0]), ((3, 5), [0]), ((3, 5), [1]), ((3, 5), [0, 1]), ((3, 5), [-1]),
        ((2, 3, 4), [1]), ((2, 3, 4), [0, 2]), ((2, 3, 4), [-1, -2]), ((2, 1, 5, 3), [1, 3]), ((2, 3, 2, 2), [0, 1, 2, 3]),
        ((0, 3), [1]), ((17, 33), [1]), ((17, 33), [0]),
    ]
    for shape, axes in plans:
        for keepdims in [False, True]:
            attrs = {'axes': axes, 'keepdims': keepdims}
            # torch takes no axes to mean all of them, which on rank 0 is the same
            case('sum', [real(*shape)], attrs, lambda x: x.sum(axes, keepdim=keepdims) if axes else x.sum())
            case('mean', [real(*shape)], attrs, lambda x: x.mean(axes, keepdim=keepdims) if axes else x.mean())
            case('max', [distinct(*shape)], attrs, lambda x: x.amax(axes, keepdim=keepdims))
            case('min', [distinct(*shape)], attrs, lambda x: x.amin(axes, keepdim=keepdims))
    for keepdims in [False, True]:
        for shape, axes in [((0,), [0]), ((3, 0), [1]), ((0, 4), [0])]:
            case('sum', [real(*shape)], {'axes': axes, 'keepdims': keepdims}, lambda x: x.sum(axes, keepdim=keepdims))
    case('mean', [real(2, 0)], {'axes': [1], 'keepdims': False}, lambda x: x.mean(1))
    case('sum', [ints(4, 5)], {'axes': [1], 'keepdims': False}, lambda x: x.sum(1, dtype=torch.int32), grad=False)
    case('max', [ints(4, 5)], {'axes': [0], 'keepdims': False}, lambda x: x.amax(0), grad=False)
    case('min', [ints(4, 5)], {'axes': [0], 'keepdims': True}, lambda x: x.amin(0, keepdim=True), grad=False)
    inf, nan = float('inf'), float('nan')
    special = reals([[1, inf, -inf], [nan, 2, 3], [-inf, -inf, -inf]])
    for op, f in {'sum': torch.sum, 'max': torch.amax, 'min': torch.amin}.items():
        case(op, [special], {'axes': [1], 'keepdims': False}, lambda x: f(x, 1), grad=False)
    for shape, axis in [((1,), 0), ((7,), 0), ((3, 5), 0), ((3, 5), 1), ((3, 5), -1), ((2, 3, 4), 1), ((2, 1, 3), 1), ((0, 3), 1)]:
        case('argmax', [distinct(*shape)], {'axis': axis}, lambda x: x.argmax(axis), grad=False)
    case('argmax', [reals([[1, 3, 3, 2], [5, 5, 5, 5]])], {'axis': 1}, lambda x: x.argmax(1), grad=False)  # the first of equals


# Views ------------------------------------------------------------------------------------------------------------------

def views():
    def pad(x, low, high, value):
        return F.pad(x, [n for pair in reversed(list(zip(low, high))) for n in pair], value=value)

    def cut(x, starts, ends, steps):
        return x[tuple(slice(*s) for s in zip(starts, ends, steps))]

    for a, b in [((), (1, 1)), ((1,), ()), ((6,), (2, 3)), ((2, 3, 4), (6, 4)), ((2, 3, 4), (4, 3, 2)), ((5, 7), (35,)), ((0, 3), (3, 0, 2)), ((2, 1, 3), (2, 3))]:
        case('reshape', [real(*a)], {'shape': b}, lambda x: x.reshape(b))
    for shape, perm in [((), []), ((5,), [0]), ((3, 5), [1, 0]), ((2, 3, 4), [2, 0, 1]), ((2, 3, 4), [0, 2, 1]), ((2, 3, 1, 5), [0, 2, 1, 3]), ((2, 3, 1, 5), [3, 1, 0, 2]), ((0, 3), [1, 0])]:
        case('transpose', [real(*shape)], {'perm': perm}, lambda x: x.permute(perm))
    for a, b in [((), (3,)), ((1,), (5,)), ((3, 1), (3, 4)), ((3,), (2, 3)), ((1, 3, 1), (2, 3, 5)), ((2, 1, 3), (4, 2, 5, 3)), ((1,), (0,)), ((), ())]:
        case('broadcastTo', [real(*a)], {'shape': b}, lambda x: x.broadcast_to(b))
    for shape, starts, ends, steps in [
        ((7,), [2], [6], [1]), ((7,), [0], [7], [3]), ((7,), [3], [3], [1]), ((3, 5), [1, 0], [3, 5], [1, 2]), ((3, 5), [0, 1], [2, 2], [1, 1]),
        ((2, 3, 4), [0, 1, 1], [2, 3, 4], [1, 1, 2]), ((2, 1, 5, 3), [1, 0, 1, 0], [2, 1, 5, 3], [1, 1, 3, 2]), ((0, 3), [0, 1], [0, 3], [1, 1]),
    ]:
        case('slice', [real(*shape)], {'starts': starts, 'ends': ends, 'steps': steps}, lambda x: cut(x, starts, ends, steps))
    for shape, low, high, value in [
        ((), [], [], 0), ((3,), [1], [2], 0), ((3,), [0], [0], 1.5), ((2, 3), [1, 0], [0, 2], -1), ((2, 1, 3), [0, 2, 1], [1, 0, 3], 0.25), ((0,), [2], [1], 3), ((2, 2, 2, 2), [0, 1, 0, 1], [1, 0, 1, 0], 0),
    ]:
        attrs = {'low': low, 'high': high, 'value': value}
        case('pad', [real(*shape)], attrs, lambda x: pad(x, low, high, value) if shape else x * 1)
    for shapes, axis in [
        ([(3,)], 0), ([(3,), (4,)], 0), ([(2, 3), (2, 1), (2, 5)], 1), ([(1, 3), (4, 3)], 0), ([(2, 0), (2, 3)], 1), ([(2, 3, 2), (2, 3, 4)], -1), ([(1, 2, 1, 3), (1, 5, 1, 3)], 1),
    ]:
        case('concat', [real(*s) for s in shapes], {'axis': axis}, lambda *x: torch.cat(x, axis))
    for shape, n, axis in [((), 3, 0), ((3,), 2, 0), ((3,), 2, 1), ((2, 3), 3, 1), ((2, 3), 2, -1), ((0,), 2, 0), ((2, 1, 3), 1, 2)]:
        case('stack', [real(*shape) for _ in range(n)], {'axis': axis}, lambda *x: torch.stack(x, axis))
    for shape, axis in [((1,), 0), ((1, 3), 0), ((3, 1), -1), ((2, 1, 3), 1), ((0, 1), 1)]:
        case('squeeze', [real(*shape)], {'axis': axis}, lambda x: x.squeeze(axis))
    for shape, axis in [((), 0), ((3,), 0), ((3,), 1), ((2, 3), -1), ((2, 3), 1), ((2, 3, 4), 2), ((0,), 0)]:
        case('unsqueeze', [real(*shape)], {'axis': axis}, lambda x: x.unsqueeze(axis))
    for shape, axes in [((), []), ((7,), [0]), ((3, 5), [1]), ((3, 5), [0, 1]), ((2, 3, 4), [0, 2]), ((2, 1, 2, 3), [3]), ((0, 2), [1])]:
        case('flip', [real(*shape)], {'axes': axes}, lambda x: x.flip(axes))
    for dtype, make in {'i32': ints, 'bool': bools}.items():  # views move anything
        case('transpose', [make(3, 5)], {'perm': [1, 0]}, lambda x: x.permute(1, 0), grad=False)
        case('slice', [make(7)], {'starts': [1], 'ends': [7], 'steps': [2]}, lambda x: x[1:7:2], grad=False)
        case('concat', [make(2, 3), make(2, 1)], {'axis': 1}, lambda *x: torch.cat(x, 1), grad=False)
    case('pad', [ints(2, 3)], {'low': [1, 0], 'high': [0, 1], 'value': 7}, lambda x: F.pad(x, [0, 1, 1, 0], value=7), grad=False)


# Contractions, gathers --------------------------------------------------------------------------------------------------

def contractions():
    for a, b in [
        ((3,), (3,)), ((1,), (1,)), ((3,), (3, 4)), ((4, 3), (3,)), ((1, 1), (1, 1)), ((2, 3), (3, 4)), ((7, 5), (5, 11)), ((17, 33), (33, 9)), ((4, 8), (8, 8)), ((1, 13), (13, 1)),
        ((2, 3, 4), (4, 5)), ((3, 4), (2, 4, 5)), ((2, 3, 4), (2, 4, 5)), ((2, 1, 3, 4), (3, 4, 2)), ((2, 3, 1, 5), (1, 3, 5, 2)), ((5,), (2, 5, 3)), ((2, 3, 5), (5,)),
        ((0, 3), (3, 2)), ((2, 0), (0, 3)), ((2, 3), (3, 0)), ((0, 2, 3), (3, 2)), ((6, 70), (70, 10)),
    ]:
        case('matmul', [real(*a), real(*b)], {}, torch.matmul)
    for spec, a, b in [
        ('bhsd,bhtd->bhst', (2, 3, 5, 4), (2, 3, 7, 4)), ('bhst,bhtd->bhsd', (2, 3, 5, 7), (2, 3, 7, 4)), ('bsd,ed->bse', (2, 5, 6), (7, 6)),
        ('bse,bsd->ed', (2, 5, 7), (2, 5, 6)), ('bse,ed->bsd', (2, 5, 7), (7, 6)), ('ij,j->i', (5, 7), (7,)), ('i,ij->j', (5,), (5, 7)), ('bi,bj->bij', (3, 4), (3, 5)),
        ('i,j->ij', (3,), (5,)), ('i,i->', (13,), (13,)), ('ij,ij->', (3, 5), (3, 5)), ('ij,jk->ik', (9, 17), (17, 5)), ('ij,jk->ki', (3, 5), (5, 2)), ('ji,jk->ik', (5, 3), (5, 2)),
        ('bij,bjk->bik', (1, 2, 3), (1, 3, 4)), ('bshd,bthd->bhst', (2, 5, 3, 4), (2, 6, 3, 4)), ('bij,bj->bi', (2, 3, 4), (2, 4)), ('ij,jk->ik', (2, 0), (0, 3)), ('ij,jk->ik', (0, 2), (2, 3)),
        (',i->i', (), (3,)), ('i,i->i', (5,), (5,)), ('ij,->ij', (2, 3), ()),
    ]:
        case('contract', [real(*a), real(*b)], {'spec': spec}, lambda a, b: torch.einsum(spec, a, b))


def gathers():
    def scatter_add(i, u, size):
        tail = u.shape[i.dim():]
        return torch.zeros(size, *tail, dtype=u.dtype).index_add(0, i.reshape(-1).long(), u.reshape(i.numel(), *tail))

    for op in ['gather', 'embedding']:
        for table, index in [((5,), (3,)), ((5,), ()), ((7, 3), (4,)), ((7, 3), ()), ((7, 4), (2, 3)), ((1, 5), (3, 1)), ((5, 2, 3), (2, 2)), ((4, 3), (0,)), ((11, 13), (2, 0, 3)), ((3, 1), (17,))]:
            if op == 'embedding' and len(table) != 2:
                continue
            i, t = ints(*index, low=0, high=table[0]), real(*table)
            f = lambda t, i: t.index_select(0, i.reshape(-1).long()).reshape((*i.shape, *t.shape[1:]))
            case(op, [t, i] if op == 'gather' else [i, t], {}, f if op == 'gather' else lambda i, t: f(t, i))
    case('gather', [ints(5, 2), ints(3, low=0, high=5)], {}, lambda t, i: t[i.long()], grad=False)
    for shape, axis, n in [((7,), 0, 3), ((3, 5), 1, 2), ((3, 5), 0, 4), ((3, 5), -1, 1), ((2, 3, 4), 1, 5), ((2, 3, 4), 2, 1), ((2, 3), 1, 0)]:
        size = list(shape)
        size[axis] = n
        case('takeAlongAxis', [real(*shape), ints(*size, low=0, high=shape[axis])], {'axis': axis}, lambda x, i: x.gather(axis, i.long()))
    for index, tail, size in [((3,), (), 5), ((6,), (), 2), ((4,), (3,), 7), ((2, 3), (4,), 5), ((0,), (3,), 4), ((9,), (5,), 1), ((), (3,), 4), ((3,), (2, 2), 3)]:
        case('scatterAdd', [ints(*index, low=0, high=size), real(*index, *tail)], {'size': size}, lambda i, u: scatter_add(i, u, size))


# Layers -----------------------------------------------------------------------------------------------------------------

def layers():
    rows = [((1,), 0), ((7,), 0), ((3, 5), 1), ((3, 5), 0), ((3, 5), -1), ((2, 3, 4), 1), ((2, 1, 3, 9), -1), ((2, 1, 1), 1), ((5, 33), 1), ((0, 3), 1)]
    for op, f in {'softmax': torch.softmax, 'logSoftmax': torch.log_softmax, 'logSumExp': torch.logsumexp}.items():
        for shape, axis in rows:
            case(op, [real(*shape, low=-4, high=4)], {'axis': axis}, lambda x: f(x, axis))
        case(op, [reals([[1000, 1001, 999], [-1000, -1001, -999], [0, 200, -200]])], {'axis': 1}, lambda x: f(x, 1))
    masked = reals([[0.5, float('-inf'), 1.5], [float('-inf'), 2, float('-inf')]])
    case('softmax', [masked], {'axis': 1}, lambda x: torch.softmax(x, 1), grad=False)
    case('logSumExp', [masked], {'axis': 1}, lambda x: torch.logsumexp(x, 1), grad=False)

    def rms(x, g, eps):
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps) * g

    for shape, eps in [((5,), 1e-5), ((3, 7), 1e-12), ((2, 3, 8), 1e-5), ((2, 1, 3, 13), 1e-6), ((0, 4), 1e-5), ((4, 33), 1e-5), ((2, 2), 0.1)]:
        n = shape[-1]
        case('layerNorm', [real(*shape), real(n), real(n)], {'eps': eps}, lambda x, g, b: F.layer_norm(x, (n,), g, b, eps))
        case('rmsNorm', [real(*shape), real(n)], {'eps': eps}, lambda x, g: rms(x, g, eps))
    far_mean = real(3, 16).add(1000).float().double()
    case('layerNorm', [far_mean, real(16), real(16)], {'eps': 1e-5}, lambda x, g, b: F.layer_norm(x, (16,), g, b, 1e-5))
    for shape, out in [((3,), 2), ((1, 1), 1), ((2, 5), 3), ((2, 3, 7), 5), ((0, 4), 3), ((13, 17), 11), ((2, 1, 3, 4), 8)]:
        case('linear', [real(*shape), real(out, shape[-1]), real(out)], {}, F.linear)
    for n, c in [(1, 1), (1, 2), (3, 2), (5, 7), (17, 3), (4, 33)]:
        labels = ints(n, low=0, high=c)
        case('crossEntropy', [real(n, c, low=-4, high=4), labels], {}, lambda x, y: F.cross_entropy(x, y.long()))
        if n > 2:
            ignored = labels.clone()
            ignored[1::2] = -100
            case('crossEntropy', [real(n, c, low=-4, high=4), ignored], {}, lambda x, y: F.cross_entropy(x, y.long()))
    case('crossEntropy', [reals([[1000, 0], [-1000, 0], [0, 500]]), torch.tensor([1, 0, 1], dtype=torch.int32)], {}, lambda x, y: F.cross_entropy(x, y.long()))


for section in [elementwise, reductions, views, contractions, gathers, layers]:
    section()
write(root / 'packages/conformance/src/goldens/ops.json', '[\n' + ',\n'.join(cases) + '\n]\n')
print(f'{len(cases)} cases')

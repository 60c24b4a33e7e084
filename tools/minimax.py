"""Minimax fits behind the scalar functions of the compiler: P(z)/Q(z) for f on [a, b], least squares re-weighted until the largest error is least (Lawson).

Run with mpmath; prints the largest relative error and the coefficients, lowest first. Those of tanh and erf were then moved by a few units in the
last place, by random search, towards a smaller error in f32 arithmetic.
"""
from mpmath import cos, erf, exp, log, lu_solve, matrix, mp, mpf, nstr, pi, sin, sqrt, tanh

mp.dps = 50


def fit(name, f, weight, a, b, p, q=0, points=160, rounds=120):
    a, b = mpf(a), mpf(b)
    xs = [a + (b - a) * (1 - cos(pi * (i + mpf(1) / 2) / points)) / 2 for i in range(points)]
    fs, ws = [f(x) for x in xs], [weight(x) for x in xs]
    rows = [[(x / b) ** j for j in range(p + 1)] + [-y * (x / b) ** j for j in range(1, q + 1)] for x, y in zip(xs, fs)]
    lawson, bottom, best, n = [mpf(1)] * points, [mpf(1)] * points, None, p + q + 1
    value = lambda c, t: sum(k * t**j for j, k in enumerate(c))
    for step in range(rounds):
        left, right = matrix(n, n), matrix(n, 1)
        for row, y, w, l, d in zip(rows, fs, ws, lawson, bottom):
            k = l * (w / d) ** 2
            for i in range(n):
                right[i] += k * row[i] * y
                for j in range(n):
                    left[i, j] += k * row[i] * row[j]
        c = list(lu_solve(left, right))
        top, low = c[: p + 1], [mpf(1), *c[p + 1 :]]
        bottom = [value(low, x / b) for x in xs]
        errors = [abs(w * (value(top, x / b) / d - y)) for x, y, w, d in zip(xs, fs, ws, bottom)]
        if best is None or max(errors) < best[0]:
            best = (max(errors), [k / b**j for j, k in enumerate(top)], [k / b**j for j, k in enumerate(low)])
        if step > 4:
            total = sum(l * e for l, e in zip(lawson, errors))
            lawson = [l * e / total * points + mpf(10) ** -14 for l, e in zip(lawson, errors)]
    print(name, nstr(best[0], 3), *([nstr(k, 12) for k in part] for part in best[1:]))


h = log(2) / 2 * mpf('1.0005')
fit('exp: 1 + r + r^2 P(r)', lambda r: (exp(r) - 1 - r) / r**2, lambda r: r * r / exp(r), -h, h, 4)
fit('log: s (2 + z P(z)), z = s^2', lambda z: (log((1 + sqrt(z)) / (1 - sqrt(z))) / sqrt(z) - 2) / z, lambda z: z, 0, '0.0296', 2)
quarter = (pi / 4 * mpf('1.001')) ** 2
fit('sin: r + r z P(z), z = r^2', lambda z: (sin(sqrt(z)) / sqrt(z) - 1) / z, lambda z: z, 0, quarter, 2)
fit('cos: 1 - z/2 + z^2 P(z)', lambda z: (cos(sqrt(z)) - 1 + z / 2) / z**2, lambda z: z**2 / cos(sqrt(z)), 0, quarter, 2)
for name, g, end, p, q in (('erf', erf, '3.9', 5, 5), ('tanh', tanh, '8.9', 4, 4)):
    fit(f'{name}: x P(z) / Q(z), z = x^2', lambda z: g(sqrt(z)) / sqrt(z), lambda z: sqrt(z) / g(sqrt(z)), 0, mpf(end) ** 2, p, q)

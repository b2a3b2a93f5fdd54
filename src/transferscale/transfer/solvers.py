"""Ridge and logistic regression in the dual, many problems at once.

With a centred kernel K over training rows, a read-out is f = K a + b with an unpenalised intercept b, and the
squared norm of its weights is a' K a: exactly scikit-learn's ``Ridge(alpha=penalty)`` and
``LogisticRegression(C=1 / penalty)`` on features whose inner products are K.
"""

import numpy as np
import numpy.typing as npt

Real = npt.NDArray[np.float64]

# Newton's method on a strictly convex loss; it needs 5 to 10 steps here.
NEWTON_STEPS = 50
TOLERANCE = 1e-8


def ridge(kernel: Real, target: Real, real: Real, penalty: Real) -> tuple[Real, Real]:
    """Least squares with an L2 penalty.

    Parameters
    ----------
    kernel
        Centred kernels (problems, rows, rows); zero in padded rows.
    target
        Targets (problems, rows, outputs).
    real
        1 for a row, 0 for padding (problems, rows).
    penalty
        Penalty of each problem (problems,).

    Returns
    -------
    dual : (problems, rows, outputs)
        Zero in padded rows.
    intercept : (problems, outputs)
        The mean training target, because the kernel is centred.
    """
    count = real.sum(axis=1)
    intercept = np.einsum("gn,gnk->gk", real, target) / count[:, None]
    centred = (target - intercept[:, None, :]) * real[:, :, None]
    system, place = kernel.copy(), np.arange(kernel.shape[1])
    system[:, place, place] += penalty[:, None]
    return np.linalg.solve(system, centred), intercept


def balanced(positive: npt.NDArray[np.bool_], real: Real) -> Real:
    """Weight of each row so that both classes weigh half of the rows: n / (2 n_class); zero for padding.

    Parameters
    ----------
    positive, real
        (problems, rows).
    """
    yes = real * positive
    no = real - yes
    half = real.sum(axis=1, keepdims=True) / 2
    weight: Real = half * (
        yes / np.maximum(yes.sum(axis=1, keepdims=True), 1)
        + no / np.maximum(no.sum(axis=1, keepdims=True), 1)
    )
    return weight


def logistic(kernel: Real, positive: npt.NDArray[np.bool_], weight: Real, penalty: Real) -> tuple[Real, Real]:
    """Weighted logistic regression with an L2 penalty, by Newton's method; steps that overshoot are halved.

    Minimises sum_i weight_i log(1 + exp(-s_i f_i)) + penalty / 2 a' K a over a and the intercept, s = +-1.

    Parameters
    ----------
    kernel
        Centred kernels (problems, rows, rows); zero in padded rows.
    positive
        Whether a row is of the positive class (problems, rows).
    weight
        Weight of each row, zero for padding (problems, rows); see :func:`balanced`.
    penalty
        Penalty of each problem (problems,).

    Returns
    -------
    dual : (problems, rows)
        Zero in padded rows.
    intercept : (problems,)
        Zero where a problem has one class only: nothing can be learnt there, and the dual is zero too.
    """
    problems, rows = positive.shape
    sign = np.where(positive, 1.0, -1.0)
    scaled = kernel / penalty[:, None, None]
    solvable = ((weight * positive).sum(axis=1) > 0) & ((weight * ~positive).sum(axis=1) > 0)
    dual, intercept = np.zeros((problems, rows)), np.zeros(problems)
    # Scaled dual: f = scaled @ dual + intercept, penalty term dual' scaled dual / 2.
    active = np.flatnonzero(solvable)
    identity = np.eye(rows)
    for _ in range(NEWTON_STEPS):
        if not len(active):
            break
        k, s, w = scaled[active], sign[active], weight[active]
        a, b = dual[active], intercept[active]
        fitted = np.einsum("gij,gj->gi", k, a)
        f = fitted + b[:, None]
        p = _sigmoid(-s * f)
        gradient = w * s * p
        curvature = np.where(w > 0, np.maximum(w * p * (1 - p), 1e-10), 0)
        root = np.sqrt(curvature)
        inverse = np.divide(1, root, out=np.zeros_like(root), where=root > 0)
        # (K + W^-1)^-1 = W^1/2 (I + W^1/2 K W^1/2)^-1 W^1/2 (Rasmussen & Williams 2006, 3.27), well
        # conditioned.
        system = identity + root[:, :, None] * k * root[:, None, :]
        working = np.stack([root * f + inverse * gradient, root], axis=2)
        solution = root[:, :, None] * np.linalg.solve(system, working)
        new_b = solution[:, :, 0].sum(axis=1) / solution[:, :, 1].sum(axis=1)
        step_a = solution[:, :, 0] - new_b[:, None] * solution[:, :, 1] - a
        step_b = new_b - b
        size = _step(k, s, w, a, b, fitted, step_a, step_b)
        dual[active] = a + size[:, None] * step_a
        intercept[active] = b + size * step_b
        moved = np.abs(np.einsum("gij,gj->gi", k, step_a) + step_b[:, None]) * (w > 0)
        active = active[moved.max(axis=1) * size > TOLERANCE]
    # Rounding must not rank the folds of a read-out without features.
    intercept[np.abs(intercept) < 1e-10] = 0
    return dual / penalty[:, None], intercept


def _step(k: Real, s: Real, w: Real, a: Real, b: Real, fitted: Real, step_a: Real, step_b: Real) -> Real:
    """Largest step of 1, 1/2, 1/4 ... that does not raise the objective."""
    change = np.einsum("gij,gj->gi", k, step_a)
    quadratic = [np.einsum("gi,gi->g", u, v) for u, v in ((a, fitted), (step_a, fitted), (step_a, change))]

    def objective(size: Real) -> Real:
        f = fitted + b[:, None] + size[:, None] * (change + step_b[:, None])
        penalty = quadratic[0] + 2 * size * quadratic[1] + size**2 * quadratic[2]
        loss: Real = (w * np.logaddexp(0, -s * f)).sum(axis=1) + penalty / 2
        return loss

    size = np.ones(len(a))
    start = objective(np.zeros(len(a)))
    for _ in range(20):
        worse = objective(size) > start + 1e-12 * np.abs(start) + 1e-12
        if not worse.any():
            break
        size[worse] /= 2
    return size


def _sigmoid(x: Real) -> Real:
    value: Real = np.exp(-np.logaddexp(0, -x))
    return value

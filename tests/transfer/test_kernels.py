"""Kernels know the training rows and nothing else."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from transferscale.transfer.kernels import kernels, stack


def gram(x: np.ndarray) -> np.ndarray:
    return (x @ x.T).astype(np.float32)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), shift=st.floats(-3, 3), scale=st.floats(0.5, 2))
def test_shifting_and_scaling_the_features_change_nothing(seed: int, shift: float, scale: float) -> None:
    x = np.random.default_rng(seed).standard_normal((12, 5))
    problems = stack([np.arange(8)], [np.arange(8, 12)])
    before, after = kernels([gram(x)], problems), kernels([gram(scale * (x + shift))], problems)
    for one, other in zip(before, after, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_test_rows_do_not_touch_the_training_kernel(seed: int) -> None:
    random = np.random.default_rng(seed)
    x = random.standard_normal((12, 5))
    problems = stack([np.arange(8)], [np.arange(8, 12)])
    before, _ = kernels([gram(x)], problems)
    x[8:] = 100 * random.standard_normal((4, 5))
    after, _ = kernels([gram(x)], problems)
    np.testing.assert_array_equal(before, after)


def test_blocks_weigh_alike_and_a_constant_block_counts_for_nothing() -> None:
    random = np.random.default_rng(0)
    small, large = random.standard_normal((10, 3)), 1000 * random.standard_normal((10, 3))
    problems = stack([np.arange(8)], [np.arange(8, 10)])
    one, _ = kernels([gram(small)], problems)
    two, _ = kernels([gram(large)], problems)
    both, _ = kernels([gram(small), gram(large), np.zeros((10, 10), np.float32)], problems)
    np.testing.assert_allclose(both, (one + two) / 2, atol=1e-6)
    np.testing.assert_allclose(np.einsum("gii->g", both) / 8, 1)

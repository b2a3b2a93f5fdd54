"""Mean, SD and covariance of window features are what their names say, in numpy and in torch."""

import numpy as np
import torch

from transferscale.transfer.aggregate import covariances, membership, moments, shares
from transferscale.transfer.features import covariance_products

OWNER = np.array([0, 1, 0, 2, 1, 0])


def windows() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((6, 5, 4)).astype(np.float32) + 2


def test_moments_are_those_of_each_subject_alone() -> None:
    x, member = windows(), membership(OWNER, 3)
    mean, sd, deviation = moments(x, member)
    covariance = covariances(deviation, member)
    for subject in range(3):
        mine = x[subject == OWNER]
        np.testing.assert_allclose(mean[subject], mine.mean(0).ravel(), rtol=1e-5)
        np.testing.assert_allclose(sd[subject], np.sqrt(mine.var(0).ravel() + 1e-6), rtol=1e-4)
        wanted = np.cov(mine.reshape(-1, 4).T, bias=True)
        np.testing.assert_allclose(covariance[subject].reshape(4, 4), wanted, atol=1e-5)


def test_torch_and_numpy_agree() -> None:
    x, member = windows(), membership(OWNER, 3)
    ours = moments(torch.from_numpy(x), torch.from_numpy(member))
    for one, other in zip(ours, moments(x, member), strict=True):
        np.testing.assert_allclose(one.numpy(), other, atol=1e-6)


def test_products_of_covariances_are_had_without_the_covariances() -> None:
    member = membership(OWNER, 3)
    deviation = moments(windows(), member)[2]
    share = shares(member)
    products = covariance_products(torch.from_numpy(deviation), block=4).numpy()
    covariance = covariances(deviation, member)
    np.testing.assert_allclose(share @ products @ share.T, covariance @ covariance.T, rtol=1e-4)


def test_a_constant_feature_has_a_finite_gradient() -> None:
    x = torch.zeros(4, 2, 3, requires_grad=True)
    mean, sd, _ = moments(x, torch.from_numpy(membership(np.array([0, 0, 1, 1]), 2)))
    (mean.sum() + sd.sum()).backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()

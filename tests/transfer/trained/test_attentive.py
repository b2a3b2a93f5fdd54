"""Attention pooling: what it computes, and that it finds what was planted for it."""

import numpy as np
import torch

from transferscale.transfer.aggregate import membership
from transferscale.transfer.trained.attentive import AttentiveHead, pool
from transferscale.transfer.trained.optimiser import Optimiser, Plan


def test_a_subject_is_one_softmax_over_all_tokens_of_all_its_windows() -> None:
    source = torch.Generator().manual_seed(0)
    queries, tokens = torch.randn(3, 5, generator=source), 2 * torch.randn(7, 4, 5, generator=source)
    owner = np.array([0, 1, 0, 1, 1, 2, 1])
    pooled = pool(queries, tokens, torch.from_numpy(membership(owner, 3)))
    for subject in range(3):
        own = torch.nn.functional.layer_norm(tokens[owner == subject].flatten(0, 1), (5,))
        weights = (queries @ own.T / 5**0.5).softmax(-1)
        torch.testing.assert_close(pooled[subject], weights @ own)
    torch.testing.assert_close(pool(queries, tokens, None)[5], pooled[2])


def marked(subjects: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """One token of one of two windows of a subject bears a mark and the subject's sign; the others' signs are noise."""
    random = np.random.default_rng(seed)
    tokens = 0.3 * random.standard_normal((2 * subjects, 12, 24))
    tokens[:, :, 0] += random.choice([-2.0, 2.0], (2 * subjects, 12))
    sign = random.choice([-1.0, 1.0], subjects)
    for subject in range(subjects):
        window, token = 2 * subject + random.integers(2), random.integers(12)
        tokens[window, token, 0] = 2 * sign[subject]
        tokens[window, token, 1] += 2
    return torch.from_numpy(tokens.reshape(2 * subjects, 3, 96)).float(), torch.from_numpy(sign > 0)[
        :, None
    ].float()


def test_queries_learn_to_look_at_the_token_that_tells() -> None:
    (train, target), (test, truth) = marked(96, 0), marked(96, 1)
    member = torch.from_numpy(membership(np.repeat(np.arange(96), 2), 96))
    queries = torch.randn(16, 24, generator=torch.Generator().manual_seed(2))
    head = AttentiveHead("classification", train, member, target, 1.0, queries)

    def accuracy() -> float:
        with torch.no_grad():
            return float(((head(test, member) > 0) == (truth > 0)).float().mean())

    before, plan = accuracy(), Plan(2e-2, 120, 120)
    optimiser = Optimiser(head.groups(plan.learning_rate))
    for step in range(plan.steps):
        torch.autograd.backward(head.objective(head(train, member), target))
        optimiser.step(plan.factor(step))
    assert before < 0.75
    assert accuracy() > 0.9

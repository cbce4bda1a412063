import math

import pytest
import pytorch_optimizer
import torch

from icsilib.segmentation.optim import DiffGrad

GRADIENTS = [0.5, 0.5, -1.5, 2.0]


def published_rule(gradients, lr, beta1=0.9, beta2=0.999, epsilon=1e-8):
    """θ after each step from 1, by Dubey et al.'s equations, in plain numbers."""
    theta, m, v, previous = 1.0, 0.0, 0.0, 0.0
    for t, g in enumerate(gradients, start=1):
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g
        xi = 1 / (1 + math.exp(-abs(previous - g)))
        theta -= lr * math.sqrt(1 - beta2**t) / (1 - beta1**t) * xi * m / (math.sqrt(v) + epsilon)
        previous = g
        yield theta


def run(gradients, make, **settings):
    """θ from 1 and the optimiser, after each step."""
    theta = torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float64))
    optimizer = make([theta], **settings)
    for g in gradients:
        theta.grad = torch.tensor([g], dtype=torch.float64)
        optimizer.step()
        yield theta.item(), optimizer


def test_first_step_by_hand():
    # m = .1g, v = .001g²; the corrections cancel those factors, so the step is lr·ξ with ξ = sigmoid(|0 - 0.5|).
    theta, optimizer = next(run([0.5], DiffGrad, lr=0.1))
    assert optimizer.friction.item() == pytest.approx(0.62246, abs=1e-5)
    assert theta == pytest.approx(1 - 0.1 * 0.62246, abs=1e-5)


def test_published_rule_holds_over_a_sequence():
    thetas = [theta for theta, _ in run(GRADIENTS, DiffGrad, lr=0.01)]
    assert thetas == pytest.approx(list(published_rule(GRADIENTS, 0.01)), abs=1e-12)


def test_the_previous_gradient_is_a_copy_as_in_the_second_release():
    frictions = [optimizer.friction.item() for _, optimizer in run(GRADIENTS, DiffGrad, lr=0.01)]
    assert frictions[1] == 0.5  # the same gradient twice
    assert frictions[2] == pytest.approx(1 / (1 + math.exp(-2)))  # by reference it would be 0.5 again


def test_why_the_packaged_diffgrad_is_not_used():
    def packaged(gradients):
        return [theta for theta, _ in run(gradients, pytorch_optimizer.DiffGrad, lr=0.01)]

    assert packaged(GRADIENTS) == pytest.approx(list(published_rule(GRADIENTS, 0.01)))
    tiny = [1e-8]
    (ours, _), published = next(run(tiny, DiffGrad, lr=0.01)), next(published_rule(tiny, 0.01))
    assert 1 - ours == pytest.approx(1 - published, rel=1e-6)
    assert 1 - packaged(tiny)[0] < 0.5 * (1 - published)  # 1e-15 under the root holds it back


def test_weight_decay_is_coupled_to_the_gradient():
    theta, _ = next(run([0.0], DiffGrad, lr=0.1, weight_decay=0.5))  # g = 0 + 0.5·1
    assert theta == pytest.approx(1 - 0.1 * 0.62246, abs=1e-5)

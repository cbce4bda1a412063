"""diffGrad (Dubey et al. 2019, arXiv:1909.11015), the optimiser of paper A, §2.3.

    m_t = β1·m_{t-1} + (1 - β1)·g_t,   v_t = β2·v_{t-1} + (1 - β2)·g_t²       as in Adam
    ξ_t = 1 / (1 + exp(-|g_{t-1} - g_t|)),   g_0 = 0                         friction, in [0.5, 1)
    θ_t = θ_{t-1} - lr · √(1 - β2^t) / (1 - β1^t) · ξ_t · m_t / (√v_t + ε)

Written here because `pytorch_optimizer.DiffGrad` 4.1 departs from this rule: it adds 1e-15 under the root, which for
ε = 1e-8 outweighs ε itself and slows every parameter whose gradients are below about 1e-7 (the tests compare both).
Like the authors' second release, and unlike their first, the previous gradient is kept as a *copy*: kept by
reference, g_{t-1} is g_t, and ξ stays 0.5 from the second step on.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer


class DiffGrad(Optimizer):
    """diffGrad with the published β = (0.9, 0.999) and ε = 1e-8; weight decay, when given, is L2 on the gradient.

    After a step, `friction` is the mean of ξ over all parameters. Where gradients hardly change it is about 0.5,
    which makes diffGrad Adam at half its learning rate.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})
        self.friction = torch.zeros(())

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One update of every parameter that has a gradient."""
        with torch.enable_grad():
            loss = None if closure is None else closure()
        total, count = torch.zeros(()), 0
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    xi = self._update(parameter, group)
                    total, count = total.to(xi.device) + xi.sum(), count + xi.numel()
        self.friction = total / max(count, 1)
        return loss

    def _update(self, theta: Tensor, group: dict[str, Any]) -> Tensor:
        """Move one parameter and return its ξ."""
        assert theta.grad is not None
        g = theta.grad if not group["weight_decay"] else theta.grad + group["weight_decay"] * theta
        state = self.state[theta]
        if not state:
            state.update(step=0, m=torch.zeros_like(g), v=torch.zeros_like(g), previous=torch.zeros_like(g))
        state["step"] += 1
        (beta1, beta2), t = group["betas"], state["step"]
        m, v = state["m"].lerp_(g, 1 - beta1), state["v"].mul_(beta2).addcmul_(g, g, value=1 - beta2)
        xi = (state["previous"] - g).abs_().sigmoid_()
        rate = group["lr"] * math.sqrt(1 - beta2**t) / (1 - beta1**t)
        theta.addcdiv_(xi * m, v.sqrt().add_(group["eps"]), value=-rate)
        state["previous"].copy_(g)
        return xi

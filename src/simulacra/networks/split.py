"""One small network that says how any box shares its energy between its two halves."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

KINDS = 3
"""Both halves get something, only the near one, only the far one."""


class SplitNetwork(nn.Module):
    """P(both | near only | far only) and a mixture of logistics for logit(near share), for any split of a tree.

    Where a split sits, what the event is told, and the energies around the box enter through one linear map each:

        h = silu(W_p place_s + W_t told_b + W_l local),   h <- h + silu(W norm(h)) `depth` times,   out = W_o h

    The first two maps do not depend on the pair (split, event), so `places` and `tell` compute them once for all;
    the numbers that describe a place are the fixed ones and a few that are learnt.

    Args:
        static: [S, F] where each split sits.
        told: numbers that an event is told.
        local: numbers that a box sees around itself.
        hidden: width.
        depth: residual blocks.
        mixture: logistics in the mixture.
        learned: numbers learnt for each split.

    Example:
        >>> network = SplitNetwork(torch.zeros(7, 4), told=2, local=9)
        >>> split, event = torch.tensor([0, 6]), torch.tensor([0, 0])
        >>> network(network.places()[split] + network.tell(torch.zeros(1, 2))[event], torch.zeros(2, 9)).shape
        torch.Size([15, 2])
    """

    static: Tensor

    def __init__(
        self,
        static: Tensor,
        told: int,
        local: int,
        hidden: int = 96,
        depth: int = 2,
        mixture: int = 4,
        learned: int = 8,
    ) -> None:
        super().__init__()
        self.mixture = mixture
        self.register_buffer("static", static, persistent=False)
        self.learned = nn.Parameter(0.1 * torch.randn(len(static), learned))
        self.place = nn.Linear(static.shape[1] + learned, hidden)
        self.told = nn.Linear(told, hidden, bias=False)
        self.local = nn.Linear(local, hidden, bias=False)
        self.norms = nn.ModuleList(nn.LayerNorm(hidden) for _ in range(depth))
        self.blocks = nn.ModuleList(nn.Linear(hidden, hidden) for _ in range(depth))
        self.exit = nn.Linear(hidden, KINDS + 3 * mixture)
        nn.init.normal_(self.exit.weight, std=1e-3)
        nn.init.zeros_(self.exit.bias)
        with torch.no_grad():
            self.exit.bias[KINDS + mixture : KINDS + 2 * mixture] = torch.linspace(-2, 2, mixture)

    def places(self) -> Tensor:
        """What each split adds to the first layer: [S, hidden]."""
        return self.place(torch.cat([self.static, self.learned], 1))

    def tell(self, told: Tensor) -> Tensor:
        """What each event adds to the first layer: [B, told] -> [B, hidden]."""
        return self.told(told)

    def forward(self, before: Tensor, local: Tensor) -> Tensor:
        """before [N, hidden] and local [N, local] -> numbers of N shares, [3 + 3 mixture, N]: rows lie together."""
        free = not torch.is_grad_enabled()
        h = functional.silu(torch.addmm(before, local, self.local.weight.T), inplace=free)
        for norm, block in zip(self.norms, self.blocks, strict=True):
            h = h + functional.silu(block(norm(h)), inplace=free)
        return torch.addmm(self.exit.bias[:, None], self.exit.weight, h.T)

    def log_prob(self, out: Tensor, near: Tensor, far: Tensor) -> Tensor:
        """log of P(kind), and where both get something of the density of ln(near / far): [N]."""
        kind, weight, mean, scale = self._parts(out)
        both = (near > 0) & (far > 0)
        which = torch.where(both, 0, torch.where(near > 0, 1, 2))
        chosen = kind.log_softmax(0).gather(0, which[None])[0]
        z = torch.where(both, near, 1.0).log() - torch.where(both, far, 1.0).log()
        u = (z - mean) * torch.exp(-scale)
        logistic = weight.log_softmax(0) - u - 2 * functional.softplus(-u) - scale
        return chosen + torch.where(both, logistic.logsumexp(0), 0.0)

    def draw(self, out: Tensor, energy: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        """Energies of the near and of the far half of boxes with `energy` [N], from uniform draws u [3, N]."""
        kind, weight, mean, scale = self._parts(out)
        both, only = kind.softmax(0).cumsum(0)[:2]
        edges = weight.softmax(0).cumsum(0)[:-1]
        which = (u[1] > edges).sum(0, keepdim=True)
        z = torch.logit(u[2], eps=1e-7).mul_(scale.gather(0, which)[0].exp_()).add_(mean.gather(0, which)[0])
        near_only, far_only = (u[0] >= both) & (u[0] < only), u[0] >= only
        near = torch.where(near_only, energy, energy * torch.sigmoid(z)).masked_fill_(far_only, 0.0)
        far = torch.where(far_only, energy, energy * torch.sigmoid(-z)).masked_fill_(near_only, 0.0)
        return near, far

    def _parts(self, out: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        kind, weight, mean, scale = out.split([KINDS, self.mixture, self.mixture, self.mixture])
        return kind, weight, mean, scale.clamp(-6, 3)

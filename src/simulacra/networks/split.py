"""One small network that says how any box shares its energy between two halves."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class SplitNetwork(nn.Module):
    def __init__(self, static: Tensor, context: tuple[int, int], dynamic: int, hidden: int = 96, depth: int = 2, learned: int = 8, mixture: int = 4):
        super().__init__()
        self.mixture = mixture
        self.register_buffer("static", static, persistent=False)
        self.embed = nn.Parameter(torch.randn(len(static), learned) * 0.1)
        self.place = nn.Linear(static.shape[1] + learned, hidden)
        self.told = nn.Linear(context[0] + context[1], hidden, bias=False)
        self.split_at = context[0]
        self.local = nn.Linear(dynamic, hidden, bias=False)
        self.blocks = nn.ModuleList(nn.Sequential(nn.LayerNorm(hidden), nn.Linear(hidden, hidden), nn.SiLU()) for _ in range(depth))
        self.head = nn.Linear(hidden, 3 + 3 * mixture)
        nn.init.zeros_(self.head.weight)
        with torch.no_grad():
            self.head.bias.zero_()
            self.head.bias[3 + mixture : 3 + 2 * mixture] = torch.linspace(-2, 2, mixture)

    def forward(self, split, ctx, dyn):
        place = self.place(torch.cat([self.static, self.embed], 1))
        h = functional.silu(place[split] + self.told(ctx) + self.local(dyn))
        for block in self.blocks:
            h = h + block(h)
        return self.head(h)

    def cache(self):
        return self.place(torch.cat([self.static, self.embed], 1))

    def context(self, c, part):
        w = self.told.weight
        w = w[:, : self.split_at] if part == 0 else w[:, self.split_at :]
        return c @ w.T

    def fast(self, cache, split, c, b, dyn):
        h = torch.addmm(cache.index_select(0, split), dyn, self.local.weight.T)
        h += c.index_select(0, b)
        h = functional.silu(h, inplace=True)
        for norm, linear, _ in self.blocks:
            h += functional.silu(linear(norm(h)), inplace=True)
        return self.head(h)

    def log_prob(self, out, near, far):
        """in logit of near share."""
        kind, w, mu, scale = out.split([3, self.mixture, self.mixture, self.mixture], 1)
        both = (near > 0) & (far > 0)
        which = torch.where(both, 0, torch.where(near > 0, 1, 2))
        lp = kind.log_softmax(1).gather(1, which[:, None])[:, 0]
        z = torch.where(both, near, 1.0).log() - torch.where(both, far, 1.0).log()
        scale = scale.clamp(-6, 3)
        t = (z[:, None] - mu) * torch.exp(-scale)
        comp = w.log_softmax(1) - t - 2 * functional.softplus(-t) - scale
        return lp + torch.where(both, comp.logsumexp(1), 0.0)

    def draw(self, out, energy):
        k = self.mixture
        n = len(out)
        u = torch.rand(3, n)
        p = out[:, :3].softmax(1)
        u0 = u[0]
        pick = out[:, 3 : 3 + k].softmax(1).cumsum(1)
        which = (u[1][:, None] > pick[:, :-1]).sum(1, keepdim=True)
        mu = out[:, 3 + k : 3 + 2 * k].gather(1, which)[:, 0]
        sc = out[:, 3 + 2 * k :].gather(1, which)[:, 0].clamp(-6, 3).exp()
        z = mu + sc * torch.logit(u[2], eps=1e-7)
        near = energy * torch.sigmoid(z)
        far = energy * torch.sigmoid(-z)
        only_near = (u0 >= p[:, 0]) & (u0 < p[:, 0] + p[:, 1])
        only_far = u0 >= p[:, 0] + p[:, 1]
        near = torch.where(only_near, energy, near).masked_fill_(only_far, 0)
        far = torch.where(only_far, energy, far).masked_fill_(only_near, 0)
        return near, far

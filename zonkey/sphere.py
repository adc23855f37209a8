"""The sphere on which all compressed vectors and all noise live.

Shapes: S segments, D width of a vector. Source: paper, "Compressor" and "DDMM"; geodesic form: flow objective.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

SAME = 0.98  # cosine above which two vectors count as the same unit: those of "in" and "is" have 0.90


def radius(dim: int) -> float:
    """E||N(0, I)|| in ``dim`` dimensions: the norm that noise has, so that data has it too."""
    return math.sqrt(2) * math.exp(math.lgamma((dim + 1) / 2) - math.lgamma(dim / 2))


def to_sphere(x: Float[Tensor, "*shape D"]) -> Float[Tensor, "*shape D"]:
    """Scale every vector to :func:`radius` of its dimension, in float32."""
    return torch.nn.functional.normalize(x.float(), dim=-1, eps=1e-6) * radius(x.shape[-1])


def sphere_noise(
    shape: tuple[int, ...], generator: torch.Generator | None, device: torch.device | None = None
) -> Float[Tensor, "*shape"]:
    """Vectors uniform on the sphere; the last entry of ``shape`` is the dimension."""
    return to_sphere(torch.randn(shape, generator=generator, device=device))


def mix(z: Float[Tensor, "S D"], noise: Float[Tensor, "S D"], t: Float[Tensor, " S"]) -> Float[Tensor, "S D"]:
    """z_t = sphere(sqrt(t) noise + sqrt(1 - t) z) (paper, DDMM noising)."""
    t = t[:, None]
    return to_sphere(t.sqrt() * noise + (1 - t).clamp(min=0).sqrt() * z)


def geodesic(z: Float[Tensor, "S D"], end: Float[Tensor, "S D"], t: Float[Tensor, " S"]) -> Float[Tensor, "S D"]:
    """The point a fraction ``t`` of the way from ``z`` to ``end`` along the great circle (flow objective)."""
    a, b = (torch.nn.functional.normalize(v.float(), dim=-1, eps=1e-6) for v in (z, end))
    cos = (a * b).sum(-1, keepdim=True).clamp(-1 + 1e-6, 1 - 1e-6)
    angle = torch.acos(cos)
    t = t[:, None]
    point = torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b
    return to_sphere(point / torch.sin(angle))


def renew(old: Float[Tensor, "S D"], fresh: Float[Tensor, "S D"], part: float) -> Float[Tensor, "S D"]:
    """A vector of which ``part`` of the variance is fresh (paper, sampling)."""
    return to_sphere((1 - part) ** 0.5 * old + part**0.5 * fresh)


PATHS = {"flow": geodesic, "ddmm": mix}  # from data to noise, by objective

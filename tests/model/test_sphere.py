"""Norms, noise and paths on the sphere."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.model.build import random
from zonkey.runtime import generator
from zonkey.sphere import geodesic, mix, radius, renew, sphere_noise, to_sphere

dims = st.integers(2, 64)
seeds = st.integers(0, 2**31)


@pytest.mark.parametrize("dim", [1, 2, 3, 16, 64])
def test_radius_is_the_mean_norm_of_noise(dim: int) -> None:
    norms = torch.randn(40_000, dim, generator=random()).norm(dim=1)
    error = norms.std() / math.sqrt(len(norms))
    assert abs(norms.mean() - radius(dim)) < 5 * error
    assert math.sqrt(dim - 0.5) * 0.99 < radius(dim) < math.sqrt(dim) or dim == 1


def test_radius_of_a_line_is_the_mean_absolute_value() -> None:
    assert radius(1) == pytest.approx(math.sqrt(2 / math.pi))


@given(dims, seeds, st.floats(1e-3, 1e3))
def test_to_sphere_keeps_the_direction_and_sets_the_norm(dim: int, seed: int, scale: float) -> None:
    x = scale * torch.randn(5, dim, generator=random(seed))
    out = to_sphere(x)
    torch.testing.assert_close(out.norm(dim=1), torch.full((5,), radius(dim)))
    torch.testing.assert_close(torch.cosine_similarity(x, out), torch.ones(5))


def test_to_sphere_of_zero_is_finite_with_finite_gradient() -> None:
    x = torch.zeros(2, 4, requires_grad=True)
    to_sphere(x).sum().backward()
    assert to_sphere(x).isfinite().all() and x.grad is not None and x.grad.isfinite().all()


@given(dims, seeds)
def test_paths_begin_at_the_data_and_end_in_noise(dim: int, seed: int) -> None:
    z, noise = sphere_noise((4, dim), random(seed)), sphere_noise((4, dim), random(seed + 1))
    for path in (mix, geodesic):
        torch.testing.assert_close(path(z, noise, torch.zeros(4)), z, atol=2e-3, rtol=1e-3)
        torch.testing.assert_close(path(z, noise, torch.ones(4)), noise, atol=2e-3, rtol=1e-3)


@given(dims, seeds, st.floats(0, 1))
def test_paths_stay_on_the_sphere(dim: int, seed: int, t: float) -> None:
    z, noise = sphere_noise((6, dim), random(seed)), sphere_noise((6, dim), random(seed + 1))
    for path in (mix, geodesic):
        torch.testing.assert_close(path(z, noise, torch.full((6,), t)).norm(dim=1), torch.full((6,), radius(dim)))


@given(st.integers(4, 64), seeds, st.floats(0.05, 0.95))
def test_geodesic_divides_the_angle_as_asked(dim: int, seed: int, t: float) -> None:
    z, end = sphere_noise((6, dim), random(seed)), sphere_noise((6, dim), random(seed + 1))
    angle = torch.acos(torch.cosine_similarity(z, end))
    gone = torch.acos(torch.cosine_similarity(z, geodesic(z, end, torch.full((6,), t))).clamp(-1, 1))
    torch.testing.assert_close(gone, t * angle, atol=5e-3, rtol=5e-3)


def test_mix_weighs_variances() -> None:
    z, noise = torch.tensor([[math.sqrt(2.0), 0.0]]), torch.tensor([[0.0, math.sqrt(2.0)]])
    out = mix(z, noise, torch.tensor([0.25]))
    assert float(out[0, 1] / out[0, 0]) == pytest.approx(math.sqrt(0.25 / 0.75), rel=1e-5)


@given(dims, seeds)
def test_renewed_noise_keeps_what_it_is_told_to(dim: int, seed: int) -> None:
    old, fresh = sphere_noise((4, dim), random(seed)), sphere_noise((4, dim), random(seed + 1))
    for part, want in ((0.0, old), (1.0, fresh)):
        torch.testing.assert_close(renew(old, fresh, part), want)
    torch.testing.assert_close(renew(old, fresh, 0.3).norm(dim=1), torch.full((4,), radius(dim)))


def test_renewal_weighs_variances() -> None:
    old, fresh = torch.tensor([[math.sqrt(2.0), 0.0]]), torch.tensor([[0.0, math.sqrt(2.0)]])
    out = renew(old, fresh, 0.25)
    assert float(out[0, 1] / out[0, 0]) == pytest.approx(math.sqrt(0.25 / 0.75), rel=1e-5)


def test_paths_between_equal_and_opposite_points_are_finite() -> None:
    z = sphere_noise((3, 8), random())
    for end in (z, -z):
        for path in (mix, geodesic):
            assert path(z, end, torch.full((3,), 0.5)).isfinite().all()
    torch.testing.assert_close(geodesic(z, z, torch.full((3,), 0.5)), z)


def test_noise_follows_its_generator_and_has_no_direction() -> None:
    first, again, other = (sphere_noise((2000, 8), random(seed)) for seed in (3, 3, 4))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert first.mean(dim=0).norm() < 5 * radius(8) / math.sqrt(2000)


def test_generators_of_different_numbers_differ() -> None:
    draws = [torch.rand(4, generator=generator(*seed)) for seed in ((0,), (1,), (0, 1), (1, 0), (-1,))]
    assert all(not torch.equal(a, b) for i, a in enumerate(draws) for b in draws[:i])
    assert torch.equal(draws[2], torch.rand(4, generator=generator(0, 1)))

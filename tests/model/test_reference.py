"""Losses of a few steps as they were before work on speed: what computes faster has to compute the same."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

from tests.model.build import bytes_batch, losses, model, random

STEPS = 6
RATE = 0.03  # of plain descent: Muon and Adam turn the rounding of a small gradient into a step of full size
REFERENCE = Path(__file__).with_name("reference.json")
TEXTS = [
    "The Elkel is a short river in southern Denmark. It has a length of 44 kilometres.",
    "A castle stands in the valley; its oldest part is a tower of the year 1291.",
    "The village has 300 inhabitants, a school and two churches.",
    "Ein Fluß fließt zum Meer, 바다로 간다, and the rain comes back in winter.",
]
KINDS = {
    "flow": {"objective": "flow"},
    "ddmm": {"objective": "ddmm"},
    "places": {"objective": "flow", "locality": 1.0, "splitter_sees": "both"},
    "sequential": {"objective": "flow", "decompressor": "sequential"},
}

pytestmark = pytest.mark.usefixtures("unchecked")


def curve(kind: str) -> list[float]:
    """The loss of every step of joint training in float32: begins, noise and masks are drawn from the seed."""
    built = model(2, **KINDS[kind])
    optimizer = torch.optim.SGD(built.parameters(), lr=RATE)
    tokens, lengths = bytes_batch(TEXTS)
    found = []
    for step in range(STEPS):
        loss = built(tokens, lengths, losses(), random(step)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(built.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        found.append(float(loss.detach()))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_curve_is_the_one_from_before(kind: str) -> None:
    want = json.loads(REFERENCE.read_text(encoding="utf-8"))[kind]
    assert curve(kind) == pytest.approx(
        want, rel=1e-3
    )  # near a cosine of 1 logits make rounding a thousand times larger


if __name__ == "__main__":  # python -m tests.model.test_reference: what the curves are now, for a change that is meant
    sys.stdout.write(json.dumps({kind: curve(kind) for kind in KINDS}, indent=1) + "\n")

"""Colours that touch in a stack can be told apart, by eyes of every common kind."""

import itertools

import numpy as np
import pytest

from gridsim.palette import CAUSE_COLOURS, LINE_COLOURS, SUPPLIER_COLOURS, TECH_COLOURS, colour_of
from gridsim.schema import CAUSES, SUPPLIERS, TECH_ORDER

# What a colour in linear RGB looks like to people without one kind of cone: G. M. Machado, M. M. Oliveira and
# L. A. F. Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency", IEEE Transactions on
# Visualization and Computer Graphics 15 (2009), severity 1.0.
EYES = {
    "all cones": np.eye(3),
    "no long": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "no medium": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "no short": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
SEEN = 10.0  # CIE 1976 difference; 2.3 is just noticeable side by side


def lab(colour: str, eye: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of an sRGB colour, white D65."""
    srgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255.0
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    x, y, z = XYZ @ np.clip(eye @ linear, 0.0, 1.0) / [0.9505, 1.0, 1.089]
    fx, fy, fz = (np.cbrt(v) if v > 0.008856 else 7.787 * v + 16.0 / 116.0 for v in (x, y, z))
    return np.array([116.0 * fy - 16.0, 500.0 * (fx - fy), 200.0 * (fy - fz)])


def test_lab_of_white_and_red():
    np.testing.assert_allclose(lab("#ffffff", EYES["all cones"]), [100.0, 0.0, 0.0], atol=0.02)
    np.testing.assert_allclose(lab("#ff0000", EYES["all cones"]), [53.24, 80.09, 67.20], atol=0.05)


@pytest.mark.parametrize("eye", EYES)
def test_neighbours_in_a_stack_are_told_apart(eye: str):
    stacks = (
        [TECH_COLOURS[t] for t in TECH_ORDER],
        [SUPPLIER_COLOURS.get(s) or colour_of(s) for s in SUPPLIERS],
        [CAUSE_COLOURS[c] for c in CAUSES],
    )
    for stack in stacks:
        for a, b in itertools.pairwise(stack):
            assert np.linalg.norm(lab(a, EYES[eye]) - lab(b, EYES[eye])) > SEEN, (a, b)


@pytest.mark.parametrize("eye", EYES)
def test_lines_are_told_apart(eye: str):
    for a, b in itertools.combinations(LINE_COLOURS, 2):
        assert np.linalg.norm(lab(a, EYES[eye]) - lab(b, EYES[eye])) > SEEN, (a, b)

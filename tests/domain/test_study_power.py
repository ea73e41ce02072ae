"""Power by simulation against theory, and against the analysis itself."""

import numpy as np
import pytest
from scipy import stats

from app.domain.study_answers import Blocks
from app.domain.study_permutation import contrasts
from app.domain.study_power import Components, Plan, power
from tests.domain import study_simulation as simulation


def test_the_check_case() -> None:
    """240 independent blocks, SD of differences 1.0, four contrasts: detects .22."""
    half = np.sqrt(0.5)
    plan = Plan(240, 5, 1, contrasts=4, components=Components(method_rater=0, method_neuron=0, residual=half))
    found = power(plan)
    assert found.sd == pytest.approx(1.0) and found.blocks == 240 and found.alpha == 0.0125
    assert found.detectable == pytest.approx(0.22, abs=0.005)
    assert found.se == pytest.approx(1 / np.sqrt(240))
    theory = stats.nct.sf(stats.t.ppf(1 - 0.0125 / 2, 239), 239, 0.2 * np.sqrt(240))
    assert found.at(0.2) == pytest.approx(theory, abs=0.02)
    assert power(plan).detectable == found.detectable != power(plan, seed=1).detectable
    assert found.at(0.0) <= 0.0125 and found.at(2.0) == 1.0


def test_crossed_raters_share_texts() -> None:
    """Five raters of 48 neurons are not 240 independent blocks; for these raters, tastes do not matter."""
    c = Components(method_rater=0.4, method_neuron=0.5, residual=0.5)
    crossed, nested = power(Plan(48, 5, 5, 4, c)), power(Plan(240, 5, 1, 4, c))
    assert crossed.blocks == nested.blocks == 240 and crossed.detectable > 1.3 * nested.detectable
    se = np.sqrt(2 * (0.25 / 48 + 0.25 / 240))
    assert crossed.se == pytest.approx(se)
    theory = stats.nct.sf(stats.t.ppf(1 - 0.0125 / 2, 47), 47, 0.4 / se)
    assert crossed.at(0.4) == pytest.approx(theory, abs=0.025)
    other = power(Plan(48, 5, 5, 4, c, other_raters=True))
    assert other.se == pytest.approx(np.sqrt(2 * (0.16 / 5 + 0.25 / 48 + 0.25 / 240)))
    assert other.detectable > 2 * crossed.detectable


def test_more_of_anything_is_more_power() -> None:
    few = power(Plan(20, 4, 2)).detectable
    assert few > power(Plan(40, 4, 2)).detectable
    assert few > power(Plan(20, 4, 4)).detectable
    assert few < power(Plan(20, 4, 2, contrasts=10)).detectable
    assert (
        power(Plan(20, 20, 4, other_raters=True)).detectable
        < power(Plan(20, 5, 4, other_raters=True)).detectable
    )


def test_with_very_few_neurons_nothing_can_be_found() -> None:
    found = power(Plan(5, 9, 9, contrasts=4))  # 2 / 2^5 = .0625
    assert found.detectable is None and found.at(100.0) == 0.0
    assert power(Plan(8, 9, 9, contrasts=4)).detectable is not None  # .0078 <= .0125


def test_the_registered_analysis_finds_as_many_as_was_said() -> None:
    """The same studies, analysed by label swaps."""
    c = Components(method_rater=0.3, method_neuron=0.5, residual=0.8)
    said = power(Plan(40, 4, 4, 1, c)).at(0.4)
    sd = simulation.Components(method_rater=0.0, method_neuron=0.5, residual=0.8)
    made = simulation.simulate(*simulation.design(4, 40), 300, seed=1, means=np.array([3.4, 3.0]), sd=sd)
    found = 0
    for s in range(300):
        values = made.values[:, :, s].astype(np.float64)
        one = contrasts(Blocks(("a", "b"), made.raters, made.neurons, values), [(0, 1)], draws=2, swaps=999)[
            0
        ]
        found += one.p is not None and one.p <= 0.05
    assert found / 300 == pytest.approx(said, abs=0.06)


@pytest.mark.parametrize(
    "wrong",
    [
        {"neurons": 1}, {"raters": 0}, {"per_neuron": 6}, {"per_neuron": 0}, {"contrasts": 0}, {"alpha": 0.0},
        {"components": Components(residual=-1)}, {"components": Components(rater=float("nan"))},
        {"raters": 1, "per_neuron": 1, "other_raters": True},
    ],
)  # fmt: skip
def test_plans_that_are_none(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        Plan(**{"neurons": 48, "raters": 5, "per_neuron": 5, **wrong})  # type: ignore[arg-type]

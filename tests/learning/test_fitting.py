"""Fits on drawn numbers whose truth is known: what is learned, what is not, and how good the probabilities are."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from app.learning.calibration import fit_calibration, fit_correction
from app.learning.fitting import MOST_DOUBTED, Fitted, choose_doubted, fit
from app.learning.images import FOLDS, TOP, Images, fold_of, log_odds, to_share
from app.learning.opinion import choose_sample, fit_opinion
from app.learning.quality import calibration_error, reliability

WIDTH = 12


def draw(count: int, seed: int = 1, wrong_share: float = 0.12) -> tuple[Images, NDArray[np.float32], NDArray[np.bool_]]:
    """Images, features and the truth: a detector and features that each know it in part, and folders with errors."""
    random = np.random.default_rng(seed)
    truth = random.random(count) < 0.45
    score = to_share(random.normal(np.where(truth, 1.6, -1.6), 1.5))
    features = random.standard_normal((count, WIDTH)).astype(np.float32)
    features[:, 0] += np.where(truth, 1.2, -1.2)
    positive = truth ^ (random.random(count) < wrong_share)
    silent = np.zeros(count, np.bool_)
    images = Images(
        positive=positive,
        confidences=np.column_stack([score, score / 3, score / 9])[:, :TOP],
        areas=random.random(count) / 50,
        brightness=random.random(count),
        sharpness=random.random(count) / 10,
        pixels=np.full(count, 1e6),
        fold=random.integers(0, FOLDS, count).astype(np.int8),
        called=silent,
        called_positive=silent,
        drawn=np.full(count, np.nan),
        opinion=np.zeros(count),
    )
    return images, features, truth


def call(images: Images, truth: NDArray[np.bool_], places: NDArray[np.int64], drawn: float = np.nan) -> Images:
    """The truth about some of them, as verdicts."""
    called = images.called.copy()
    called[places] = True
    chances = images.drawn.copy()
    chances[places] = drawn
    return replace(images, called=called, called_positive=truth & called, drawn=chances)


def fit_to(images: Images, features: NDArray[np.float32]) -> Fitted:
    """A fit at the usual threshold."""
    return fit(images, lambda places: features[places], 0.5, 7)


def test_the_second_opinion_learns_what_features_know() -> None:
    """Although a tenth of the folders' labels are wrong."""
    images, features, truth = draw(3_000)
    opinion = fit_opinion(features, images.positive, images.called, images.fold)
    assert opinion is not None
    right = (opinion.judge(features, images.fold) > 0) == truth
    assert right.mean() > 0.85


def test_labels_without_a_pattern_give_no_opinion() -> None:
    """No image is judged by a model that has seen its label: else even shuffled labels would seem to be known."""
    images, _, _ = draw(2_000)
    wide = np.random.default_rng(5).standard_normal((2_000, 256)).astype(np.float32)
    shuffled = np.random.default_rng(6).permutation(images.positive)
    opinion = fit_opinion(wide, shuffled, images.called, images.fold)
    assert opinion is not None
    assert opinion.auc == pytest.approx(0.5, abs=0.05)
    leaking = [opinion.judge(wide, np.full(2_000, fold, np.int8)) for fold in range(FOLDS)]
    others = np.mean(leaking, axis=0)
    assert np.corrcoef(others, shuffled)[0, 1] > 0.3  # and they would, if the folds were not kept apart


def test_too_few_labels_give_no_opinion_and_no_failure() -> None:
    """The order is then the detector's, corrected by verdicts."""
    images, features, truth = draw(30)
    assert fit_opinion(features, images.positive, images.called, images.fold) is None
    assert fit_to(call(images, truth, np.arange(10)), features).report["auc"] is None
    assert not fit_to(images, features[:, :0]).trusted


def test_images_without_features_are_judged_all_the_same() -> None:
    """By the detector; the second opinion says nothing of them."""
    images, features, _ = draw(600)
    features[::3] = np.nan
    opinion = fit_opinion(features, images.positive, images.called, images.fold)
    assert opinion is not None
    assert not opinion.judge(features, images.fold)[::3].any()
    assert np.isfinite(fit_to(images, features).suspicion).all()


def test_verdicts_put_errors_in_front() -> None:
    """Of what nobody has called, more of the most suspicious are wrong than by the detector alone."""
    images, features, truth = draw(4_000)
    spoken = call(images, truth, np.random.default_rng(3).choice(4_000, 400, replace=False))
    wrong, open_ = truth != images.positive, ~spoken.called
    score = images.confidences[:, 0]
    detector = np.where(images.positive, 1 - score, score)
    worst = int((wrong & open_).sum())

    def found(suspicion: NDArray[np.float64]) -> float:
        first = np.argsort(-np.where(open_, suspicion, -1))[:worst]
        return float(wrong[first].mean())

    assert found(fit_to(spoken, features).suspicion) > found(detector) + 0.03


def test_probabilities_are_calibrated_after_300_verdicts() -> None:
    """On images that were hunted in suspicious order, with a few audit draws among them."""
    images, features, truth = draw(6_000, seed=11)
    drawn = np.random.default_rng(4).choice(6_000, 60, replace=False)
    spoken = call(images, truth, drawn, drawn=0.01)
    hunted = np.argsort(-np.where(spoken.called, -1, fit_to(spoken, features).suspicion))[:240]
    chances = spoken.drawn.copy()
    spoken = replace(call(spoken, truth, hunted), drawn=np.where(np.isin(np.arange(6_000), hunted), np.nan, chances))
    fitted = fit_to(spoken, features)
    open_ = ~spoken.called
    error = calibration_error(reliability(fitted.suspicion[open_], (truth != images.positive)[open_]))
    assert error is not None
    assert error <= 0.05


def test_the_same_arguments_give_the_same_answer() -> None:
    """To the last digit."""
    images, features, truth = draw(1_500)
    spoken = call(images, truth, np.arange(200))
    one, other = fit_to(spoken, features), fit_to(spoken, features)
    assert (one.suspicion == other.suspicion).all()
    assert one.report == other.report


def test_hunted_verdicts_speak_only_of_their_own_band() -> None:
    """Nothing is changed where nobody has looked; audit draws change everything."""
    images, _, truth = draw(2_000)
    score = images.confidences[:, 0]
    top = np.flatnonzero(~images.positive & (score > 0.9))
    before = fit_calibration(images, 0.5, has_opinion=False).judge(images)
    after = fit_calibration(call(images, ~images.positive, top), 0.5, has_opinion=False).judge(images)
    elsewhere = images.positive | (score < 0.8)
    assert (after[elsewhere] == before[elsewhere]).all()
    assert (after[top] > before[top]).mean() > 0.9
    draws = call(images, truth, np.arange(100), drawn=0.05)
    assert (fit_calibration(draws, 0.5, has_opinion=False).judge(images) != before).all()


def test_a_correction_without_evidence_is_none() -> None:
    """And with much of it, it is what the evidence says."""
    ones = np.ones((500, 1))
    wrong = np.arange(500) < 100
    assert fit_correction(ones[:0], wrong[:0], np.zeros(0), np.zeros(0)).tolist() == [0.0]
    [found] = fit_correction(ones, wrong, np.zeros(500), np.ones(500))
    assert to_share(np.array([found]))[0] == pytest.approx(0.2, abs=0.01)


def test_doubts_are_the_most_suspicious_agreeing_open_ones() -> None:
    """And never more than a page can count."""
    suspicion = np.linspace(0, 1, 10_000)
    agrees, called = np.arange(10_000) % 2 == 0, np.arange(10_000) >= 9_990
    doubted = choose_doubted(suspicion, agrees, called, 0.5)
    assert doubted.sum() == MOST_DOUBTED
    assert not (doubted & (~agrees | called)).any()
    assert suspicion[doubted].min() > 0.5
    assert choose_doubted(suspicion, agrees, called, 0.9995).sum() == 0


def test_the_sample_takes_verdicts_first_and_stays_small() -> None:
    """However many images there are."""
    called = np.zeros(50_000, np.bool_)
    called[::50] = True
    sample = choose_sample(called, 3, at_most=4_000)
    assert len(sample) == len(set(sample.tolist())) == 4_000
    assert called[sample].sum() == 1_000
    assert (sample == choose_sample(called, 3, at_most=4_000)).all()


def test_copies_are_in_one_fold() -> None:
    """It follows from the hash of the bytes alone."""
    assert fold_of("ab" * 32) == fold_of("ab" * 32)
    assert {fold_of(f"{number:064x}"[::-1]) for number in range(200)} == set(range(FOLDS))
    assert to_share(log_odds(np.array([0.0, 0.3, 1.0]))) == pytest.approx([0.001, 0.3, 0.999], abs=1e-3)

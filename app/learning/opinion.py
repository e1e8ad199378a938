"""The second opinion: a classifier on pooled features, by which each image is judged without its own label.

Confident learning (C. Northcutt, L. Jiang, I. Chuang, arXiv 1911.00068): a model that never saw an image's label says
how likely that label is. Labels are verdicts where there are any, and the folders elsewhere.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from app.learning.images import FOLDS, HIGHEST_LOGIT, Bools, Reals

AT_MOST = 24_000  #: images that the classifiers learn from: more change a few hundred coefficients by little
STRENGTH = 0.005  #: inverse of the penalty on coefficients of standardised features
SPOKEN = 3.0  #: how many folders' labels a verdict outweighs
FEW = 20  #: images of either label that a classifier needs
Features = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Opinion:
    """One linear classifier a fold, each fitted on the other folds; none where there was too little to learn from."""

    mean: Features
    scale: Features
    weights: NDArray[np.float32]  #: ``(folds, k)``
    intercepts: NDArray[np.float32]
    auc: float  #: of all images learned from, each judged by the classifier that had not seen it; 0.5 says nothing

    def judge(self, features: Features, fold: NDArray[np.int8]) -> Reals:
        """Log odds that the object is there ``(n,)`` for features ``(n, k)``; NaN rows get 0."""
        known: Bools = np.asarray(np.isfinite(features).all(axis=1))
        values = (np.where(known[:, None], features, self.mean) - self.mean) / self.scale
        odds = np.asarray(values @ self.weights.T + self.intercepts)[np.arange(len(values)), fold]
        result: Reals = np.where(known, np.clip(odds, -HIGHEST_LOGIT, HIGHEST_LOGIT), 0.0).astype(np.float64)
        return result


def choose_sample(called: Bools, seed: int, at_most: int = AT_MOST) -> NDArray[np.int64]:
    """Places of the images to learn from: those that people called first, then others at random, in order."""
    generator = np.random.default_rng([seed, len(called)])
    spoken, silent = np.flatnonzero(called), np.flatnonzero(~called)
    if len(spoken) > at_most // 2:
        spoken = generator.choice(spoken, at_most // 2, replace=False)
    room = min(len(silent), at_most - len(spoken))
    return np.sort(np.concatenate([spoken, generator.choice(silent, room, replace=False)]))


def fit_opinion(features: Features, labels: Bools, called: Bools, fold: NDArray[np.int8]) -> Opinion | None:
    """Fit it on features ``(n, k)``; None where some fold's rest lacks images of either label."""
    known = np.isfinite(features).all(axis=1)
    features, labels, called, fold = features[known], labels[known], called[known], fold[known]
    rests = [fold != number for number in range(FOLDS)]
    if any(min(labels[rest].sum(), (~labels[rest]).sum()) < FEW for rest in rests):
        return None
    mean, scale = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-6)
    values = (features - mean) / scale
    weight = np.where(called, SPOKEN, 1.0)
    with threadpool_limits(1):  # the products are small: threads would only wait for each other
        fitted = [_fit_one(values[rest], labels[rest], weight[rest]) for rest in rests]
    weights, intercepts = (np.stack([each[place] for each in fitted]).astype(np.float32) for place in range(2))
    blank = Opinion(mean, scale, weights, intercepts, 0.5)
    auc = float(roc_auc_score(labels, blank.judge(features, fold)))
    return Opinion(mean, scale, weights, intercepts, auc)


def _fit_one(values: Features, labels: Bools, weight: Reals) -> tuple[Reals, float]:
    model = LogisticRegression(C=STRENGTH, tol=1e-3, max_iter=200)
    model.fit(values, labels, sample_weight=weight)
    return model.coef_[0], float(model.intercept_[0])

"""From a network's raw outputs to detections."""

from collections.abc import Sequence
from math import inf, log

import numpy as np
from numpy.typing import NDArray

from app.detector.base import View
from app.domain.detections import Box, Detection

#: logits, boxes and features, see :meth:`app.detector.engines.Engine.infer`
Outputs = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]


def decode_outputs(
    logits: NDArray[np.float32], boxes: NDArray[np.float32], view: View, labels: Sequence[str], floor: float
) -> list[Detection]:
    """Detections of one view above ``floor``, strongest first, in pixels of the upright image and not yet clipped.

    ``logits`` are ``(queries, classes)``, ``boxes`` ``(queries, 4)``: centre and size as shares of the view. Of all
    pairs of query and class the ``queries`` strongest are taken, as D-FINE's own post-processing does.
    """
    flat = logits.ravel()
    chosen = np.flatnonzero(flat >= _logit(floor))  # few of the thousands: the rest needs no sigmoid and no sorting
    order = chosen[np.argsort(-flat[chosen], kind="stable")[: len(boxes)]]
    confidences = 1 / (1 + np.exp(-flat[order].astype(np.float64)))
    corners = _to_corners(boxes.astype(np.float64), view)
    classes = logits.shape[1]
    return [
        Detection(Box(*corners[index // classes].tolist()), confidence, labels[index % classes])
        for index, confidence in zip(order.tolist(), confidences.tolist(), strict=True)
        if confidence >= floor
    ]


def _logit(floor: float) -> float:
    """What the sigmoid makes ``floor`` of, rounded down a little."""
    return log(floor / (1 - floor)) - 1e-6 if 0 < floor < 1 else (-inf if floor <= 0 else inf)


def _to_corners(boxes: NDArray[np.float64], view: View) -> NDArray[np.float64]:
    """Shares ``cxcywh`` of a view ``(n, 4)`` as ``xyxy`` in pixels of the image."""
    x, y, width, height = boxes.T
    if view.mirrored:
        x = 1 - x
    shares = np.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], 1)
    x0, y0, x1, y1 = view.region
    return np.asarray(shares * [x1 - x0, y1 - y0, x1 - x0, y1 - y0] + [x0, y0, x0, y0])


def clip(detections: Sequence[Detection], width: int, height: int) -> list[Detection]:
    """The detections' parts inside the image; what has none goes."""
    clipped = (Detection(each.box.clipped(width, height), each.confidence, each.class_name) for each in detections)
    return [each for each in clipped if each.box.area > 0]

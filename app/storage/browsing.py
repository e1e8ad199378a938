"""Lists of a dataset's images in any order, under any filter, from any place, forwards and backwards, in bounded time.

An order is made of streams, each read along an index by keyset: the two labels' scores, the four stretches of what was
learned, the verdicts by time, the paths. A *cut* is a place in a list: for each stream the row after which it goes on.
What no index answers and few images meet (a reviewer, say) is asked of a stretch of the index at once, in the database;
the streams are merged, and all filters are asked of the merged rows chunk by chunk, until the page is full or the time
is up; the cut then says where to go on.
"""

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

from sqlalchemy import ColumnElement, Integer, and_, bindparam, exists, select, tuple_
from sqlalchemy.orm import Session

from app.domain.images import Side
from app.storage.datasets import Dataset
from app.storage.fits import doubted_of, find_fit, is_ranked
from app.storage.images import ImageRecord, in_conflict, unreadable_of
from app.storage.narrowing import (
    Wanted,
    asks_of_path,
    asks_of_score,
    asks_of_verdicts,
    conditions_on,
    holds_text,
    lies_below,
    told_by_folder,
)
from app.storage.tables import ImageRow, ReviewRow, ScoreRow, StandingRow
from app.storage.tallies import has_unscored

CHUNK = 1000  #: rows of a stream that are read, and merged rows that are asked, at once
SEARCHED = 20_000  #: rows of an index that are searched at once for what few of them meet
ASKED = 1500  #: the same where each row asks another table: 2 to 10 microseconds a row
GROWTH = 4  #: each read is so many times the one before, up to these: most pages need little
FEW = 3000  #: verdicts up to which a filter on them is answered by looking only at the images that they are on
LAST_ID = 1 << 40
Position = tuple[Any, int]  #: a stream's value and the image's id
Cut = tuple[Position | None, ...]  #: by stream's number; None: before its first row
REST = 4  #: number of the stream of what has no place in an order
START: Cut = (None,) * (REST + 1)
LEARNED = "learned"  #: the order by suspicion, where it has been learned from verdicts


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a stream; ``image`` is None where it only says how far the stream has been searched."""

    rank: tuple[Any, ...]
    stream: int
    value: Any
    id: int
    image: int | None
    passed: int  #: images that were looked at up to it


@dataclass(frozen=True, slots=True)
class Found:
    """What a walk found in the order of the list, the cuts before and after it, and whether nothing lies beyond."""

    ids: tuple[int, ...]
    start: Cut
    end: Cut
    passed: int
    ended: bool


@dataclass(frozen=True, slots=True)
class Stream:
    """Rows of one query along an index, by value and id: both fall (``down``) or both rise."""

    number: int
    group: int  #: a later group comes after all of an earlier one
    value: Any
    key: Any
    where: tuple[ColumnElement[bool], ...]
    down: bool
    mirrored: bool = False  #: of scores: it rises where the list falls
    whole: bool = False  #: every scored image of a label
    sparse: tuple[ColumnElement[bool], ...] = ()  #: what few rows may meet: asked of many rows of the index at once
    reach: int = 0  #: how many at most
    ranked: bool = False  #: by minus the learned suspicion: equal ones by id, whatever their stream

    def rank(self, value: Any, image_id: int) -> tuple[Any, ...]:
        """What sorts a row among those of all streams."""
        if isinstance(value, str):
            return (self.group, value)
        if self.ranked:
            return (self.group, value, image_id, self.number)
        strength = 1.0 - value if self.mirrored else value
        return (self.group, -strength, self.number, -image_id if self.down else image_id)

    def query(self, *, backwards: bool, beyond: bool, within: bool = False) -> Any:
        """Rows by the index: ``beyond`` a place (``at``, ``at_id``), and up to another one (``edge``, ``edge_id``)."""
        falls = self.down != backwards
        query = select(self.value.label("value"), self.key.label("id")).where(*self.where)
        here: Any = tuple_(self.value, self.key)
        if beyond:
            at = tuple_(bindparam("at", type_=self.value.type), bindparam("at_id", type_=Integer))
            query = query.where(here < at if falls else here > at)
        if within:
            edge = tuple_(bindparam("edge", type_=self.value.type), bindparam("edge_id", type_=Integer))
            query = query.where(here >= edge if falls else here <= edge)
        return query.order_by(*((self.value.desc(), self.key.desc()) if falls else (self.value, self.key)))

    def rows(self, session: Session, position: Position | None, *, backwards: bool) -> Iterator[Row]:
        """Rows beyond a position, read bit by bit; backwards its own row is the first."""
        if backwards:
            if position is None:
                return
            position = (position[0], position[1] + (-1 if self.down else 1))
        most = self.reach if self.sparse else CHUNK
        size = max(1, most // (GROWTH if self.sparse else GROWTH**2))
        # A statement is built once and executed often: building it takes longer than what it reads.
        build = cache(lambda beyond, within: self._read(backwards=backwards, beyond=beyond, within=within))
        while True:
            found, edge = self._next(session, build, position, size)
            weight = 0 if self.sparse else 1
            yield from (self._row(row.value, row.id, row.id, weight) for row in found)
            if edge is None:
                return
            if self.sparse:
                yield self._row(edge.value, edge.id, None, size)
            position = (edge.value, edge.id)
            size = min(most, size * GROWTH)

    def _read(self, *, backwards: bool, beyond: bool, within: bool | None) -> Any:
        """One of the statements of :meth:`rows`; with ``within`` None that which finds the next stretch's edge."""
        query = self.query(backwards=backwards, beyond=beyond, within=bool(within))
        if within is not None:
            return query.where(*self.sparse) if self.sparse else query.limit(bindparam("size", type_=Integer))
        return query.offset(bindparam("skip", type_=Integer)).limit(1)

    def _next(self, session: Session, build: Any, position: Position | None, size: int) -> tuple[Sequence[Any], Any]:
        """The next rows, and the last row that was looked at if there may be more."""
        beyond = position is not None
        values = {} if position is None else {"at": position[0], "at_id": position[1]}
        if not self.sparse:
            found = session.execute(build(beyond, within=False), values | {"size": size}).all()
            return found, found[-1] if len(found) == size else None
        edge = session.execute(build(beyond, None), values | {"skip": size - 1}).one_or_none()
        until = {} if edge is None else {"edge": edge.value, "edge_id": edge.id}
        return session.execute(build(beyond, edge is not None), values | until).all(), edge

    def _row(self, value: Any, row_id: int, image: int | None, passed: int) -> Row:
        return Row(self.rank(value, row_id), self.number, value, row_id, image, passed)

    def find_nth(self, session: Session, position: Position | None, count: int) -> Position | None:
        """The row ``count`` rows after a position, counted along the index; None if there are fewer."""
        query = self.query(backwards=False, beyond=position is not None).offset(count - 1).limit(1)
        values = {} if position is None else {"at": position[0], "at_id": position[1]}
        row = session.execute(query, values).one_or_none()
        return None if row is None else (row.value, row.id)


def name_order(session: Session, dataset: Dataset, wanted: Wanted, order: str) -> str:
    """The order that is meant: by suspicion, what was learned of it from verdicts, where there is that.

    A band of scores is answered by the index of scores alone, so there it is the detector's suspicion.
    """
    fit = find_fit(session, dataset.id) if order == "suspicion" and not wanted.in_band else None
    return order if fit is None or fit.detector_id != dataset.detector_id else LEARNED


def make_streams(session: Session, dataset: Dataset, wanted: Wanted, order: str) -> list[Stream]:
    """The streams of an order, under the filters that their indexes answer."""
    wanted = told_by_folder(dataset, wanted)
    few = _find_few(session, dataset, wanted)
    if order == "path":
        return [_paths(dataset, wanted, few, 0, 0, ())]
    if order == "reviewed_at":
        streams = [_verdicts(dataset, wanted, few)]
        others = ~exists().where(StandingRow.image_id == ImageRow.id, StandingRow.effective_review_id.is_not(None))
        ends_here = wanted.about_verdicts
    else:
        if dataset.detector_id is None:
            streams = []
        elif order == LEARNED:
            streams = _ranks(session, dataset, wanted, few)
        else:
            sides = [side for side in Side if wanted.given in (None, side)]
            streams = [_scores(dataset, wanted, few, order, side) for side in sides]
        others = ~exists().where(ScoreRow.image_id == ImageRow.id, ScoreRow.detector_id == (dataset.detector_id or 0))
        ends_here = wanted.scored or not has_unscored(session, dataset.id)
    return streams if ends_here else [*streams, _paths(dataset, wanted, few, REST, 1, (others,))]


def _find_few(session: Session, dataset: Dataset, wanted: Wanted) -> list[int] | None:
    """The images that a filter on what is rare or on verdicts leaves, if they are few; else None, as without one."""
    rare = [
        (wanted.duplicate_conflict, in_conflict(dataset.id)),
        (wanted.unreadable, unreadable_of(dataset.id)),
        (wanted.second_opinion, doubted_of(dataset.id, dataset.detector_id)),
    ]
    chosen_ids = next((query for asked, query in rare if asked), None)
    if chosen_ids is not None:
        ids = session.scalars(chosen_ids.limit(FEW + 1)).all()
        return None if len(ids) > FEW else list(ids)
    if not wanted.about_verdicts:
        return _find_in_folder(session, dataset, wanted)
    if wanted.reviewer is not None:
        query = (
            select(ReviewRow.image_id)
            .where(ReviewRow.dataset_id == dataset.id, ReviewRow.reviewer == wanted.reviewer)
            .order_by(ReviewRow.id.desc())
        )
    else:
        chosen = StandingRow.verdict == wanted.verdict if wanted.verdict else StandingRow.verdict.is_not(None)
        query = select(StandingRow.image_id).where(StandingRow.dataset_id == dataset.id, chosen)
    if session.execute(query.offset(FEW).limit(1)).first() is not None:
        return None
    return list(set(session.scalars(query)))


def _find_in_folder(session: Session, dataset: Dataset, wanted: Wanted) -> list[int] | None:
    """The images of a folder, along the index of paths, if they are few."""
    if not wanted.folder:
        return None
    ids = session.scalars(
        select(ImageRow.id).where(ImageRow.dataset_id == dataset.id, *lies_below(wanted)).limit(FEW + 1)
    ).all()
    return None if len(ids) > FEW else list(ids)


def _of(column: Any, dataset: Dataset, key: Any, few: list[int] | None) -> list[ColumnElement[bool]]:
    """Rows of the dataset; where only few images are wanted, found by these rather than along the index."""
    return [column == dataset.id] if few is None else [column + 0 == dataset.id, key.in_(few)]


def _scores(dataset: Dataset, wanted: Wanted, few: list[int] | None, order: str, side: Side) -> Stream:
    mirrored = order == "suspicion" and side is Side.POSITIVE
    where = [*_of(ScoreRow.dataset_id, dataset, ScoreRow.image_id, few), ScoreRow.given == side]
    where.append(ScoreRow.detector_id == dataset.detector_id)
    if wanted.min_score is not None:
        where.append(ScoreRow.score >= wanted.min_score)
    if wanted.max_score is not None:
        where.append(ScoreRow.score <= wanted.max_score)
    if wanted.flagged:
        high = side is Side.NEGATIVE
        where.append(ScoreRow.score >= dataset.threshold if high else ScoreRow.score < dataset.threshold)
    number, whole, key = 0 if side is Side.POSITIVE else 1, few is None and not wanted.scored, ScoreRow.image_id
    sparse = (*asks_of_verdicts(wanted, key), *asks_of_path(wanted, key)) if few is None else ()
    return Stream(number, 0, ScoreRow.score, key, tuple(where), not mirrored, mirrored, whole, sparse, ASKED)


def _ranks(session: Session, dataset: Dataset, wanted: Wanted, few: list[int] | None) -> list[Stream]:
    """What was learned, in four stretches of an index: flagged or not, called or not.

    Flags there follow the threshold some time after it was moved. Until then all stretches are read for them.
    """
    follows = is_ranked(session, dataset.id, dataset.detector_id, dataset.threshold)
    key = ScoreRow.image_id
    shared = [*_of(ScoreRow.dataset_id, dataset, key, few), ScoreRow.detector_id == dataset.detector_id]
    asked = (*asks_of_score(dataset, wanted), *asks_of_verdicts(wanted, key), *asks_of_path(wanted, key))
    sparse = asked if few is None else ()
    streams = []
    for number, (flagged, called) in enumerate(product((True, False), (False, True))):
        if flagged or not (wanted.flagged and follows):
            stretch: Any = (
                ScoreRow.flagged if flagged else ~ScoreRow.flagged,
                ScoreRow.called if called else ~ScoreRow.called,
            )
            where = (*shared, *stretch)
            streams.append(
                Stream(number, 0, ScoreRow.rank, key, where, down=False, sparse=sparse, reach=ASKED, ranked=True)
            )
    return streams


def _verdicts(dataset: Dataset, wanted: Wanted, few: list[int] | None) -> Stream:
    key = StandingRow.image_id
    where = [StandingRow.dataset_id + 0 == dataset.id, StandingRow.effective_review_id.is_not(None)]
    if few is not None:
        where.append(key.in_(few))
    sparse = tuple(asks_of_path(wanted, key)) if few is None else ()
    # Ids of reviews grow with time.
    return Stream(0, 0, StandingRow.effective_review_id, key, tuple(where), down=True, sparse=sparse, reach=ASKED)


def _paths(
    dataset: Dataset,
    wanted: Wanted,
    few: list[int] | None,
    number: int,
    group: int,
    sparse: tuple[ColumnElement[bool], ...],
) -> Stream:
    where = [*_of(ImageRow.dataset_id, dataset, ImageRow.id, few), *lies_below(wanted)]
    called = asks_of_verdicts(wanted, ImageRow.id) if few is None else []
    reach = ASKED if (sparse or called) else SEARCHED
    sparse = (*sparse, *called, *holds_text(wanted))
    return Stream(number, group, ImageRow.path, ImageRow.id, tuple(where), down=False, sparse=sparse, reach=reach)


def walk(
    session: Session,
    dataset: Dataset,
    wanted: Wanted,
    order: str,
    cut: Cut,
    limit: int,
    late: Callable[[], bool],
    *,
    backwards: bool = False,
) -> Found:
    """The next ``limit`` images of a list after a cut, or the last ones before it. Stops when it is ``late``."""
    streams = {stream.number: stream for stream in make_streams(session, dataset, wanted, order)}
    merged = _merge(session, list(streams.values()), cut, backwards=backwards)
    here: list[Position | None] = list(cut)
    ids: list[int] = []
    passed, size, more = 0, limit + 1, False
    while True:
        chunk = _take(merged, size, late)
        matching = _ask(session, dataset, wanted, [row.image for row in chunk if row.image is not None])
        for row in chunk:
            if len(ids) == limit:
                more = more or row.image in matching
                continue
            step = (1 if streams[row.stream].down else -1) if backwards else 0
            here[row.stream] = (row.value, row.id + step)  # backwards the cut lies just before the row
            passed += row.passed
            if row.image is not None and row.image in matching:
                ids.append(row.image)
        over = not chunk or (len(chunk) < size and chunk[-1].image is not None)
        ended = over and not more
        if ended or more or late():
            break
        size = min(CHUNK, size * GROWTH)
    if backwards:
        return Found(tuple(ids[::-1]), tuple(here), cut, passed, ended)
    return Found(tuple(ids), cut, tuple(here), passed, ended)


def _take(merged: Iterator[Row], size: int, late: Callable[[], bool]) -> list[Row]:
    """The next rows; fewer at the end, and where a long search has found none until it is late."""
    taken: list[Row] = []
    for row in merged:
        taken.append(row)
        if len(taken) == size or (row.image is None and late()):
            break
    return taken


def _merge(session: Session, streams: Sequence[Stream], cut: Cut, *, backwards: bool) -> Iterator[Row]:
    """The rows of all streams in the order of the list; a later group is not read before it is its turn."""
    for group in sorted({stream.group for stream in streams}, reverse=backwards):
        rows = [each.rows(session, cut[each.number], backwards=backwards) for each in streams if each.group == group]
        yield from heapq.merge(*rows, key=lambda row: row.rank, reverse=backwards)


def _ask(session: Session, dataset: Dataset, wanted: Wanted, ids: Sequence[int]) -> set[int]:
    """Which of some images are wanted."""
    query = (
        select(ImageRow.id)
        .outerjoin(StandingRow, StandingRow.image_id == ImageRow.id)
        .outerjoin(ScoreRow, and_(ScoreRow.image_id == ImageRow.id, ScoreRow.detector_id == (dataset.detector_id or 0)))
        .where(ImageRow.id.in_(ids), *conditions_on(dataset, wanted))
    )
    return set(session.scalars(query)) if ids else set()


def cut_around(
    session: Session, dataset: Dataset, wanted: Wanted, order: str, record: ImageRecord, *, after: bool
) -> Cut:
    """The cut just after an image of a list, or just before it; also where the filters leave it out by now."""
    here: list[Position | None] = list(START)
    values = {"path": record.path, "reviewed_at": record.effective_review_id, LEARNED: record.rank}
    value = values.get(order, record.score)
    in_rest = value is None
    for stream in make_streams(session, dataset, wanted, order):
        own = stream.group == 1 if in_rest else stream.ranked or stream.number == _number_of(order, record)
        if own:
            step = 0 if after else (1 if stream.down else -1)
            here[stream.number] = (record.path if stream.group == 1 else value, record.id + step)
        elif in_rest:
            here[stream.number] = (-1.0, 0) if stream.down else (2.0, 0)  # all of it lies before
        elif stream.group == 0:
            here[stream.number] = _beside(stream, order, record)
    return tuple(here)


def _number_of(order: str, record: ImageRecord) -> int:
    return 0 if order in ("path", "reviewed_at") or record.given is Side.POSITIVE else 1


def _beside(stream: Stream, order: str, record: ImageRecord) -> Position:
    """The place in the other label's stream: equal scores of the stream with the higher number come later."""
    score = record.score or 0.0
    comes_later = stream.number > _number_of(order, record)
    return (1.0 - score if order == "suspicion" else score, LAST_ID if comes_later == stream.down else -LAST_ID)

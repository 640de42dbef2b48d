"""Which pictures have a result already: the key of a result follows from the picture, the options and the model.

The service does not say what its results are called, but its first answer shows it: bucket, prefix and model are in
there, and JPEG_QUALITY, which shapes the key as well, is one of a hundred numbers.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from backfill.errors import SourceError
from backfill.journal import Journal
from backfill.pictures import Picture
from backfill.sources import Source, objects
from serving.contract import PredictRequest
from serving.result_names import ResultNames, prefix_of
from serving.settings import Settings

logger = logging.getLogger(__name__)

Item = TypeVar("Item")

_PAGE = 1000
_USUAL_QUALITY = int(Settings.model_fields["jpeg_quality"].default)
_RESULT = re.compile(r".*_[0-9a-f]{12}\.jpg", re.DOTALL)


@dataclass(frozen=True)
class Existing:
    """The results in `bucket`, as they were listed when the run began."""

    journal: Journal
    names: ResultNames
    bucket: str
    options: Mapping[str, Any]

    def has(self, picture: Picture) -> bool:
        """Whether a picture has the result that its request would write."""
        if not picture.tag:  # A list without entity tags: the name of the result cannot be computed.
            return False
        return self.journal.has_result(self.names.key(request_for(picture, self.options), picture.tag))

    def is_result(self, picture: Picture) -> bool:
        """Whether a picture is itself a result, in a bucket that has both."""
        own = self.names.input_bucket == self.bucket and picture.key.startswith(self.names.prefix)
        return own and _RESULT.fullmatch(picture.key) is not None


def request_for(picture: Picture, options: Mapping[str, Any]) -> PredictRequest:
    """The request for a picture of a bucket; raises ValueError if the contract refuses it."""
    return PredictRequest.model_validate({"filename": picture.key, **options})


def names_by(
    bucket: str, picture: Picture, options: Mapping[str, Any], answer: Mapping[str, Any]
) -> ResultNames | None:
    """How the service names its results, by one answer; None if the answer does not tell."""
    result, model = answer.get("filename"), answer.get("model", {})
    if not (bucket and picture.tag and isinstance(result, str)):
        return None
    request = request_for(picture, options)
    prefix = prefix_of(result, request.filename)
    if prefix is None:
        return None
    for quality in (_USUAL_QUALITY, *range(1, 101)):
        names = ResultNames(bucket, prefix, quality, str(model.get("name")), str(model.get("version")))
        if names.key(request, picture.tag) == result:
            return names
    return None


def list_existing(
    journal: Journal,
    source: Source,
    names: ResultNames,
    bucket: str,
    options: Mapping[str, Any],
    stopping: threading.Event,
) -> Existing:
    """List the results of a source into the journal's file; a bucket that cannot be listed has none, with a warning."""
    keys = (key for key, _, _ in objects(bucket, names.prefix + source.folder))
    try:
        found = 0
        for page in pages(keys, _PAGE):
            found = journal.add_results(page)
            if stopping.is_set():
                break
        logger.info("%d objects are in the output bucket below %s", found, names.prefix + source.folder or "its top")
    except SourceError as exc:
        logger.warning("%s; so only the journal knows what is done", exc)
    return Existing(journal, names, bucket, options)


def pages(items: Iterator[Item], size: int) -> Iterator[list[Item]]:
    """Lists of at most `size` items."""
    while page := list(islice(items, size)):
        yield page

"""With which embedder a snapshot is asked: the one that it was made with, for as long as it serves.

Knows names of embedders and how they are loaded, no vectors.
"""

import logging

from knowledge.snapshots import Snapshot
from models import Embedder, ModelError
from models.embedder import load_embedder

log = logging.getLogger(__name__)


def embedder_of(snapshot: Snapshot, configured: Embedder) -> Embedder | None:
    """Return the configured embedder where it made the snapshot, else the one that did, loaded for it (seconds).

    None, with a warning, where that one is not on this machine any more: words alone are then searched until the
    index is made again.
    """
    if snapshot.embedder == configured.name:
        return configured
    why = "it is not known where it came from"
    if snapshot.source:
        try:
            former = load_embedder(snapshot.source)
        except ModelError as error:
            why = str(error)
        else:
            if former.name == snapshot.embedder:
                log.info("The index of %s serves until it is made again with %s.", former.name, configured.name)
                return former
            why = f"{snapshot.source} is now {former.name}"
    log.warning(
        "The index was made with %s, which cannot be loaded (%s): words alone are searched until it is made again.",
        snapshot.embedder, why,
    )  # fmt: skip
    return None

"""An index snapshot on disk: a folder that is never changed once its manifest is there, and the pointer to the newest.

    <directory>/current             the name of the newest snapshot
    <directory>/<name>/             manifest.json (written last), entries.json, vectors.*, keywords/

What two snapshots have in common (the words, the graph of many vectors) is one file with two names. Never the only
copy of anything: SQL can make it again. Knows files; how a snapshot comes about is in `indexing`.
"""

import gc
import json
import logging
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import blake2b, file_digest
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Engine

from knowledge import large_vectors, postgres_vectors
from knowledge.database import utcnow
from knowledge.entries import Kind
from knowledge.keywords import KeywordIndex
from knowledge.passages import Passage
from knowledge.postgres_vectors import PostgresVectors
from knowledge.vectors import ExactVectors, VectorIndex
from models import Language

log = logging.getLogger(__name__)

FORMAT = 1
KEPT = 2
_POINTER = "current"
_MANIFEST = "manifest.json"
_ENTRIES = "entries.json"
_VECTORS = "vectors.faiss"
_KEYWORDS = "keywords"
_TABLES = ".tables"
_SMALL = 1 << 20  # bytes: not worth remembering a checksum
_REMEMBERED = 1000


class BrokenSnapshot(Exception):  # noqa: N818 (a state, as callers say it)
    """A snapshot is missing, incomplete or damaged. It has to be made anew: nothing is lost."""


class IndexedPassage(NamedTuple):
    """A passage and the ids under which its vectors stand, in the order of its wordings."""

    id: int
    passage: Passage
    vectors: tuple[int, ...]


class IndexedEntry(NamedTuple):
    """An entry as the index knows it. `names` are the capitalised words in it, by which redaction knows names apart."""

    entry_id: int
    kind: Kind
    language: Language | None
    content_hash: str
    names: frozenset[str]
    passages: tuple[IndexedPassage, ...]


@dataclass(frozen=True)
class Snapshot:
    """A loaded snapshot. `next_id` is higher than every id of a passage or vector that was ever in it.

    `source` is the name by which `load_embedder` finds the embedder that it was made with; empty where that is not
    known. Snapshots of one `lineage` give their ids in one row: what has an id in two of them is the same.
    """

    name: str
    embedder: str
    entries: Mapping[int, IndexedEntry]
    vectors: VectorIndex
    keywords: KeywordIndex | None
    next_id: int = 1
    entry_of: Mapping[int, IndexedEntry] = field(default_factory=dict)
    """Passage id → its entry."""
    passage: Mapping[int, IndexedPassage] = field(default_factory=dict)
    """Passage id → the passage."""
    passages_of: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    """Vector id → the passages that it stands for."""
    source: str = ""
    lineage: str = ""


EMPTY = Snapshot("", "", {}, ExactVectors(1), None)


def current_name(directory: Path) -> str | None:
    """Return the name of the newest complete snapshot, or None where there is none yet."""
    try:
        name = (directory / _POINTER).read_text(encoding="utf-8").strip()
    except (FileNotFoundError, UnicodeDecodeError):
        return None
    return name if name and name == Path(name).name else None


def complete(directory: Path) -> list[str]:
    """Return the names of the snapshots that have a manifest, oldest first."""
    return sorted(path.parent.name for path in directory.glob(f"*/{_MANIFEST}"))


def newest_good(directory: Path, engine: Engine | None = None) -> Snapshot | None:
    """Load the newest snapshot or, where it is damaged, the newest older one that is not; None where there is none."""
    current = current_name(directory)
    if current is None:
        return None
    for name in [current, *(name for name in reversed(complete(directory)) if name < current)]:
        try:
            return load(directory, name, engine)
        except BrokenSnapshot as error:
            log.warning("%s", error)
    return None


def load(directory: Path, name: str, engine: Engine | None = None) -> Snapshot:
    """Read a snapshot and check it against its manifest. Raises BrokenSnapshot.

    `engine`: the database, for one whose vectors are there.
    """
    with _no_garbage_collection():
        return _load(directory / name, engine)


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Make many lasting objects without the collector walking over all of them again and again (half of the time)."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _load(folder: Path, engine: Engine | None) -> Snapshot:
    name = folder.name
    try:
        manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        if manifest["format"] != FORMAT:
            raise BrokenSnapshot(f"The index {name} has format {manifest['format']}, this program reads {FORMAT}.")
        if _files(folder) != manifest["files"]:
            raise BrokenSnapshot(f"The index {name} does not match its manifest.")
        # one document, not lines: ten thousand entries are read in half the time
        entries = [_entry(row) for row in json.loads((folder / _ENTRIES).read_text(encoding="utf-8"))]
        vectors = _load_vectors(folder / _VECTORS, engine)
        keywords = KeywordIndex.open(folder / _KEYWORDS)
        made = assemble(name, manifest["embedder"], entries, vectors, keywords, manifest["next_id"])
        return replace(made, source=manifest.get("source", ""), lineage=manifest.get("lineage", name))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BrokenSnapshot(f"The index {name} cannot be read ({error}).") from error


def _load_vectors(path: Path, engine: Engine | None) -> VectorIndex:
    if postgres_vectors.table_of(path) is None:
        return large_vectors.load(path)
    if engine is None:
        raise BrokenSnapshot(f"The vectors of the index {path.parent.name} are in a database, and none was given.")
    return PostgresVectors.load(path, engine)


def assemble(
    name: str,
    embedder: str,
    entries: Iterable[IndexedEntry],
    vectors: VectorIndex,
    keywords: KeywordIndex,
    next_id: int,
) -> Snapshot:
    """Put a snapshot together and look up tables for it."""
    by_id = {entry.entry_id: entry for entry in entries}
    entry_of: dict[int, IndexedEntry] = {}
    passage: dict[int, IndexedPassage] = {}
    passages_of: dict[int, tuple[int, ...]] = {}
    for entry in by_id.values():
        for part in entry.passages:
            entry_of[part.id], passage[part.id] = entry, part
            for vector in part.vectors:
                passages_of[vector] = (*passages_of.get(vector, ()), part.id)
    return Snapshot(name, embedder, by_id, vectors, keywords, next_id, entry_of, passage, passages_of)


def new_name() -> str:
    """Return a name for a snapshot: a later one is higher."""
    return f"{utcnow():%Y%m%d-%H%M%S-%f}-{secrets.token_hex(2)}"


def start(directory: Path, previous: Snapshot | None) -> tuple[str, KeywordIndex]:
    """Make the folder of a new snapshot; its word index starts as a copy of the previous one's.

    The copy is made of hard links: tantivy replaces and removes its files, it never writes into one.
    """
    name = new_name()
    folder = directory / name
    folder.mkdir(parents=True)
    try:
        if previous is None or not previous.name:
            return name, KeywordIndex.create(folder / _KEYWORDS)
        source = directory / previous.name / _KEYWORDS
        locks = shutil.ignore_patterns("*.lock")
        shutil.copytree(source, folder / _KEYWORDS, copy_function=large_vectors.link, ignore=locks)
        return name, KeywordIndex.open(folder / _KEYWORDS)
    except BaseException:
        discard(directory, name)
        raise


def finish(directory: Path, snapshot: Snapshot) -> None:
    """Write what is left of a started snapshot, its manifest last, and point at it. Raises OSError."""
    folder = directory / snapshot.name
    document = json.dumps([_document(entry) for entry in snapshot.entries.values()], ensure_ascii=False)
    (folder / _ENTRIES).write_text(document, encoding="utf-8")
    snapshot.vectors.save(folder / _VECTORS)
    manifest = {
        "format": FORMAT,
        "created_at": utcnow().isoformat(),
        "embedder": snapshot.embedder,
        "source": snapshot.source,
        "lineage": snapshot.lineage or snapshot.name,
        "entries": len(snapshot.entries),
        "passages": len(snapshot.passage),
        "vectors": len(snapshot.vectors),
        "next_id": snapshot.next_id,
        "files": _files(folder),
    }
    (folder / _MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    pointer = directory / f".{_POINTER}-{snapshot.name}"
    pointer.write_text(snapshot.name + "\n", encoding="utf-8")
    pointer.replace(directory / _POINTER)


def discard(directory: Path, name: str) -> None:
    """Remove a started snapshot that cannot be finished, so that what it wrote does not fill the disk."""
    shutil.rmtree(directory / name, ignore_errors=True)


def tidy(directory: Path, engine: Engine | None = None) -> None:
    """Remove what is not the newest snapshot or the one before it: old ones, and what a killed update left behind.

    Only while nobody else makes a snapshot. A process that still has an old one open keeps its files until it closes.
    """
    current = current_name(directory)
    others = [name for name in complete(directory) if name != current]
    kept = {current, *others[-(KEPT - 1) :]}
    for path in [path for path in directory.iterdir() if path.is_dir()]:
        if path.name not in kept:
            shutil.rmtree(path)
    for path in directory.glob(f".{_POINTER}-*"):
        path.unlink()
    if engine is not None and (directory / _TABLES).exists():
        try:
            tables = {postgres_vectors.table_of(directory / name / _VECTORS) for name in kept if name}
        except (OSError, ValueError):  # the one before is damaged: its table is dropped when it goes
            return
        postgres_vectors.tidy(engine, tables_prefix(directory), {table for table in tables if table})


def tables_prefix(directory: Path) -> str:
    """Return what the tables of this folder's snapshots begin with: replicas may share one database."""
    path = directory / _TABLES
    if not path.exists():
        path.write_text(f"v{secrets.token_hex(4)}_", encoding="ascii")
    return path.read_text(encoding="ascii")


_digests: dict[tuple[int, int, int, int], str] = {}
"""By device, file, size and time of change: a graph of many vectors is read once, not at every small change."""


def _files(folder: Path) -> dict[str, list[Any]]:
    """Size and checksum of every file but the manifest and tantivy's locks."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != _MANIFEST and path.suffix != ".lock":
            found[path.relative_to(folder).as_posix()] = [path.stat().st_size, _digest(path)]
    return found


def _digest(path: Path) -> str:
    stat = path.stat()
    key = (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)
    if key not in _digests:
        with path.open("rb") as file:
            digest = file_digest(file, lambda: blake2b(digest_size=16)).hexdigest()
        if stat.st_size < _SMALL:
            return digest
        if len(_digests) > _REMEMBERED:
            _digests.clear()
        _digests[key] = digest
    return _digests[key]


def _document(entry: IndexedEntry) -> list[Any]:
    passages = [[p.id, p.passage.titles, p.passage.text, p.vectors] for p in entry.passages]
    return [entry.entry_id, entry.kind, entry.language, entry.content_hash, sorted(entry.names), passages]


def _entry(row: list[Any]) -> IndexedEntry:
    entry_id, kind, language, content_hash, names, parts = row
    passages = [IndexedPassage(n, Passage(tuple(titles), text), tuple(ids)) for n, titles, text, ids in parts]
    return IndexedEntry(entry_id, kind, language, content_hash, frozenset(names), tuple(passages))

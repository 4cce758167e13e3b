"""Vectors in PostgreSQL (pgvector), for tens of millions of them, or where every replica is to ask one database.

One table per line of snapshots, made at need. A row says from which version of the index on it counts, and from which
on no longer; a snapshot knows its version, so that an older one sees neither what came nor what went after it.
Knows numbers alone, like `vectors`.
"""
# ruff: noqa: S608 (the name of a table cannot be a parameter; it is one that `create` made)

import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import NotSupportedError, ProgrammingError

from models import Vectors

SCHEMA = "aspa_vectors"
"""Beside the program's own tables, whose shape the migrations keep."""

_LEAST_EFFORT = 100  # candidates that a search keeps (hnsw.ef_search)
_MOST_EFFORT = 1000  # pgvector allows no more; it goes on by itself where that brings too few
_KEEP = "1 hour"  # removed rows, for processes that have not taken up the newest snapshot yet
_VISIBLE = "born <= :version AND (gone IS NULL OR gone > :version)"
_SETTINGS = text(
    "SELECT set_config('hnsw.ef_search', :effort, true), set_config('hnsw.iterative_scan', 'strict_order', true)"
)


class PostgresVectors:
    """A `VectorIndex` in a table of its own, in 16 bits per number. Changes are seen by the snapshot that `save` makes.

    Several threads and processes may search it while one changes it.
    """

    def __init__(self, engine: Engine, table: str, dimension: int, version: int = 0, count: int = 0) -> None:
        self._engine = engine
        self._name = table
        self._table = f'{SCHEMA}."{table}"'
        self._dimension = dimension
        self._version = version
        self._count = count
        self._next: int | None = None

    def __len__(self) -> int:
        return self._count

    @property
    def dimension(self) -> int:
        """The length of a vector."""
        return self._dimension

    @property
    def table(self) -> str:
        """The name of its table, within `SCHEMA`."""
        return self._name

    @classmethod
    def create(cls, engine: Engine, table: str, dimension: int) -> "PostgresVectors":
        """Make an empty table. Raises OSError, with what to do, where the database has no pgvector."""
        made = cls(engine, table, dimension)
        try:
            with engine.begin() as connection:
                connection.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS vector")
                connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
                connection.exec_driver_sql(
                    f"CREATE TABLE {made._table} (id bigint PRIMARY KEY, embedding halfvec({dimension}) NOT NULL,"
                    " born integer NOT NULL, gone integer, gone_at timestamptz)"
                )
        except (NotSupportedError, ProgrammingError) as error:
            raise OSError(
                "Vectors cannot be kept in the database: install pgvector 0.8 or newer there and let the program's "
                f"user create it, or unset ASPA_VECTOR_INDEX ({str(error.orig).splitlines()[0]})."
            ) from error
        return made

    def add(self, ids: Sequence[int], vectors: Vectors) -> None:
        """Add vectors under new ids, each higher than all that were ever there."""
        if not len(ids):
            return
        with self._changing() as connection:
            cursor = connection.connection.cursor()
            with cursor.copy(f"COPY {self._table} (id, embedding, born) FROM STDIN") as rows:
                for number, vector in zip(ids, vectors, strict=True):
                    rows.write_row((number, _literal(vector), self._next))
        self._count += len(ids)

    def remove(self, ids: Sequence[int]) -> None:
        """Remove what stands under these ids; an id that is not there is passed over."""
        if not len(ids):
            return
        statement = text(
            f"UPDATE {self._table} SET gone = :next, gone_at = now() WHERE id = ANY(:ids) AND gone IS NULL"
        )
        with self._changing() as connection:
            found = connection.execute(statement, {"next": self._next, "ids": list(ids)})
            self._count -= found.rowcount

    def search(self, vector: Vectors, k: int) -> list[tuple[int, float]]:
        """Return up to k (id, cosine), nearest first. Raises sqlalchemy.exc.OperationalError without the database."""
        k = min(k, len(self))
        if k <= 0:
            return []
        statement = text(
            f"SELECT id, -(embedding <#> CAST(:question AS halfvec)) FROM {self._table} WHERE {_VISIBLE}"
            " ORDER BY embedding <#> CAST(:question AS halfvec) LIMIT :k"
        )
        values = {"question": _literal(vector), "version": self._seen, "k": k}
        with self._engine.begin() as connection:
            connection.execute(_SETTINGS, {"effort": str(min(max(k, _LEAST_EFFORT), _MOST_EFFORT))})
            return [(int(number), min(1.0, float(cosine))) for number, cosine in connection.execute(statement, values)]

    def get(self, ids: Sequence[int]) -> Vectors:
        """Return the vectors under these ids, one row each. Raises KeyError for an id that is not there."""
        statement = text(f"SELECT id, halfvec_send(embedding) FROM {self._table} WHERE id = ANY(:ids) AND {_VISIBLE}")
        with self._engine.connect() as connection:
            values = {"ids": [int(number) for number in ids], "version": self._seen}
            rows = {number: bytes(sent) for number, sent in connection.execute(statement, values)}
        found = np.empty((len(ids), self._dimension), np.float32)
        for place, number in enumerate(ids):
            found[place] = np.frombuffer(rows[int(number)], ">f2", offset=4)  # after the length and two unused bytes
        return found

    def save(self, path: Path) -> None:
        """Make the graph where there is none, and write down the version that is now to be seen. Raises OSError."""
        with self._changing() as connection:
            connection.exec_driver_sql("SET LOCAL maintenance_work_mem = '512MB'")
            connection.exec_driver_sql(
                f'CREATE INDEX IF NOT EXISTS "{self._name}_near" ON {self._table}'
                " USING hnsw (embedding halfvec_ip_ops) WITH (m = 16, ef_construction = 100)"
            )
        self._version, self._next = self._seen, None
        document = {"table": self._name, "dimension": self._dimension, "version": self._version, "count": self._count}
        _note(path).write_text(json.dumps(document) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path, engine: Engine) -> "PostgresVectors":
        """Read what `save` wrote down. Raises OSError or ValueError where it is broken or the table is gone."""
        document: dict[str, Any] = json.loads(_note(path).read_text(encoding="utf-8"))
        found = cls(engine, document["table"], document["dimension"], document["version"], document["count"])
        with engine.connect() as connection:
            if connection.scalar(text("SELECT to_regclass(:name)"), {"name": found._table}) is None:
                raise OSError(f"the database has no table {found._table}")
        return found

    @property
    def _seen(self) -> int:
        """The version that is looked at: the next one for who is making it."""
        return self._version if self._next is None else self._next

    @contextmanager
    def _changing(self) -> Iterator[Connection]:
        """Begin a transaction that may take long. The first one takes back what an unfinished update left."""
        with self._engine.begin() as connection:
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            if self._next is None:
                now = {"version": self._version}
                connection.execute(text(f"DELETE FROM {self._table} WHERE born > :version"), now)
                connection.execute(
                    text(f"UPDATE {self._table} SET gone = NULL, gone_at = NULL WHERE gone > :version"), now
                )
                self._next = self._version + 1
            yield connection


def table_of(path: Path) -> str | None:
    """Return the table that a saved index is in; None where its vectors are in files. Raises OSError or ValueError."""
    note = _note(path)
    return str(json.loads(note.read_text(encoding="utf-8"))["table"]) if note.exists() else None


def tidy(engine: Engine, prefix: str, kept: Collection[str]) -> None:
    """Of the tables whose names begin so, drop those not kept, and of the others the rows that went an hour ago."""
    tables = text("SELECT tablename FROM pg_tables WHERE schemaname = :schema AND starts_with(tablename, :prefix)")
    with engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        for name in connection.scalars(tables, {"schema": SCHEMA, "prefix": prefix}).all():
            if name in kept:
                connection.exec_driver_sql(
                    f"DELETE FROM {SCHEMA}.\"{name}\" WHERE gone_at < now() - interval '{_KEEP}'"
                )
            else:
                connection.exec_driver_sql(f'DROP TABLE {SCHEMA}."{name}"')


def _note(path: Path) -> Path:
    return path.with_suffix(".json")


def _literal(vector: Vectors) -> str:
    """A vector as pgvector reads it."""
    return "[" + ",".join(map(str, np.asarray(vector, np.float16).tolist())) + "]"

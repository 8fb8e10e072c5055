-- Governed objects, their deletions, and the number of the last change.
-- Texts compare by their bytes. Times are milliseconds since 1970, UTC.

CREATE TABLE objects (
    kind       TEXT NOT NULL,
    id         TEXT NOT NULL,
    tenant     TEXT,
    parent     TEXT NOT NULL, -- '' for what lies in nothing
    name       TEXT NOT NULL,
    version    INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    body       TEXT NOT NULL, -- JSON
    change     INTEGER NOT NULL, -- number of its last change
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX objects_by_name ON objects (kind, parent, name);
CREATE INDEX objects_by_parent ON objects (parent, kind, id);
CREATE INDEX objects_by_tenant ON objects (tenant, kind, id);
CREATE UNIQUE INDEX objects_by_change ON objects (change);

CREATE TABLE tombstones (
    kind   TEXT NOT NULL,
    id     TEXT NOT NULL,
    change INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX tombstones_by_change ON tombstones (change);

-- `change` is the last change's number, `audit` the last audit entry's. The row of `change` is
-- taken first by every commit, so that commits follow one another and no number becomes visible
-- after a higher one.
CREATE TABLE numbers (
    name  TEXT NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO numbers (name, value) VALUES ('change', 0), ('audit', 0);

CREATE TABLE idempotency (
    key         TEXT NOT NULL PRIMARY KEY,
    fingerprint BLOB NOT NULL,
    status      INTEGER NOT NULL,
    answer      BLOB NOT NULL,
    at_ms       INTEGER NOT NULL
) STRICT;
CREATE INDEX idempotency_by_time ON idempotency (at_ms);

-- The hash is SHA-256 over the hash before (32 zero bytes for the first), the sequence in eight
-- bytes, highest first, and the entry's text as it stands here.
CREATE TABLE audit (
    sequence INTEGER NOT NULL PRIMARY KEY,
    tenant   TEXT,
    at_ms    INTEGER NOT NULL,
    entry    TEXT NOT NULL, -- JSON
    hash     BLOB NOT NULL
) STRICT;
CREATE INDEX audit_by_tenant ON audit (tenant, sequence);

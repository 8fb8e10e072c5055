-- Governed objects, their deletions, and the number of the last change.
-- Texts compare by their bytes. Times are milliseconds since 1970, UTC.

CREATE TABLE objects (
    kind       TEXT COLLATE "C" NOT NULL,
    id         TEXT COLLATE "C" NOT NULL,
    tenant     TEXT COLLATE "C",
    parent     TEXT COLLATE "C" NOT NULL, -- '' for what lies in nothing
    name       TEXT COLLATE "C" NOT NULL,
    version    BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL,
    body       TEXT COLLATE "C" NOT NULL, -- JSON
    change     BIGINT NOT NULL, -- number of its last change
    PRIMARY KEY (kind, id)
);
CREATE UNIQUE INDEX objects_by_name ON objects (kind, parent, name);
CREATE INDEX objects_by_parent ON objects (parent, kind, id);
CREATE INDEX objects_by_tenant ON objects (tenant, kind, id);
CREATE UNIQUE INDEX objects_by_change ON objects (change);

CREATE TABLE tombstones (
    kind   TEXT COLLATE "C" NOT NULL,
    id     TEXT COLLATE "C" NOT NULL,
    change BIGINT NOT NULL,
    PRIMARY KEY (kind, id)
);
CREATE UNIQUE INDEX tombstones_by_change ON tombstones (change);

-- `change` is the last change's number, `audit` the last audit entry's. The row of `change` is
-- taken first by every commit, so that commits follow one another and no number becomes visible
-- after a higher one.
CREATE TABLE numbers (
    name  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO numbers (name, value) VALUES ('change', 0), ('audit', 0);

CREATE TABLE idempotency (
    key         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    fingerprint BYTEA NOT NULL,
    status      BIGINT NOT NULL,
    answer      BYTEA NOT NULL,
    at_ms       BIGINT NOT NULL
);
CREATE INDEX idempotency_by_time ON idempotency (at_ms);

-- The hash is SHA-256 over the hash before (32 zero bytes for the first), the sequence in eight
-- bytes, highest first, and the entry's text as it stands here.
CREATE TABLE audit (
    sequence BIGINT NOT NULL PRIMARY KEY,
    tenant   TEXT COLLATE "C",
    at_ms    BIGINT NOT NULL,
    entry    TEXT COLLATE "C" NOT NULL, -- JSON
    hash     BYTEA NOT NULL
);
CREATE INDEX audit_by_tenant ON audit (tenant, sequence);

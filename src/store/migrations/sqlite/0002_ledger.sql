-- The ledger: one row a call, and sums of them by minute, hour and day.

-- Who and what sums are kept for. `level` says which of the columns are told apart, the others are ''.
CREATE TABLE usage_dims (
    id       INTEGER PRIMARY KEY,
    level    INTEGER NOT NULL,
    tenant   TEXT NOT NULL,
    team     TEXT NOT NULL,
    app      TEXT NOT NULL,
    key      TEXT NOT NULL,
    model    TEXT NOT NULL,
    provider TEXT NOT NULL,
    UNIQUE (level, tenant, team, app, key, model, provider)
) STRICT;
CREATE INDEX usage_dims_by_key ON usage_dims (level, key);

-- Its order is that of time: rows are added at the end and pruned at the beginning, and a call that
-- is delivered again has the same place.
CREATE TABLE calls (
    at_ms          INTEGER NOT NULL,
    id             TEXT NOT NULL,
    dim            INTEGER NOT NULL,
    model          TEXT,
    endpoint       TEXT NOT NULL,
    upstream_model TEXT,
    attempts       INTEGER NOT NULL,
    input          INTEGER NOT NULL,
    cache_read     INTEGER NOT NULL,
    cache_write_5m INTEGER NOT NULL,
    cache_write_1h INTEGER NOT NULL,
    audio_input    INTEGER NOT NULL,
    image_input    INTEGER NOT NULL,
    output         INTEGER NOT NULL,
    reasoning      INTEGER NOT NULL,
    audio_output   INTEGER NOT NULL,
    image_output   INTEGER NOT NULL,
    is_estimated   INTEGER NOT NULL,
    cost_pico      INTEGER, -- 1e-12 US dollars; absent: not priced
    duration_ms    INTEGER NOT NULL,
    first_token_ms INTEGER,
    status         INTEGER NOT NULL,
    outcome        TEXT NOT NULL,
    reason         TEXT,
    is_stream      INTEGER NOT NULL,
    generation     INTEGER NOT NULL,
    PRIMARY KEY (at_ms, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX calls_by_dim ON calls (dim, at_ms, id);

CREATE TABLE usage_minute (
    bucket INTEGER NOT NULL, -- minutes since 1970, UTC
    dim    INTEGER NOT NULL,
    calls INTEGER NOT NULL,
    rejected INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    aborted INTEGER NOT NULL,
    unpriced INTEGER NOT NULL,
    estimated INTEGER NOT NULL,
    input INTEGER NOT NULL,
    cache_read INTEGER NOT NULL,
    cache_write_5m INTEGER NOT NULL,
    cache_write_1h INTEGER NOT NULL,
    audio_input INTEGER NOT NULL,
    image_input INTEGER NOT NULL,
    output INTEGER NOT NULL,
    reasoning INTEGER NOT NULL,
    audio_output INTEGER NOT NULL,
    image_output INTEGER NOT NULL,
    cost_usd INTEGER NOT NULL,
    cost_pico INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    PRIMARY KEY (bucket, dim)
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_minute_by_dim ON usage_minute (dim, bucket);

CREATE TABLE usage_hour (
    bucket INTEGER NOT NULL, -- hours since 1970, UTC
    dim    INTEGER NOT NULL,
    calls INTEGER NOT NULL,
    rejected INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    aborted INTEGER NOT NULL,
    unpriced INTEGER NOT NULL,
    estimated INTEGER NOT NULL,
    input INTEGER NOT NULL,
    cache_read INTEGER NOT NULL,
    cache_write_5m INTEGER NOT NULL,
    cache_write_1h INTEGER NOT NULL,
    audio_input INTEGER NOT NULL,
    image_input INTEGER NOT NULL,
    output INTEGER NOT NULL,
    reasoning INTEGER NOT NULL,
    audio_output INTEGER NOT NULL,
    image_output INTEGER NOT NULL,
    cost_usd INTEGER NOT NULL,
    cost_pico INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    PRIMARY KEY (bucket, dim)
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_hour_by_dim ON usage_hour (dim, bucket);

CREATE TABLE usage_day (
    bucket INTEGER NOT NULL, -- days since 1970, UTC
    dim    INTEGER NOT NULL,
    calls INTEGER NOT NULL,
    rejected INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    aborted INTEGER NOT NULL,
    unpriced INTEGER NOT NULL,
    estimated INTEGER NOT NULL,
    input INTEGER NOT NULL,
    cache_read INTEGER NOT NULL,
    cache_write_5m INTEGER NOT NULL,
    cache_write_1h INTEGER NOT NULL,
    audio_input INTEGER NOT NULL,
    image_input INTEGER NOT NULL,
    output INTEGER NOT NULL,
    reasoning INTEGER NOT NULL,
    audio_output INTEGER NOT NULL,
    image_output INTEGER NOT NULL,
    cost_usd INTEGER NOT NULL,
    cost_pico INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    PRIMARY KEY (bucket, dim)
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_day_by_dim ON usage_day (dim, bucket);

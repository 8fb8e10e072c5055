-- The ledger: one row a call, and sums of them by minute, hour and day.

-- Who and what sums are kept for. `level` says which of the columns are told apart, the others are ''.
CREATE TABLE usage_dims (
    id       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    level    BIGINT NOT NULL,
    tenant   TEXT COLLATE "C" NOT NULL,
    team     TEXT COLLATE "C" NOT NULL,
    app      TEXT COLLATE "C" NOT NULL,
    key      TEXT COLLATE "C" NOT NULL,
    model    TEXT COLLATE "C" NOT NULL,
    provider TEXT COLLATE "C" NOT NULL,
    UNIQUE (level, tenant, team, app, key, model, provider)
);
CREATE INDEX usage_dims_by_key ON usage_dims (level, key);

-- Its order is that of time: rows are added at the end and pruned at the beginning, and a call that
-- is delivered again has the same place.
CREATE TABLE calls (
    at_ms          BIGINT NOT NULL,
    id             TEXT COLLATE "C" NOT NULL,
    dim            BIGINT NOT NULL,
    model          TEXT COLLATE "C",
    endpoint       TEXT COLLATE "C" NOT NULL,
    upstream_model TEXT COLLATE "C",
    attempts       BIGINT NOT NULL,
    input          BIGINT NOT NULL,
    cache_read     BIGINT NOT NULL,
    cache_write_5m BIGINT NOT NULL,
    cache_write_1h BIGINT NOT NULL,
    audio_input    BIGINT NOT NULL,
    image_input    BIGINT NOT NULL,
    output         BIGINT NOT NULL,
    reasoning      BIGINT NOT NULL,
    audio_output   BIGINT NOT NULL,
    image_output   BIGINT NOT NULL,
    is_estimated   BIGINT NOT NULL,
    cost_pico      BIGINT, -- 1e-12 US dollars; absent: not priced
    duration_ms    BIGINT NOT NULL,
    first_token_ms BIGINT,
    status         BIGINT NOT NULL,
    outcome        TEXT COLLATE "C" NOT NULL,
    reason         TEXT COLLATE "C",
    is_stream      BIGINT NOT NULL,
    generation     BIGINT NOT NULL,
    PRIMARY KEY (at_ms, id)
);
CREATE INDEX calls_by_dim ON calls (dim, at_ms, id);

CREATE TABLE usage_minute (
    bucket BIGINT NOT NULL, -- minutes since 1970, UTC
    dim    BIGINT NOT NULL,
    calls BIGINT NOT NULL,
    rejected BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    aborted BIGINT NOT NULL,
    unpriced BIGINT NOT NULL,
    estimated BIGINT NOT NULL,
    input BIGINT NOT NULL,
    cache_read BIGINT NOT NULL,
    cache_write_5m BIGINT NOT NULL,
    cache_write_1h BIGINT NOT NULL,
    audio_input BIGINT NOT NULL,
    image_input BIGINT NOT NULL,
    output BIGINT NOT NULL,
    reasoning BIGINT NOT NULL,
    audio_output BIGINT NOT NULL,
    image_output BIGINT NOT NULL,
    cost_usd BIGINT NOT NULL,
    cost_pico BIGINT NOT NULL,
    duration_ms BIGINT NOT NULL,
    PRIMARY KEY (bucket, dim)
) WITH (fillfactor = 70);
CREATE INDEX usage_minute_by_dim ON usage_minute (dim, bucket);

CREATE TABLE usage_hour (
    bucket BIGINT NOT NULL, -- hours since 1970, UTC
    dim    BIGINT NOT NULL,
    calls BIGINT NOT NULL,
    rejected BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    aborted BIGINT NOT NULL,
    unpriced BIGINT NOT NULL,
    estimated BIGINT NOT NULL,
    input BIGINT NOT NULL,
    cache_read BIGINT NOT NULL,
    cache_write_5m BIGINT NOT NULL,
    cache_write_1h BIGINT NOT NULL,
    audio_input BIGINT NOT NULL,
    image_input BIGINT NOT NULL,
    output BIGINT NOT NULL,
    reasoning BIGINT NOT NULL,
    audio_output BIGINT NOT NULL,
    image_output BIGINT NOT NULL,
    cost_usd BIGINT NOT NULL,
    cost_pico BIGINT NOT NULL,
    duration_ms BIGINT NOT NULL,
    PRIMARY KEY (bucket, dim)
) WITH (fillfactor = 70);
CREATE INDEX usage_hour_by_dim ON usage_hour (dim, bucket);

CREATE TABLE usage_day (
    bucket BIGINT NOT NULL, -- days since 1970, UTC
    dim    BIGINT NOT NULL,
    calls BIGINT NOT NULL,
    rejected BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    aborted BIGINT NOT NULL,
    unpriced BIGINT NOT NULL,
    estimated BIGINT NOT NULL,
    input BIGINT NOT NULL,
    cache_read BIGINT NOT NULL,
    cache_write_5m BIGINT NOT NULL,
    cache_write_1h BIGINT NOT NULL,
    audio_input BIGINT NOT NULL,
    image_input BIGINT NOT NULL,
    output BIGINT NOT NULL,
    reasoning BIGINT NOT NULL,
    audio_output BIGINT NOT NULL,
    image_output BIGINT NOT NULL,
    cost_usd BIGINT NOT NULL,
    cost_pico BIGINT NOT NULL,
    duration_ms BIGINT NOT NULL,
    PRIMARY KEY (bucket, dim)
) WITH (fillfactor = 70);
CREATE INDEX usage_day_by_dim ON usage_day (dim, bucket);

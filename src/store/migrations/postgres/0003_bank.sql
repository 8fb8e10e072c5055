-- What of each budget is lent out, and to which node.
-- Amounts are unsigned and kept as their 64 bits: they are computed with in the gateway only.

CREATE TABLE bank_accounts (
    budget     TEXT COLLATE "C" NOT NULL,
    opens      BIGINT NOT NULL, -- when its window begins, seconds since 1970, UTC
    amount     BIGINT NOT NULL,
    expires    BIGINT NOT NULL, -- when it may be forgotten, seconds since 1970, UTC
    PRIMARY KEY (budget, opens)
);
CREATE INDEX bank_accounts_by_expiry ON bank_accounts (expires);

CREATE TABLE bank_leases (
    budget   TEXT COLLATE "C" NOT NULL,
    opens    BIGINT NOT NULL,
    node     TEXT COLLATE "C" NOT NULL,
    serial   BIGINT NOT NULL, -- of the last step that counted
    granted  BIGINT NOT NULL,
    spent    BIGINT NOT NULL,
    until_ms BIGINT NOT NULL, -- by the store's clock; then the node is taken to be gone
    PRIMARY KEY (budget, opens, node)
);

-- What of each budget is lent out, and to which node.
-- Amounts are unsigned and kept as their 64 bits: they are computed with in the gateway only.

CREATE TABLE bank_accounts (
    budget     TEXT NOT NULL,
    opens      INTEGER NOT NULL, -- when its window begins, seconds since 1970, UTC
    amount     INTEGER NOT NULL,
    expires    INTEGER NOT NULL, -- when it may be forgotten, seconds since 1970, UTC
    PRIMARY KEY (budget, opens)
) STRICT, WITHOUT ROWID;
CREATE INDEX bank_accounts_by_expiry ON bank_accounts (expires);

CREATE TABLE bank_leases (
    budget   TEXT NOT NULL,
    opens    INTEGER NOT NULL,
    node     TEXT NOT NULL,
    serial   INTEGER NOT NULL, -- of the last step that counted
    granted  INTEGER NOT NULL,
    spent    INTEGER NOT NULL,
    until_ms INTEGER NOT NULL, -- by the store's clock; then the node is taken to be gone
    PRIMARY KEY (budget, opens, node)
) STRICT, WITHOUT ROWID;

-- Configurations that came into force. Who adds one takes the row of `configuration` first.

CREATE TABLE configurations (
    number  INTEGER NOT NULL PRIMARY KEY,
    at_ms   INTEGER NOT NULL, -- milliseconds since 1970, UTC
    cause   TEXT NOT NULL,
    digest  TEXT NOT NULL, -- of the content: the same for the same
    content TEXT NOT NULL -- JSON
) STRICT;
INSERT INTO numbers (name, value) VALUES ('configuration', 0);

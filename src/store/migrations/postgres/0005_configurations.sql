-- Configurations that came into force. Who adds one takes the row of `configuration` first.

CREATE TABLE configurations (
    number  BIGINT NOT NULL PRIMARY KEY,
    at_ms   BIGINT NOT NULL, -- milliseconds since 1970, UTC
    cause   TEXT COLLATE "C" NOT NULL,
    digest  TEXT COLLATE "C" NOT NULL, -- of the content: the same for the same
    content TEXT COLLATE "C" NOT NULL -- JSON
);
INSERT INTO numbers (name, value) VALUES ('configuration', 0);

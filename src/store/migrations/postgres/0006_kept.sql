-- Responses and conversations that clients left here.

CREATE TABLE kept_entries (
    id        TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    owner     TEXT COLLATE "C" NOT NULL, -- tenant and key: nobody else's question finds it
    root      TEXT COLLATE "C" NOT NULL, -- the first of its chain: links go together, when none is wanted any more
    before_id TEXT COLLATE "C", -- what it goes on from
    body      TEXT NOT NULL,
    bytes     BIGINT NOT NULL,
    made_ms   BIGINT NOT NULL, -- when it was put last
    ends_ms   BIGINT NOT NULL,
    is_hidden BIGINT NOT NULL -- 1: gone by its id, kept for those that go on from it
);
CREATE INDEX kept_entries_by_root ON kept_entries (root);
CREATE INDEX kept_entries_by_owner ON kept_entries (owner, is_hidden, made_ms);
CREATE INDEX kept_entries_by_end ON kept_entries (is_hidden, ends_ms);
CREATE INDEX kept_entries_by_age ON kept_entries (is_hidden, made_ms, bytes);

-- What was said and done in a call, derived from its events like its row.
ALTER TABLE calls ADD COLUMN agent     TEXT;
ALTER TABLE calls ADD COLUMN outcome   TEXT;
ALTER TABLE calls ADD COLUMN turns     BIGINT NOT NULL DEFAULT 0;
ALTER TABLE calls ADD COLUMN barge_ins BIGINT NOT NULL DEFAULT 0;
ALTER TABLE calls ADD COLUMN digits    BIGINT NOT NULL DEFAULT 0;

CREATE INDEX calls_by_agent ON calls (agent, started_at);

-- seq is the number of the event that began the turn; order by (at_us, seq): a key is logged when it is released.
CREATE TABLE turns (
    call_id        TEXT   NOT NULL REFERENCES calls (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    seq            BIGINT NOT NULL,
    at_us          BIGINT NOT NULL,
    role           TEXT   NOT NULL,
    kind           TEXT   NOT NULL,
    text           TEXT,
    language       TEXT,
    utterance      BIGINT,
    heard_ms       BIGINT,
    interrupted_by TEXT,
    speech_ms      BIGINT,
    from_ms        BIGINT,
    to_ms          BIGINT,
    PRIMARY KEY (call_id, seq)
);

-- One row per call, derived from its events, and the events themselves.
-- Times named *_at are microseconds since 1970-01-01 UTC.
CREATE TABLE calls (
    id                       TEXT    NOT NULL PRIMARY KEY,
    started_at               BIGINT  NOT NULL,
    answered_at              BIGINT,
    ended_at                 BIGINT,
    state                    TEXT    NOT NULL,
    direction                TEXT,
    trunk                    TEXT,
    peer                     TEXT,
    transport                TEXT,
    from_uri                 TEXT,
    to_uri                   TEXT,
    number                   TEXT,
    sip_call_id              TEXT,
    destination              TEXT,
    codec                    TEXT,
    cause                    TEXT,
    status                   INTEGER,
    reason                   TEXT,
    talk_ms                  BIGINT,
    dropped_events           BIGINT  NOT NULL,
    recording_file           TEXT,
    recording_ms             BIGINT,
    recording_missing_blocks BIGINT,
    recording_error          TEXT,
    mos                      DOUBLE PRECISION,
    loss_percent             DOUBLE PRECISION,
    jitter_p50_ms            DOUBLE PRECISION,
    jitter_p95_ms            DOUBLE PRECISION,
    jitter_max_ms            DOUBLE PRECISION,
    rtt_ms                   DOUBLE PRECISION,
    remote_loss_percent      DOUBLE PRECISION,
    packets_received         BIGINT,
    packets_sent             BIGINT,
    packets_lost             BIGINT,
    packets_late             BIGINT,
    packets_duplicate        BIGINT,
    packets_reordered        BIGINT,
    packets_foreign          BIGINT,
    packets_invalid          BIGINT,
    slips                    BIGINT,
    concealed_ms             BIGINT,
    ticks                    BIGINT,
    ticks_missed             BIGINT,
    pacing_p50_us            BIGINT,
    pacing_p99_us            BIGINT
);

CREATE INDEX calls_by_start ON calls (started_at);
CREATE INDEX calls_by_number ON calls (number, started_at);
CREATE INDEX calls_without_end ON calls (id) WHERE ended_at IS NULL;
CREATE INDEX calls_with_open_recording ON calls (id)
    WHERE recording_file IS NOT NULL AND recording_ms IS NULL AND recording_error IS NULL;

-- seq counts from 0 within a call; a missing number is an event that was dropped on its way.
-- body is the event as JSON, its type included. The row is written after the events, in the same transaction.
CREATE TABLE events (
    call_id TEXT   NOT NULL REFERENCES calls (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    seq     BIGINT NOT NULL,
    at_us   BIGINT NOT NULL,
    type    TEXT   NOT NULL,
    body    TEXT   NOT NULL,
    PRIMARY KEY (call_id, seq)
) WITHOUT ROWID;

-- Facts about the store itself.
CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- Interval values: what was sent, what it is worth in each version, and what was found wrong. Meter quality beside it.
-- Nothing here moves a balance. Everything is append-only; a later version is a later row.

CREATE TABLE interval_import (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book     int NOT NULL,
    meter    bigint NOT NULL,
    digest   text NOT NULL,
    name     text NOT NULL,
    format   text NOT NULL,
    home     text NOT NULL,
    step_us  bigint NOT NULL,
    rows     int NOT NULL,
    from_us  bigint NOT NULL,
    to_us    bigint NOT NULL,
    author   bigint NOT NULL,
    at_us    bigint NOT NULL,
    UNIQUE (meter, digest)
);
COMMENT ON COLUMN interval_import.digest IS 'SHA-256 of the bytes and of how they were read: the same file twice is one import';

CREATE TABLE interval_raw (
    import bigint NOT NULL,
    row    int NOT NULL,
    book   int NOT NULL,
    at_us  bigint,
    wh     bigint,
    status text NOT NULL CHECK (status IN ('A', 'E', 'S', 'X', '?')),
    text   text NOT NULL,
    PRIMARY KEY (import, row)
);
COMMENT ON TABLE interval_raw IS 'rows as they were sent; wh is null where no number stood, at_us where the row could not be read';

CREATE TABLE interval_value (
    meter   bigint NOT NULL,
    at_us   bigint NOT NULL,
    version int NOT NULL CHECK (version > 0),
    book    int NOT NULL,
    minutes smallint NOT NULL CHECK (minutes BETWEEN 1 AND 60),
    wh      bigint NOT NULL CHECK (wh >= 0),
    status  text NOT NULL CHECK (status IN ('A', 'E', 'S', 'X')),
    rule    text NOT NULL,
    import  bigint,
    author  bigint,
    reason  text NOT NULL DEFAULT '',
    made_us bigint NOT NULL,
    PRIMARY KEY (meter, at_us, version),
    CONSTRAINT an_edit_has_an_author_and_a_reason CHECK (status <> 'X' OR import IS NOT NULL OR (author IS NOT NULL AND reason <> ''))
);
CREATE INDEX interval_value_guess ON interval_value (book, at_us) WHERE status <> 'A';

CREATE TABLE interval_defect (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book    int NOT NULL,
    meter   bigint NOT NULL,
    import  bigint,
    rule    text NOT NULL,
    effect  text NOT NULL,
    at_us   bigint NOT NULL,
    end_us  bigint NOT NULL,
    row     int NOT NULL,
    detail  text NOT NULL,
    seen_us bigint NOT NULL
);
CREATE INDEX interval_defect_meter ON interval_defect (meter, at_us);
CREATE UNIQUE INDEX interval_defect_once ON interval_defect (meter, rule, at_us, end_us, row, coalesce(import, 0));

-- Meter quality.
CREATE TABLE meter_certificate (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book       int NOT NULL,
    meter      bigint NOT NULL,
    class      text NOT NULL,
    number     text NOT NULL CHECK (number <> ''),
    authority  text NOT NULL CHECK (authority <> ''),
    issued_on  date NOT NULL,
    expires_on date NOT NULL CHECK (expires_on > issued_on),
    author     bigint NOT NULL,
    made_us    bigint NOT NULL,
    UNIQUE (meter, number)
);

CREATE TABLE meter_check (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book             int NOT NULL,
    meter            bigint NOT NULL,
    tested_us        bigint NOT NULL,
    reference        text NOT NULL CHECK (reference <> ''),
    reference_wh     bigint NOT NULL CHECK (reference_wh > 0),
    tested_wh        bigint NOT NULL CHECK (tested_wh >= 0),
    error_num        bigint NOT NULL,
    error_den        bigint NOT NULL CHECK (error_den > 0),
    limit_per_mille  int NOT NULL CHECK (limit_per_mille > 0),
    limit_rule       text NOT NULL,
    verdict          text NOT NULL CHECK (verdict IN ('pass', 'fail', 'unsure')),
    evidence         text NOT NULL CHECK (evidence <> ''),
    author           bigint NOT NULL,
    made_us          bigint NOT NULL,
    UNIQUE (meter, tested_us),
    CONSTRAINT error_is_the_difference_in_per_mille
        CHECK (error_num * reference_wh = (tested_wh - reference_wh) * 1000 * error_den)
);

-- A dead meter's estimate that a person approved: the one estimate that is charged.
CREATE TABLE estimate_approval (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book         int NOT NULL,
    meter        bigint NOT NULL,
    installation bigint NOT NULL,
    from_us      bigint NOT NULL,
    to_us        bigint NOT NULL CHECK (to_us > from_us),
    from_wh      bigint NOT NULL,
    wh           bigint NOT NULL CHECK (wh > 0),
    method       text NOT NULL,
    reason       text NOT NULL CHECK (reason <> ''),
    author       bigint NOT NULL,
    made_us      bigint NOT NULL,
    UNIQUE (installation, from_us)  -- until migration 0013: what the poster refused may be approved again
);

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['interval_import', 'interval_raw', 'interval_value', 'interval_defect', 'meter_certificate',
        'meter_check', 'estimate_approval'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', t || '_append_only', t);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER %I', t, t || '_append_only');
        EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t || '_no_truncate', t);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER %I', t, t || '_no_truncate');
    END LOOP;
END $$;

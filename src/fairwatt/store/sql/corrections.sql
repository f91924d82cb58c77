-- What was charged anew, and why: beside the lines, because a line has no room for it. Append-only like them.

-- One row a register and cause. Charges in (from_us, until_us] were rated again; between from_us and counted_us the
-- counters stored in older lines are no longer those of their instant.
CREATE TABLE rerating (
    book         int NOT NULL,
    installation bigint NOT NULL,
    batch        bigint NOT NULL,
    fact         bigint NOT NULL DEFAULT 0,
    wallet       bigint NOT NULL,
    last_seq     bigint NOT NULL,
    from_us      bigint NOT NULL,
    until_us     bigint NOT NULL,
    counted_us   bigint NOT NULL,
    register_wh  bigint NOT NULL,
    counter_wh   bigint NOT NULL,
    window_us    bigint NOT NULL,
    publication  bigint NOT NULL DEFAULT 0,
    carry_tax    int NOT NULL,
    carry_nano   smallint NOT NULL,
    readings     int NOT NULL,
    cause        text NOT NULL CHECK (cause IN ('late', 'edited', 'tariff')),
    author       text NOT NULL DEFAULT '',
    reason       text NOT NULL DEFAULT '',
    PRIMARY KEY (installation, batch, fact)
);
CREATE INDEX rerating_fact ON rerating (fact, installation) WHERE fact <> 0;
COMMENT ON COLUMN rerating.fact IS 'the fact that asked for it; 0: a reading that came late';
COMMENT ON COLUMN rerating.last_seq IS 'newest line of the wallet when this was done, its own lines included';
COMMENT ON COLUMN rerating.register_wh IS 'register, counter, window and carries: the state of the register afterwards';
COMMENT ON COLUMN rerating.publication IS 'the tariff publication it is charged under from then on; 0: as before';

-- One row a CORRECTION line, under the line's own key (its kind is always 3).
CREATE TABLE correction (
    book      int NOT NULL,
    ref       bigint NOT NULL,
    ts_us     bigint NOT NULL,
    wallet    bigint NOT NULL,
    seq       bigint NOT NULL,
    batch     bigint NOT NULL,
    fact      bigint NOT NULL,
    day_us    bigint NOT NULL,
    first_seq bigint NOT NULL,
    last_seq  bigint NOT NULL,
    from_us   bigint NOT NULL,
    until_us  bigint NOT NULL,
    old_exact numeric(40) NOT NULL,
    new_exact numeric(40) NOT NULL,
    component text NOT NULL CHECK (component IN ('energy', 'standing', 'tax')),
    PRIMARY KEY (book, ref, ts_us)
);
CREATE INDEX correction_of ON correction (wallet, last_seq);
COMMENT ON COLUMN correction.day_us IS 'start of the local day whose lines it corrects, those from first_seq to last_seq';
COMMENT ON COLUMN correction.old_exact IS 'what was charged in that day, exactly: nano-units; of tax, times hundredths of a percent';

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['rerating', 'correction'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', t || '_append_only', t);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER %I', t, t || '_append_only');
        EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t || '_no_truncate', t);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER %I', t, t || '_no_truncate');
    END LOOP;
END $$;

-- Who wrote a fact: filled by the database, and nobody who may only insert named columns can say otherwise.
ALTER TABLE fact ADD COLUMN by_role text NOT NULL DEFAULT current_user;

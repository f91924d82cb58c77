-- Emergency restore codes: which were made for whom. The digits are nowhere but in the answer, until it is read once.
CREATE TABLE restore_code (
    book      int NOT NULL,
    gateway   bigint NOT NULL,
    meter     bigint NOT NULL,
    counter   int NOT NULL CHECK (counter > 0),
    wallet    bigint NOT NULL,
    hours     int NOT NULL CHECK (hours BETWEEN 1 AND 72),
    day       int NOT NULL,
    fact      bigint NOT NULL UNIQUE,
    author    bigint NOT NULL,
    reason    text NOT NULL,
    issued_us bigint NOT NULL,
    PRIMARY KEY (gateway, meter, counter)
);
CREATE INDEX restore_code_wallet ON restore_code (wallet, issued_us);
COMMENT ON COLUMN restore_code.counter IS 'rises by one with every code of a meter: no two codes are alike';
CREATE TABLE restore_answer (
    fact    bigint PRIMARY KEY,
    book    int NOT NULL,
    author  bigint NOT NULL,
    digits  text NOT NULL,
    made_us bigint NOT NULL
);
COMMENT ON TABLE restore_answer IS 'a code on its way to whoever asked for it: deleted as it is read, never changed';
-- How long, and how often a home may be restored: the newest row of a book. Commissioned, never typed into a page.
CREATE TABLE restore_policy (
    book      int NOT NULL,
    from_us   bigint NOT NULL,
    hours_max int NOT NULL CHECK (hours_max BETWEEN 0 AND 72),
    per_month int NOT NULL CHECK (per_month BETWEEN 0 AND 31),
    author    text NOT NULL,
    PRIMARY KEY (book, from_us)
);
CREATE INDEX event_restored ON event (book, gateway, meter, id) WHERE kind = 'gateway.restored';

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['restore_code', 'restore_policy'] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER append_only, ENABLE ALWAYS TRIGGER no_truncate', t);
    END LOOP;
END $$;

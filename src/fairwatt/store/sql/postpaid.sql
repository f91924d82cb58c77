-- Moving from postpaid: who still pays after use, registers read by people, and waves of homes that become prepaid. Append-only.

-- A home that pays after use: measured and rated as all are, never cut for credit. It ends by the row in `switched`.
CREATE TABLE postpaid (
    wallet  bigint PRIMARY KEY,
    book    int NOT NULL,
    from_us bigint NOT NULL,
    due_day smallint NOT NULL CHECK (due_day BETWEEN 1 AND 28),
    words   text NOT NULL CHECK (length(words) BETWEEN 1 AND 300),
    author  bigint NOT NULL,
    at_us   bigint NOT NULL
);
CREATE INDEX postpaid_book ON postpaid (book);
COMMENT ON COLUMN postpaid.due_day IS 'the day of the month on which what was used before it is to be paid';

-- A register as a person read it. One that is far from what the home uses waits for a second look (`hand_word`).
CREATE TABLE hand_reading (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book         int NOT NULL,
    wallet       bigint NOT NULL,
    installation bigint NOT NULL,
    at_us        bigint NOT NULL,
    register_wh  bigint NOT NULL CHECK (register_wh >= 0),
    photo        bigint NOT NULL REFERENCES meter_photo (id),
    doubt        text NOT NULL DEFAULT '' CHECK (doubt IN ('', 'much', 'little')),
    usual_wh     bigint NOT NULL,
    words        text NOT NULL DEFAULT '' CHECK (length(words) <= 300),
    author       bigint NOT NULL,
    entered_us   bigint NOT NULL,
    UNIQUE (installation, at_us, register_wh)
);
CREATE INDEX hand_reading_wallet ON hand_reading (wallet, id);
COMMENT ON COLUMN hand_reading.usual_wh IS 'what the home would have used since the reading before it, by its own days; -1: not known';
CREATE TABLE hand_word (
    reading bigint PRIMARY KEY REFERENCES hand_reading (id),
    book    int NOT NULL,
    wallet  bigint NOT NULL,
    word    text NOT NULL CHECK (word IN ('confirmed', 'dropped')),
    author  bigint NOT NULL,
    at_us   bigint NOT NULL
);

-- Homes that become prepaid on a date. Written by one administrator, agreed to by another.
CREATE TABLE wave (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book        int NOT NULL,
    name        text NOT NULL CHECK (length(name) BETWEEN 1 AND 60),
    switch_us   bigint NOT NULL,
    notice_days smallint NOT NULL CHECK (notice_days BETWEEN 0 AND 365),
    grace_days  smallint NOT NULL CHECK (grace_days BETWEEN 1 AND 90),
    debt_plan   jsonb NOT NULL,
    author      bigint NOT NULL,
    at_us       bigint NOT NULL,
    UNIQUE (book, name)
);
CREATE TABLE wave_home (
    wave      bigint NOT NULL REFERENCES wave (id),
    wallet    bigint NOT NULL,
    book      int NOT NULL,
    debt_rule bigint NOT NULL UNIQUE REFERENCES credit_rule (id),
    PRIMARY KEY (wave, wallet)
);
CREATE INDEX wave_home_wallet ON wave_home (wallet);
COMMENT ON COLUMN wave_home.debt_rule IS 'how what is owed on the date is recovered; the amount is known only then';
CREATE TABLE wave_step (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    wave   bigint NOT NULL REFERENCES wave (id),
    book   int NOT NULL,
    wallet bigint,
    step   text NOT NULL CHECK (step IN ('agreed', 'called_off', 'noticed', 'postponed')),
    to_us  bigint,
    words  text NOT NULL DEFAULT '' CHECK (length(words) <= 300),
    author bigint NOT NULL,
    at_us  bigint NOT NULL,
    CONSTRAINT a_postponement_names_its_date CHECK ((step = 'postponed') = (to_us IS NOT NULL)),
    CONSTRAINT what_is_of_one_home_names_it CHECK ((step IN ('noticed', 'postponed')) = (wallet IS NOT NULL))
);
CREATE INDEX wave_step_wave ON wave_step (wave, id);
CREATE FUNCTION wave_of_two() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE its wave;
BEGIN
    SELECT * INTO its FROM wave WHERE id = NEW.wave;
    IF its.id IS NULL OR its.book <> NEW.book THEN
        RAISE EXCEPTION 'there is no such wave in this book' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NEW.step = 'agreed' AND NEW.author = its.author THEN
        RAISE EXCEPTION 'nobody agrees to his own wave' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NEW.wallet IS NOT NULL AND NOT EXISTS (SELECT 1 FROM wave_home h WHERE h.wave = NEW.wave AND h.wallet = NEW.wallet) THEN
        RAISE EXCEPTION 'the home is not in this wave' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER of_two BEFORE INSERT ON wave_step FOR EACH ROW EXECUTE FUNCTION wave_of_two();
ALTER TABLE wave_step ENABLE ALWAYS TRIGGER of_two;

-- Done once, by the poster: from then on the home pays before it uses, and is not cut before `grace_us`.
CREATE TABLE switched (
    wallet     bigint PRIMARY KEY REFERENCES postpaid (wallet),
    book       int NOT NULL,
    wave       bigint NOT NULL REFERENCES wave (id),
    owed_micro bigint NOT NULL CHECK (owed_micro >= 0),
    at_us      bigint NOT NULL,
    grace_us   bigint NOT NULL,
    fact       bigint NOT NULL UNIQUE,
    batch      bigint NOT NULL,
    CONSTRAINT nobody_is_cut_at_the_minute CHECK (grace_us > at_us)
);
CREATE INDEX switched_book ON switched (book);

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['postpaid', 'hand_reading', 'hand_word', 'wave', 'wave_home', 'wave_step', 'switched'] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER append_only, ENABLE ALWAYS TRIGGER no_truncate', t);
    END LOOP;
END $$;

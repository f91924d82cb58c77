-- The cash desk: who takes money by hand, what was taken, and the receipt of every payment. Append-only; the book's poster
-- writes all of it but wishes, which people write down and other people agree to.

-- Whose word is taken for cash, and for how much. Commissioned, never typed into a page: it bounds what a page can credit.
CREATE TABLE cash_desk (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book              int NOT NULL,
    name              text NOT NULL CHECK (length(name) BETWEEN 1 AND 40),
    taking_most_minor bigint NOT NULL CHECK (taking_most_minor > 0),
    day_most_minor    bigint NOT NULL CHECK (day_most_minor >= taking_most_minor),
    created_us        bigint NOT NULL,
    UNIQUE (book, name)
);
COMMENT ON COLUMN cash_desk.day_most_minor IS 'the most that is credited on a local day by the word of who sits there';

CREATE TABLE shift (
    fact        bigint PRIMARY KEY,
    book        int NOT NULL,
    desk        bigint NOT NULL REFERENCES cash_desk (id),
    cashier     bigint NOT NULL,
    float_minor bigint NOT NULL CHECK (float_minor >= 0),
    opened_us   bigint NOT NULL,
    batch       bigint NOT NULL
);
CREATE INDEX shift_book ON shift (book, fact);
CREATE TABLE shift_end (
    shift          bigint PRIMARY KEY REFERENCES shift (fact),
    book           int NOT NULL,
    expected_minor bigint NOT NULL,
    counted_minor  bigint NOT NULL CHECK (counted_minor >= 0),
    card_minor     bigint NOT NULL,
    slips_minor    bigint NOT NULL CHECK (slips_minor >= 0),
    author         bigint NOT NULL,
    fact           bigint NOT NULL UNIQUE,
    closed_us      bigint NOT NULL,
    batch          bigint NOT NULL
);
COMMENT ON COLUMN shift_end.expected_minor IS 'cash that should lie in the drawer: float, taken, less handed out';
COMMENT ON COLUMN shift_end.slips_minor IS 'what the card terminal says it took';

CREATE TABLE taking (
    fact         bigint PRIMARY KEY,
    book         int NOT NULL,
    wallet       bigint NOT NULL,
    shift        bigint NOT NULL REFERENCES shift (fact),
    tender       text NOT NULL CHECK (tender IN ('cash', 'terminal')),
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    slip         text NOT NULL DEFAULT '' CHECK (length(slip) <= 40),
    cashier      bigint NOT NULL,
    at_us        bigint NOT NULL,
    batch        bigint NOT NULL,
    CONSTRAINT a_card_has_a_slip CHECK ((tender = 'terminal') = (slip <> ''))
);
CREATE UNIQUE INDEX taking_slip ON taking (shift, slip) WHERE slip <> '';
CREATE INDEX taking_shift ON taking (shift, fact);
-- Cash that left a drawer for a person: for a payment taken back, or a refund. Once each.
CREATE TABLE cash_out (
    fact         bigint PRIMARY KEY,
    book         int NOT NULL,
    wallet       bigint NOT NULL,
    shift        bigint NOT NULL REFERENCES shift (fact),
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    of_kind      text NOT NULL CHECK (of_kind IN ('void', 'refund')),
    of_id        bigint NOT NULL,
    cashier      bigint NOT NULL,
    at_us        bigint NOT NULL,
    batch        bigint NOT NULL,
    UNIQUE (book, of_kind, of_id)
);
CREATE INDEX cash_out_shift ON cash_out (shift, fact);

-- A desk and a cashier have one open shift; a closed one takes nothing more.
CREATE FUNCTION shift_is_the_only_one() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('shift', NEW.book));
    IF EXISTS (SELECT 1 FROM shift s WHERE s.book = NEW.book AND (s.desk = NEW.desk OR s.cashier = NEW.cashier)
                  AND NOT EXISTS (SELECT 1 FROM shift_end e WHERE e.shift = s.fact)) THEN
        RAISE EXCEPTION 'this desk or this cashier has an open shift' USING ERRCODE = 'unique_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER only_one BEFORE INSERT ON shift FOR EACH ROW EXECUTE FUNCTION shift_is_the_only_one();
CREATE FUNCTION shift_is_open() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('shift', NEW.book));
    IF NOT EXISTS (SELECT 1 FROM shift s WHERE s.fact = NEW.shift AND s.book = NEW.book) OR EXISTS (SELECT 1 FROM shift_end e WHERE e.shift = NEW.shift) THEN
        RAISE EXCEPTION 'a closed shift takes nothing more' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER open_shift BEFORE INSERT ON taking FOR EACH ROW EXECUTE FUNCTION shift_is_open();
CREATE TRIGGER open_shift BEFORE INSERT ON cash_out FOR EACH ROW EXECUTE FUNCTION shift_is_open();
CREATE TRIGGER open_shift BEFORE INSERT ON shift_end FOR EACH ROW EXECUTE FUNCTION shift_is_open();

-- The receipt of every payment that became credit. Each but the first points at the one before it, and none can go: so the
-- numbers of a book have no hole, whoever writes them.
CREATE TABLE receipt (
    book         int NOT NULL,
    number       bigint NOT NULL CHECK (number > 0),
    previous     bigint GENERATED ALWAYS AS (nullif(number - 1, 0)) STORED,
    fact         bigint NOT NULL UNIQUE,
    wallet       bigint NOT NULL,
    amount_micro bigint NOT NULL CHECK (amount_micro > 0),
    provider     text NOT NULL,
    reference    text NOT NULL,
    cashier      bigint,
    code         text NOT NULL UNIQUE CHECK (length(code) = 20),
    at_us        bigint NOT NULL,
    batch        bigint NOT NULL,
    PRIMARY KEY (book, number),
    FOREIGN KEY (book, previous) REFERENCES receipt (book, number)
);
CREATE INDEX receipt_wallet ON receipt (wallet, number);
COMMENT ON COLUMN receipt.code IS 'unguessable; the address on the paper ends in it';

-- Credit taken back after the fact. The receipt stays and is marked by this row.
CREATE TABLE credit_void (
    fact         bigint PRIMARY KEY,
    book         int NOT NULL,
    wallet       bigint NOT NULL,
    of           bigint NOT NULL REFERENCES receipt (fact),
    wish         bigint NOT NULL UNIQUE,
    amount_micro bigint NOT NULL CHECK (amount_micro > 0),
    way          text NOT NULL CHECK (way IN ('paid_back', 'not_received', 'suspense')),
    at_us        bigint NOT NULL,
    batch        bigint NOT NULL
);
CREATE INDEX credit_void_of ON credit_void (of);
CREATE FUNCTION void_within_the_payment() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE paid receipt;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('void', NEW.of));
    SELECT * INTO paid FROM receipt WHERE fact = NEW.of;
    IF paid.book <> NEW.book OR paid.wallet <> NEW.wallet OR paid.amount_micro
        < NEW.amount_micro + (SELECT coalesce(sum(v.amount_micro), 0) FROM credit_void v WHERE v.of = NEW.of) THEN
        RAISE EXCEPTION 'more is taken back than was paid' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER within BEFORE INSERT ON credit_void FOR EACH ROW EXECUTE FUNCTION void_within_the_payment();

-- Money that nobody could place and somebody could claim: `of` is the fact that put it into suspense, once.
CREATE TABLE suspense_end (
    of           bigint PRIMARY KEY,
    book         int NOT NULL,
    wallet       bigint NOT NULL,
    wish         bigint NOT NULL UNIQUE,
    amount_micro bigint NOT NULL CHECK (amount_micro > 0),
    fact         bigint NOT NULL UNIQUE,
    at_us        bigint NOT NULL,
    batch        bigint NOT NULL
);

-- What one person asks for and another agrees to: a transfer from the bank's statement, a payment taken back, money claimed.
CREATE TABLE money_wish (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book         int NOT NULL,
    wallet       bigint,
    kind         text NOT NULL CHECK (kind IN ('transfer', 'void', 'claim')),
    key          text NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    details      jsonb NOT NULL DEFAULT '{}',
    words        text NOT NULL DEFAULT '' CHECK (length(words) <= 400),
    author       bigint NOT NULL,
    by_role      text NOT NULL DEFAULT current_user,
    created_us   bigint NOT NULL,
    UNIQUE (book, key)
);
CREATE TABLE money_step (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    wish    bigint NOT NULL UNIQUE REFERENCES money_wish (id),
    book    int NOT NULL,
    step    text NOT NULL CHECK (step IN ('approve', 'refuse')),
    author  bigint NOT NULL,
    words   text NOT NULL DEFAULT '' CHECK (length(words) <= 400),
    by_role text NOT NULL DEFAULT current_user,
    at_us   bigint NOT NULL
);
CREATE FUNCTION money_step_of_another() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE asked money_wish;
BEGIN
    SELECT * INTO asked FROM money_wish WHERE id = NEW.wish;
    IF asked.id IS NULL OR asked.book <> NEW.book THEN
        RAISE EXCEPTION 'there is no such wish in this book' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NEW.step = 'approve' AND NEW.author = asked.author THEN
        RAISE EXCEPTION 'nobody approves his own wish' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER two_people BEFORE INSERT ON money_step FOR EACH ROW EXECUTE FUNCTION money_step_of_another();

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['shift', 'shift_end', 'taking', 'cash_out', 'receipt', 'credit_void', 'suspense_end', 'money_wish',
        'money_step'] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER append_only, ENABLE ALWAYS TRIGGER no_truncate', t);
    END LOOP;
    ALTER TABLE shift ENABLE ALWAYS TRIGGER only_one;
    ALTER TABLE taking ENABLE ALWAYS TRIGGER open_shift;
    ALTER TABLE cash_out ENABLE ALWAYS TRIGGER open_shift;
    ALTER TABLE shift_end ENABLE ALWAYS TRIGGER open_shift;
    ALTER TABLE credit_void ENABLE ALWAYS TRIGGER within;
    ALTER TABLE money_step ENABLE ALWAYS TRIGGER two_people;
END $$;

-- Invoices: what was charged becomes numbered documents, once. Append-only. The ledger is not touched by any of it.

-- Who sells, when a document is due, how it is numbered. Commissioned, never typed into a page; the newest row counts.
CREATE TABLE invoice_setup (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book         int NOT NULL,
    moment       text NOT NULL CHECK (moment IN ('consumption', 'top_up')),
    series       text NOT NULL CHECK (series ~ '^[A-Z0-9][A-Z0-9-]{0,11}$'),
    language     text NOT NULL CHECK (language IN ('en', 'zh')),
    seller       jsonb NOT NULL,
    top_up_bp    int CHECK (top_up_bp BETWEEN 0 AND 10000),
    untaxed      text NOT NULL CHECK (untaxed IN ('Z', 'E', 'O')),
    untaxed_words text NOT NULL DEFAULT '' CHECK (length(untaxed_words) <= 200),
    due_days     smallint NOT NULL CHECK (due_days BETWEEN 0 AND 365),
    author       text NOT NULL,
    by_role      text NOT NULL DEFAULT current_user,
    at_us        bigint NOT NULL,
    CONSTRAINT what_is_exempt_says_why CHECK (untaxed = 'Z' OR untaxed_words <> '')
);
CREATE INDEX invoice_setup_book ON invoice_setup (book, id);
COMMENT ON COLUMN invoice_setup.top_up_bp IS 'VAT within a top-up where top-ups are invoiced; null: none is due before use';

-- Whom documents are made out to: the title book of a home.
CREATE TABLE buyer_title (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book       int NOT NULL,
    wallet     bigint NOT NULL,
    name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 120),
    tax_kind   text NOT NULL CHECK (tax_kind IN ('none', 'cn_uscc', 'eu_vat', 'other')),
    tax_number text NOT NULL CHECK (length(tax_number) <= 32),
    street     text NOT NULL DEFAULT '' CHECK (length(street) <= 160),
    city       text NOT NULL DEFAULT '' CHECK (length(city) <= 80),
    postcode   text NOT NULL DEFAULT '' CHECK (length(postcode) <= 20),
    country    text NOT NULL CHECK (country ~ '^[A-Z]{2}$'),
    author     bigint NOT NULL,
    at_us      bigint NOT NULL,
    CONSTRAINT a_number_has_a_kind CHECK ((tax_kind = 'none') = (tax_number = ''))
);
CREATE INDEX buyer_title_wallet ON buyer_title (wallet, id);
CREATE TABLE buyer_title_end (
    title  bigint PRIMARY KEY REFERENCES buyer_title (id),
    book   int NOT NULL,
    wallet bigint NOT NULL,
    author bigint NOT NULL,
    at_us  bigint NOT NULL
);

-- A month of a book, asked for at once. What is issued of it names it.
CREATE TABLE invoice_run (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book        int NOT NULL,
    month       text NOT NULL CHECK (month ~ '^[0-9]{4}-[0-9]{2}$'),
    until_batch bigint NOT NULL,
    end_us      bigint NOT NULL,
    homes       int NOT NULL CHECK (homes > 0),
    author      bigint NOT NULL,
    asked_us    bigint NOT NULL
);
CREATE INDEX invoice_run_book ON invoice_run (book, id);
CREATE TABLE invoice_run_end (
    run      bigint PRIMARY KEY REFERENCES invoice_run (id),
    book     int NOT NULL,
    left_out int NOT NULL,
    at_us    bigint NOT NULL
);

-- A stretch of a home's ledger, (after_batch, until_batch]. Each begins where the one before it ended, so no line of the ledger
-- can be in two of them, whoever writes them.
CREATE TABLE bill (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book        int NOT NULL,
    wallet      bigint NOT NULL,
    after_batch bigint NOT NULL CHECK (after_batch >= 0),
    until_batch bigint NOT NULL,
    previous    bigint GENERATED ALWAYS AS (nullif(after_batch, 0)) STORED,
    start_us    bigint NOT NULL,
    end_us      bigint NOT NULL,
    net_micro   bigint NOT NULL,
    tax_micro   bigint NOT NULL,
    run         bigint REFERENCES invoice_run (id),
    made_us     bigint NOT NULL,
    UNIQUE (wallet, until_batch),
    UNIQUE (wallet, after_batch),
    FOREIGN KEY (wallet, previous) REFERENCES bill (wallet, until_batch),
    CONSTRAINT a_bill_covers_something CHECK (until_batch > after_batch AND end_us > start_us AND net_micro + tax_micro <> 0)
);
CREATE INDEX bill_book ON bill (book, id);

CREATE TABLE invoice (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation  bigint NOT NULL,
    series        text NOT NULL,
    number        bigint NOT NULL CHECK (number > 0),
    previous      bigint GENERATED ALWAYS AS (nullif(number - 1, 0)) STORED,
    book          int NOT NULL,
    wallet        bigint NOT NULL,
    sort          text NOT NULL CHECK (sort IN ('invoice', 'credit_note')),
    bill          bigint NOT NULL REFERENCES bill (id),
    of            bigint REFERENCES invoice (id),
    whole         boolean NOT NULL DEFAULT false,
    setup         bigint NOT NULL REFERENCES invoice_setup (id),
    title         bigint REFERENCES buyer_title (id),
    buyer         jsonb NOT NULL,
    parts         jsonb NOT NULL,
    net_micro     bigint NOT NULL,
    tax_micro     bigint NOT NULL,
    net_minor     bigint NOT NULL,
    tax_minor     bigint NOT NULL,
    paid_minor    bigint NOT NULL,
    issued_us     bigint NOT NULL,
    due_us        bigint,
    reason        text NOT NULL DEFAULT '' CHECK (length(reason) <= 300),
    author        bigint,
    UNIQUE (organisation, series, number),
    FOREIGN KEY (organisation, series, previous) REFERENCES invoice (organisation, series, number),
    CONSTRAINT a_credit_note_names_its_original CHECK ((of IS NOT NULL) = (sort = 'credit_note')),
    CONSTRAINT only_credit_notes_take_back CHECK (NOT whole OR sort = 'credit_note'),
    CONSTRAINT nobody_paid_more CHECK (paid_minor BETWEEN 0 AND net_minor + tax_minor)
);
CREATE INDEX invoice_wallet ON invoice (wallet, id);
CREATE INDEX invoice_book ON invoice (book, id);
CREATE INDEX invoice_of ON invoice (of) WHERE of IS NOT NULL;
CREATE INDEX invoice_bill ON invoice (bill);
CREATE TABLE invoice_tax (
    invoice   bigint NOT NULL REFERENCES invoice (id),
    book      int NOT NULL,
    wallet    bigint NOT NULL,
    rate_bp   int NOT NULL CHECK (rate_bp BETWEEN -1 AND 100000),
    net_micro bigint NOT NULL,
    tax_micro bigint NOT NULL,
    net_minor bigint NOT NULL,
    tax_minor bigint NOT NULL,
    PRIMARY KEY (invoice, rate_bp),
    CONSTRAINT what_is_untaxed_has_no_tax CHECK (rate_bp >= 0 OR (tax_micro = 0 AND tax_minor = 0))
);
COMMENT ON COLUMN invoice_tax.rate_bp IS 'VAT in hundredths of a percent; -1: none';
CREATE INDEX invoice_tax_wallet ON invoice_tax (wallet, rate_bp);

-- The next number of an organisation and series is given here and nowhere else; an issue that fails gives it back. Nobody who
-- asks sees the counter, so nobody learns how many documents other books have.
CREATE TABLE invoice_number (
    organisation bigint NOT NULL,
    series       text NOT NULL,
    last         bigint NOT NULL,
    PRIMARY KEY (organisation, series)
);
CREATE FUNCTION invoice_is_numbered() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    SELECT b.organisation_id INTO STRICT NEW.organisation FROM store_book b WHERE b.id = NEW.book;
    INSERT INTO invoice_number AS n (organisation, series, last) VALUES (NEW.organisation, NEW.series, 1)
        ON CONFLICT (organisation, series) DO UPDATE SET last = n.last + 1 RETURNING n.last INTO NEW.number;
    RETURN NEW;
END $$;
CREATE TRIGGER numbered BEFORE INSERT ON invoice FOR EACH ROW EXECUTE FUNCTION invoice_is_numbered();

-- What a document says it comes to, its rates come to; a bill has one invoice that stands; a credit note takes no more than is left.
CREATE FUNCTION invoice_adds_up() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    bad bigint;
    its bill;
BEGIN
    SELECT * INTO its FROM bill WHERE id = NEW.bill;
    IF its.id IS NULL OR its.book <> NEW.book OR its.wallet <> NEW.wallet THEN
        RAISE EXCEPTION 'the bill is of another home' USING ERRCODE = 'check_violation';
    END IF;
    IF (SELECT (coalesce(sum(t.net_micro), 0), coalesce(sum(t.tax_micro), 0), coalesce(sum(t.net_minor), 0), coalesce(sum(t.tax_minor), 0))
          FROM invoice_tax t WHERE t.invoice = NEW.id) IS DISTINCT FROM
        (NEW.net_micro::numeric, NEW.tax_micro::numeric, NEW.net_minor::numeric, NEW.tax_minor::numeric) THEN
        RAISE EXCEPTION 'the rates of a document do not come to its sums' USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.sort = 'invoice' THEN
        IF (NEW.net_micro, NEW.tax_micro) <> (its.net_micro, its.tax_micro) THEN
            RAISE EXCEPTION 'an invoice is about all of its bill' USING ERRCODE = 'check_violation';
        END IF;
        SELECT count(*) INTO bad FROM invoice i WHERE i.bill = NEW.bill AND i.sort = 'invoice'
            AND NOT EXISTS (SELECT 1 FROM invoice c WHERE c.of = i.id AND c.whole);
        IF bad > 1 THEN
            RAISE EXCEPTION 'this bill has an invoice that stands' USING ERRCODE = 'unique_violation';
        END IF;
        RETURN NULL;
    END IF;
    IF NOT EXISTS (SELECT 1 FROM invoice o WHERE o.id = NEW.of AND o.sort = 'invoice' AND o.book = NEW.book AND o.wallet = NEW.wallet) THEN
        RAISE EXCEPTION 'a credit note names an invoice of its home' USING ERRCODE = 'check_violation';
    END IF;
    SELECT count(*) INTO bad FROM (
        SELECT t.rate_bp FROM invoice_tax t JOIN invoice i ON i.id = t.invoice WHERE i.id = NEW.of OR i.of = NEW.of
         GROUP BY t.rate_bp HAVING sum(CASE WHEN i.id = NEW.of THEN t.net_micro ELSE -t.net_micro END)
                                 * sign(sum(t.net_micro) FILTER (WHERE i.id = NEW.of)) < 0
                             OR sum(CASE WHEN i.id = NEW.of THEN t.tax_micro ELSE -t.tax_micro END)
                                 * sign(sum(t.tax_micro) FILTER (WHERE i.id = NEW.of)) < 0
                             OR sum(CASE WHEN i.id = NEW.of THEN t.net_minor ELSE -t.net_minor END)
                                 * sign(sum(t.net_minor) FILTER (WHERE i.id = NEW.of)) < 0
                             OR count(*) FILTER (WHERE i.id = NEW.of) = 0) AS over;
    IF bad > 0 THEN
        RAISE EXCEPTION 'a credit note takes back more than is left of its original' USING ERRCODE = 'check_violation';
    END IF;
    -- What was taken back in part cannot be replaced: the part names it for ever.
    IF EXISTS (SELECT 1 FROM invoice c WHERE c.of = NEW.of AND c.whole)
        AND ((SELECT count(*) FROM invoice c WHERE c.of = NEW.of) > 1
             OR (SELECT (o.net_micro, o.tax_micro, o.net_minor, o.tax_minor) FROM invoice o WHERE o.id = NEW.of)
                 <> (NEW.net_micro, NEW.tax_micro, NEW.net_minor, NEW.tax_minor)) THEN
        RAISE EXCEPTION 'what takes back the whole takes all of it, alone' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER adds_up AFTER INSERT ON invoice DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION invoice_adds_up();

-- Two who issue for one home wait for each other.
CREATE FUNCTION bill_in_turn() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('bill', NEW.wallet));
    RETURN NEW;
END $$;
CREATE TRIGGER in_turn BEFORE INSERT ON bill FOR EACH ROW EXECUTE FUNCTION bill_in_turn();
CREATE TRIGGER in_turn BEFORE INSERT ON invoice FOR EACH ROW EXECUTE FUNCTION bill_in_turn();

-- What is invoiced by use cannot be invoiced by top-up as well.
CREATE FUNCTION moment_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM bill b WHERE b.book = NEW.book) AND EXISTS (
        SELECT 1 FROM invoice_setup s WHERE s.book = NEW.book AND s.moment <> NEW.moment) THEN
        RAISE EXCEPTION 'this book has invoices of the other moment' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER moment_stays BEFORE INSERT ON invoice_setup FOR EACH ROW EXECUTE FUNCTION moment_stays();

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['invoice_setup', 'buyer_title', 'buyer_title_end', 'invoice_run', 'invoice_run_end', 'bill', 'invoice', 'invoice_tax'] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER append_only, ENABLE ALWAYS TRIGGER no_truncate', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['numbered', 'adds_up', 'in_turn'] LOOP
        EXECUTE format('ALTER TABLE invoice ENABLE ALWAYS TRIGGER %I', t);
    END LOOP;
    ALTER TABLE bill ENABLE ALWAYS TRIGGER in_turn;
    ALTER TABLE invoice_setup ENABLE ALWAYS TRIGGER moment_stays;
END $$;

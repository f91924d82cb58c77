-- Providers' bills of a day, and what came of holding them against ledger and meters. Append-only, but for bill_ask.

-- What was heard when a provider was asked for a day's bill. A row when that is another than before.
CREATE TABLE provider_bill (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account  bigint NOT NULL REFERENCES store_merchantaccount (id),
    day      date NOT NULL,
    state    text NOT NULL CHECK (state IN ('got', 'again', 'late', 'corrupt', 'refused')),
    sha256   text NOT NULL DEFAULT '',
    rows     int NOT NULL DEFAULT 0,
    detail   text NOT NULL DEFAULT '' CHECK (length(detail) <= 300),
    raw      bytea NOT NULL DEFAULT '',
    heard_us bigint NOT NULL,
    by_role  text NOT NULL DEFAULT current_user,
    CONSTRAINT a_bill_has_a_digest CHECK ((state IN ('got', 'again')) = (sha256 <> ''))
);
COMMENT ON COLUMN provider_bill.day IS 'the provider''s own date: Beijing''s, Nairobi''s, UTC''s';
COMMENT ON COLUMN provider_bill.state IS 'got: a content not seen before; again: the same as the last one, once more; late: none yet; corrupt: not what its digest or sums say';
COMMENT ON COLUMN provider_bill.raw IS 'as downloaded, zlib';
CREATE INDEX provider_bill_day ON provider_bill (account, day, id);

CREATE TABLE provider_bill_row (
    bill         bigint NOT NULL REFERENCES provider_bill (id),
    n            int NOT NULL,
    kind         text NOT NULL CHECK (kind IN ('payment', 'refund', 'chargeback')),
    our_ref      text NOT NULL,
    provider_ref text NOT NULL,
    refund_ref   text NOT NULL DEFAULT '',
    amount_minor bigint NOT NULL,
    fee_minor    bigint NOT NULL,
    currency     text NOT NULL,
    occurred_us  bigint NOT NULL,
    PRIMARY KEY (bill, n)
);

-- Work in hand, not history: when a day's bill is asked for next.
CREATE TABLE bill_ask (
    account bigint NOT NULL REFERENCES store_merchantaccount (id),
    day     date NOT NULL,
    ask_us  bigint,
    tries   int NOT NULL DEFAULT 0,
    PRIMARY KEY (account, day)
);

-- A payment that only the bill told of, and what was done about it.
CREATE TABLE bill_heal (
    bill         bigint NOT NULL,
    n            int NOT NULL,
    account      bigint NOT NULL REFERENCES store_merchantaccount (id),
    day          date NOT NULL,
    intent       bigint NOT NULL,
    how          text NOT NULL CHECK (how IN ('asked', 'billed')),
    at_us        bigint NOT NULL,
    PRIMARY KEY (bill, n, how)
);
CREATE INDEX bill_heal_day ON bill_heal (account, day);

-- A day of an account, as often as it came to something else.
CREATE TABLE reconciliation (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account bigint NOT NULL REFERENCES store_merchantaccount (id),
    day     date NOT NULL,
    version int NOT NULL,
    bill    bigint REFERENCES provider_bill (id),
    state   text NOT NULL CHECK (state IN ('open', 'differs', 'agrees', 'quiet')),
    reason  text NOT NULL DEFAULT '',
    totals  jsonb NOT NULL,
    digest  text NOT NULL,
    made_us bigint NOT NULL,
    UNIQUE (account, day, version),
    CONSTRAINT nothing_agrees_without_a_bill CHECK (state <> 'agrees' OR bill IS NOT NULL),
    CONSTRAINT what_is_open_says_why CHECK ((state = 'open') = (reason <> ''))
);
COMMENT ON COLUMN reconciliation.state IS 'open: not to be judged yet; differs: work to do; agrees: 0 differences; quiet: no movement on either side, so no bill';

CREATE TABLE reconciliation_item (
    reconciliation bigint NOT NULL REFERENCES reconciliation (id),
    n            int NOT NULL,
    kind         text NOT NULL,
    key          text NOT NULL,
    book         int,
    wallet       bigint,
    our_ref      text NOT NULL,
    provider_ref text NOT NULL,
    refund_ref   text NOT NULL,
    theirs_minor bigint,
    ours_minor   bigint,
    currency     text NOT NULL,
    occurred_us  bigint NOT NULL,
    PRIMARY KEY (reconciliation, n)
);

-- A person looked into a difference and says what it was; it is settled then, and stays in the day's history.
CREATE TABLE reconciliation_word (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account bigint NOT NULL REFERENCES store_merchantaccount (id),
    day     date NOT NULL,
    key     text NOT NULL,
    author  bigint NOT NULL,
    words   text NOT NULL CHECK (length(words) BETWEEN 5 AND 400),
    at_us   bigint NOT NULL,
    UNIQUE (account, day, key)
);

-- Accounts that have not what we credited: nothing goes back to payers there until somebody knows why.
CREATE VIEW refunds_frozen WITH (security_invoker = true) AS
    SELECT DISTINCT r.account FROM reconciliation r JOIN reconciliation_item i ON i.reconciliation = r.id
     WHERE i.kind = 'not_billed'
       AND r.version = (SELECT max(version) FROM reconciliation v WHERE v.account = r.account AND v.day = r.day)
       AND NOT EXISTS (SELECT 1 FROM reconciliation_word w WHERE w.account = r.account AND w.day = r.day AND w.key = i.key);

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['provider_bill', 'provider_bill_row', 'bill_heal', 'reconciliation', 'reconciliation_item', 'reconciliation_word'] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER append_only, ENABLE ALWAYS TRIGGER no_truncate', t);
    END LOOP;
END $$;

-- A day's payments are found by when their facts came.
CREATE INDEX fact_payment_created ON fact (book, created_us) WHERE kind = 'payment';
